"""Sixteen old tunes that belong to everybody: their composers died more than a hundred years ago, or nobody knows them.

Written down here, note by note, as they are commonly sung or played; an upbeat is left out. The first eight are among
the training items of `ar-music`, the others among the items that it never sees.
"""

from __future__ import annotations

from .abc_notation import Symbols, to_symbols

TRAINING = {
    "Ode to Joy (L. van Beethoven, Symphony No. 9, 1824)": """M:4/4
K:D
F2F2G2A2|A2G2F2E2|D2D2E2F2|F3EE4|
F2F2G2A2|A2G2F2E2|D2D2E2F2|E3DD4|
E2E2F2D2|E2FGF2D2|E2FGF2E2|D2E2A,4|
F2F2G2A2|A2G2F2E2|D2D2E2F2|E3DD4|]""",
    "Frère Jacques (French round, 18th century)": """M:4/4
K:C
C2D2E2C2|C2D2E2C2|E2F2G4|E2F2G4|
GAGFE2C2|GAGFE2C2|C2G,2C4|C2G,2C4|]""",
    "Ah ! vous dirai-je, maman (French, 1761)": """M:4/4
K:C
C2C2G2G2|A2A2G4|F2F2E2E2|D2D2C4|
G2G2F2F2|E2E2D4|G2G2F2F2|E2E2D4|
C2C2G2G2|A2A2G4|F2F2E2E2|D2D2C4|]""",
    "Au clair de la lune (French, 18th century)": """M:4/4
K:G
|:G2G2G2A2|B4A4|G2B2A2A2|G8:|
A2A2A2A2|E4E4|A2G2F2E2|D8|
G2G2G2A2|B4A4|G2B2A2A2|G8|]""",
    "Tempus adest floridum, or Good King Wenceslas (Piae Cantiones, 1582)": """M:4/4
K:G
|:G2G2G2A2|G2G2D4|E2D2E2F2|G4G4:|
d2c2B2A2|B2A2G4|E2D2E2F2|G4G4|
D2D2E2F2|G2G2A4|d2c2B2A2|G4c4|G8|]""",
    "Greensleeves (English, 1580)": """M:3/4
K:Am
c4d2|e3fe2|d4B2|G3AB2|
c4A2|A3^GA2|B4^G2|E4A2|
c4d2|e3fe2|d4B2|G3AB2|
c3BA2|^G3^F^G2|A6|A6|]""",
    "Minuet in G (C. Petzold, before 1725)": """M:3/4
K:G
d2GABc|d2G2G2|e2cdef|g2G2G2|
c2dcBA|B2cBAG|F2GABG|A6|
d2GABc|d2G2G2|e2cdef|g2G2G2|
c2dcBA|B2cBAG|A2BAGF|G6|]""",
    "Row, Row, Row Your Boat (American, 1852; E. O. Lyte, 1881)": """M:6/8
K:C
C3C3|C2DE3|E2DE2F|G6|
cccGGG|EEECCC|G2FE2D|C6|]""",
}
HOLDOUT = {
    "Stille Nacht, or Silent Night (F. X. Gruber, 1818)": """M:3/4
K:C
|:G3AG2|E6:|
d4d2|B6|c4c2|G6|
|:A4A2|c3BA2|G3AG2|E6:|
d4d2|f3dB2|c6|e6|
c2G2E2|G3FD2|C6|C6|]""",
    "Mary Had a Little Lamb (L. Mason, 1831)": """M:4/4
K:G
B2A2G2A2|B2B2B4|A2A2A4|B2d2d4|
B2A2G2A2|B2B2B2B2|A2A2B2A2|G8|]""",
    "London Bridge Is Falling Down (English, 18th century)": """M:4/4
K:D
A3BA2G2|F2G2A4|E2F2G4|F2G2A4|
A3BA2G2|F2G2A4|E4A4|F2D6|]""",
    "Hänschen klein, or Lightly Row (German, about 1800)": """M:4/4
K:C
G2E2E4|F2D2D4|C2D2E2F2|G2G2G4|
G2E2E4|F2D2D4|C2E2G2G2|C8|
D2D2D2D2|D2E2F4|E2E2E2E2|E2F2G4|
G2E2E4|F2D2D4|C2E2G2G2|C8|]""",
    "Alle meine Entchen (German, before 1859)": """M:4/4
K:C
C2D2E2F2|G4G4|
|:A2A2A2A2|G8:|
F2F2F2F2|E4E4|D2D2D2D2|C8|]""",
    "Pop Goes the Weasel (English, 1853)": """M:6/8
K:C
C2CD2D|EGEC3|C2CD2D|E3C3|
C2CD2D|EGEC3|A3D2F|E3C3|]""",
    "Jingle Bells, the refrain (J. L. Pierpont, 1857)": """M:4/4
K:G
B2B2B4|B2B2B4|B2d2G3A|B8|
c2c2c3c|c2B2B2BB|B2A2A2B2|A4d4|
B2B2B4|B2B2B4|B2d2G3A|B8|
c2c2c3c|c2B2B2BB|d2d2c2A2|G8|]""",
    "Drunken Sailor (sea shanty, before 1839)": """M:4/4
K:Dm
A2AAA2AA|A2D2F2A2|G2GGG2GG|G2C2E2G2|
A2AAA2AA|A2=B2c2d2|c2A2G2E2|D4D4|]""",
}


def symbols(tunes: dict[str, str]) -> list[Symbols]:
    """Return the tunes of `TRAINING` or `HOLDOUT` as symbols.

    >>> symbols(TRAINING)[0][:6]
    ('M:4/4', 'K:D', '66:2', '66:2', '67:2', '69:2')
    """
    return [to_symbols(f"X:1\nL:1/8\n{text}") for text in tunes.values()]
