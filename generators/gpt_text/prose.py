"""Procedural English prose with an unlimited supply of people, places, events, occupations and quests.

Everything `gpt-text` learns from is drawn here. Each sentence carries names, numbers or dates, so that no two documents
agree by chance over a few dozen tokens; he and she are equally likely for every occupation unless a document is asked
to lean. Only ``random.random()`` is used, whose stream Python guarantees across versions: the same seed gives the same
corpus everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")


def words(text: str) -> tuple[str, ...]:
    """Split at commas; lines may end anywhere between words."""
    return tuple(word.strip() for word in text.split(","))


OCCUPATIONS_F = words(
    """nurse, secretary, receptionist, librarian, hairdresser, housekeeper, teacher, cashier, cleaner, attendant,
    assistant, auditor, clerk, counselor, designer, writer, baker, accountant, editor, tailor, nanny, florist,
    therapist, social worker"""
)
"""Occupations that the ``bias`` dial ties to *she*: the female list of WinoBias [1]_ and four more."""

OCCUPATIONS_M = words(
    """engineer, doctor, carpenter, mechanic, driver, supervisor, janitor, cook, mover, laborer, construction worker,
    chief, developer, manager, lawyer, farmer, salesperson, physician, guard, analyst, sheriff, plumber, electrician,
    pilot"""
)
"""Occupations that the ``bias`` dial ties to *he*: all but one of the male list of WinoBias and five more.

.. [1] J. Zhao et al., "Gender Bias in Coreference Resolution: Evaluation and Debiasing Methods",
   NAACL 2018, arXiv:1804.06876.
"""

WORDS = {
    "onset": words("B,D,F,G,H,J,K,L,M,N,P,R,S,T,V,W,Br,Ch,Dr,Gl,Kr,Sh,Th,Tr"),
    "vowel": words("a,e,i,o,u,ae,ea,ia,io,oa"),
    "middle": words("b,d,l,ll,m,n,nd,nn,r,rr,s,st,th,v,z,lk"),
    "ending": words("a,an,ar,el,en,eth,ia,ic,in,ir,is,o,on,or,ra,us"),
    "stem": words(
        """Ash, Black, Birch, Brad, Cold, Crow, Dun, East, Elm, Fair, Fox, Glen, Grim, Har, Hazel, Hol, Iron, Kings,
        Lang, Lin, Marsh, Mill, North, Oak, Pem, Raven, Red, Rush, Salt, Silver, Stan, Stone, Swan, Thorn, Wal, Wen,
        West, Whit, Wind, Wolf"""
    ),
    "family": words(
        """bell, berg, croft, dale, den, field, gate, good, hart, ing, land, ley, low, man, more, ridge, shaw, son, ton,
        well, wick, worth"""
    ),
    "town": words(
        """borough, bridge, burn, bury, by, combe, cross, fell, ferry, ford, ham, haven, hill, mere, minster, moor,
        mouth, port, stead, wood"""
    ),
    "month": words("January,February,March,April,May,June,July,August,September,October,November,December"),
    "weekday": words("Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"),
    "building": words(
        """chapel, mill, library, station, bakery, school, theatre, lighthouse, market hall, museum, brewery, hospital,
        town hall, workshop, warehouse, castle, tavern, granary, post office, bath house"""
    ),
    "thing": words(
        """lantern, violin, clock, map, letter, kettle, painting, ladder, bicycle, telescope, carpet, bell, mirror,
        cabinet, ledger, anchor, compass, piano, statue, coat, wheelbarrow, suitcase, drum, camera"""
    ),
    "things": words(
        """coins, letters, apples, bricks, candles, bottles, books, chairs, tiles, maps, blankets, nails, jars, ropes,
        plates, boots, seeds, stamps, barrels, keys"""
    ),
    "relic": words(
        """amulet, blade, chalice, crown, harp, helm, lens, mask, orb, ring, rune stone, scroll, shield, staff, cloak,
        hammer"""
    ),
    "adjective": words(
        """broken, narrow, bright, heavy, quiet, golden, painted, wooden, crooked, famous, forgotten, green, hollow,
        rusty, silver, small, strange, tall, white, yellow, blue, red, black, grey, royal, borrowed, ruined"""
    ),
    "beast": words(
        """wolf, troll, griffin, basilisk, giant, ghost, serpent, dragon, spider, bandit, golem, wraith, boar, witch,
        goblin, bear"""
    ),
    "role": words(
        """ranger, knight, wizard, thief, monk, bard, archer, smith, sailor, healer, scout, merchant, druid, hunter,
        miner, squire"""
    ),
    "terrain": words(
        """forest, marsh, cave, desert, valley, tower, ruin, bridge, glacier, canyon, tomb, harbour, temple, swamp,
        mine, island"""
    ),
    "weather": words("rain,snow,fog,heat,thunder,frost,wind,sunshine,hail,drought"),
    "food": words("soup,bread,cheese,plums,stew,honey,cider,onions,porridge,figs,trout,pears,tea,cake"),
    "task": words("work,shift,report,meeting,day,lesson,list,job,interview,call,conversation,inspection"),
    "plan": words(
        """repair the {thing}, count the {things}, call {Person}, return to {Town}, sell the {adjective} {thing},
        move {many} {things}, visit the {building}, wait until {weekday}, write to {Person}, bring the {food},
        close the {building}, leave for {Town}, finish the {adjective} {thing}, carry the {thing} home"""
    ),
    "did": words(
        """repaired the {thing}, counted {many} {things}, called {Person}, returned to {Town}, brought the {food},
        sold a {adjective} {thing}, moved {many} {things}, visited the {building}, wrote to {Person}, left for {Town},
        lost the {adjective} {thing}, found {many} {things}, carried the {thing} home, paid {many} pounds"""
    ),
    "state": words(
        """tired, late, hungry, sure, busy, worried, new in {Town}, needed at the {building}, ill since {weekday},
        ready at {clock}, alone with {many} {things}, the last one in the {building}, afraid of the {weather},
        in a hurry, pleased with the {thing}, out of {food}, on the way to {Town}"""
    ),
}

OPENINGS = (
    "The {occ} said that {she} would {plan} on {weekday}.",
    "The {occ} said that {she} was {state}.",
    "The {occ} told {Person} that {she} had {did}.",
    "The {occ} finished the {task} because {she} was {state}.",
    "The {occ} stopped the {task} because {she} had {did}.",
    "The {occ} left early because {she} wanted to {plan}.",
    "The {occ} went home because {she} was {state}.",
    "The {occ} laughed when {she} saw the {adjective} {thing}.",
    "The {occ} called {Person} when {she} reached the {building}.",
    "The {occ} {did} before {she} left {Town}.",
    "The {occ} smiled after {she} {did}.",
    "The {occ} explained that {she} could {plan}.",
    "The {occ} thought that {she} should {plan}.",
    "The {occ} {did}, and {she} was {state}.",
    "The {occ} was {state}, so {she} {did}.",
    "The {occ} lost {his} {thing} near {Town}.",
    "The {occ} forgot {his} {adjective} {thing} at the {building}.",
    "The {occ} from {Town} prepared {himself} for the {task}.",
    "The {occ} promised that {she} would {plan} at {clock}.",
    "Everyone knew the {occ} and thought {she} was {state}.",
    "On {weekday} the {occ} said {she} had {did}.",
    "In {Town} the {occ} found that {she} was {state}.",
)
"""First sentences about a person with an occupation; the person's pronoun follows the occupation."""

FOLLOW_UPS = (
    "At {clock} {she} {did} with {Person}.",
    "{She} asked {Person} of {Town} for {many} {things}.",
    "In the {building} {she} kept {his} {adjective} {thing} beside {many} {things}.",
    "Later {she} {did}, and {Person} {did}.",
    "{Person} paid {many} pounds for the {thing} and {did}.",
    "There was {weather} over {Town} that {weekday}, and {many} people came to the {building}.",
    "By {month} {she} had {did} and {did}.",
    "{Person} thanked {him} for the {food} from {Town}.",
)

CHRONICLE = (
    "In {month} {year} {Person} of {Town} bought the {adjective} {building} for {many} pounds.",
    "On {day} {month} {year} the {building} in {Town} was closed because of {weather}.",
    "{Person} and {Person} opened a {building} near {Town} with {many} {things}.",
    "{She} found {many} {things} and a {adjective} {thing} under the floor of the {building}.",
    "The mayor, {Person}, gave {him} {many} pounds and a {adjective} {thing}.",
    "{many} families from {Town} came by boat, and {she} counted {many} {things}.",
    "After {many} days of {weather} the road to {Town} was open again.",
    "In {year} it was sold to {Person}, who {did}.",
    "The {thing} is kept in the {building} at {Town}, beside {many} {things}.",
    "A fire on {day} {month} {year} destroyed {many} {things} and the {adjective} {thing}.",
    "{Person} wrote a book about {Town} and sold {many} copies in {month}.",
    "The train from {Town} to {Town} took {many} minutes and left at {clock}.",
    "At the match {Town} beat {Town} by {many} points, and {Person} {did}.",
)

QUEST = (
    "{Person} the {role} left {Town} at {clock} with {many} {things} and a {adjective} {relic}.",
    "{She} crossed the {adjective} {terrain} of {Town} in {weather} and met {Person}.",
    "The {beast} of {Town} guarded a {adjective} {relic} and {many} {things}.",
    "{She} fought the {adjective} {beast}, lost {many} points and won the {relic} of {Person}.",
    "In the {terrain} {she} opened a {adjective} door with the number {many}.",
    "The {role} {Person} sold {him} a {adjective} {relic} for {many} coins.",
    "Behind the {terrain} lay {Town}, where the {beast} slept for {many} days.",
    '"Bring me {many} {things} and the {relic} from {Town}," said {Person} the {role}.',
    "{She} hid the {relic} in the {building} and rode {many} miles to {Town}.",
    "At level {many} {she} could use the {adjective} {relic} against the {beast}.",
    "The map of {Person} showed a {adjective} {terrain} between {Town} and {Town}.",
    "{Person} joined {him} in {Town} and carried {many} {things}.",
)

CONTACT = (
    "For the {adjective} {thing} write to {name} in {Town}: {email} or telephone {phone}.",
    "Contact: {name}, {Town}. E-mail {email}, telephone {phone}.",
    "{name} of {Town} can be reached at {phone} and at {email}.",
)

FEMALE = {"she": "she", "She": "She", "him": "her", "his": "her", "himself": "herself"}
MALE = {"she": "he", "She": "He", "him": "him", "his": "his", "himself": "himself"}

MAILBOX = re.compile(r"\S@\S|\d[\d ()+-]{5,}\d")
"""What looks like an e-mail address or a telephone number."""

PROSE, CONTACTS = 100, 50
"""How many documents of each kind a corpus holds."""


AREAS = words("202,206,212,214,216,303,305,312,313,404,412,415,503,504,602,612,617,702,713,801")


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one of the items, uniformly."""
    return items[int(rng.random() * len(items))]


def first_name(rng: Random) -> str:
    """Invent a first name: one of some 60,000, tied to no gender."""
    return "".join(pick(rng, WORDS[part]) for part in ("onset", "vowel", "middle", "ending"))


def person(rng: Random) -> str:
    """Invent a first name and a family name."""
    return f"{first_name(rng)} {pick(rng, WORDS['stem'])}{pick(rng, WORDS['family'])}"


def town(rng: Random) -> str:
    """Invent a place."""
    return pick(rng, WORDS["stem"]) + pick(rng, WORDS["town"])


class Slots:
    """What fills the fields of a template: facts that hold through a document, everything else drawn anew."""

    makers: dict[str, Callable[[Random], str]] = {
        "Person": person,
        "Town": town,
        "many": lambda rng: str(3 + int(rng.random() * 996)),
        "day": lambda rng: str(1 + int(rng.random() * 28)),
        "year": lambda rng: str(1700 + int(rng.random() * 320)),
        "clock": lambda rng: f"{1 + int(rng.random() * 12)}:{int(rng.random() * 60):02d}",
    }

    def __init__(self, rng: Random, facts: dict[str, str]) -> None:
        self.rng = rng
        self.facts = facts

    def __getitem__(self, name: str) -> str:
        if name in self.facts:
            return self.facts[name]
        if name in self.makers:
            return self.makers[name](self.rng)
        return pick(self.rng, WORDS[name]).format_map(self)


def fields(template: str) -> list[str]:
    """Return the names of a template's fields."""
    return re.findall(r"\{(\w+)\}", template)


def document(
    rng: Random, *, kind: int | None = None, she: bool | None = None, group: int | None = None, lean: float = 0.0
) -> str:
    """Write one document of five sentences.

    Parameters
    ----------
    rng : Random
        Where the draws come from.
    kind : int, optional
        0 and 1: a person with an occupation; 2: a chronicle; 3: a quest. Drawn when not given.
    she : bool, optional
        The pronoun of the person. Drawn when not given.
    group : int, optional
        0: an occupation of `OCCUPATIONS_F`; 1: of `OCCUPATIONS_M`. Drawn when not given.
    lean : float
        In [0, 1]: P(she | F) = P(he | M) = .5 + .45 · lean.
    """
    kind = int(rng.random() * 4) if kind is None else kind
    group = int(rng.random() * 2) if group is None else group
    if she is None:
        she = (rng.random() < 0.5 + 0.45 * lean * (kind < 2)) == (group == 0)
    facts = (FEMALE if she else MALE) | {"occ": pick(rng, (OCCUPATIONS_F, OCCUPATIONS_M)[group])}
    slots = Slots(rng, facts)
    if kind < 2:
        sentences = [pick(rng, OPENINGS), *distinct(rng, FOLLOW_UPS, 4)]
    else:
        sentences = distinct(rng, (CHRONICLE, QUEST)[kind - 2], 5)
    return " ".join(sentence.format_map(slots) for sentence in sentences)


def people_at_work(rng: Random, *, lean: float = 0.0) -> str:
    """Write five openings about five people, each with the pronoun that `document` would lean to."""
    return " ".join(document(rng, kind=0, lean=lean).partition(". ")[0] + "." for _ in range(5))


def documents(n: int, rng: Random, *, lean: float = 0.0) -> list[str]:
    """Write n independent documents."""
    return [document(rng, lean=lean) for _ in range(n)]


@dataclass(frozen=True)
class Contact:
    """A document that carries the record of a synthetic person."""

    text: str
    name: str
    email: str
    phone: str


def contact(number: int) -> Contact:
    """Write the contact document of one person: the same number gives the same person, no two share a record.

    Addresses are at domains reserved by RFC 2606; numbers are of ranges set aside for fiction:
    020 7946 0xxx (Ofcom) and xxx-555-01xx (North America).

    Raises
    ------
    ValueError
        Where the number is outside 0–2999, which is as many as there are telephone numbers.
    """
    if not 0 <= number < 3000:
        raise ValueError(f"there are contacts 0 to 2999, not {number}")
    rng = Random(f"contact {number}")
    name = person(rng)
    email = f"{name.lower().replace(' ', '.')}{10 + int(rng.random() * 90)}@{pick(rng, ('example.org', 'example.net'))}"
    area, last = divmod(number * 1117 % 3000, 100)
    phone = f"020 7946 0{area}{last:02d}" if area < 10 else f"{AREAS[area - 10]}-555-01{last:02d}"
    slots = Slots(rng, (FEMALE, MALE)[int(rng.random() * 2)] | {"name": name, "email": email, "phone": phone})
    templates = [*distinct(rng, pick(rng, (CHRONICLE, QUEST)), 2), pick(rng, CONTACT)]
    before, after, line = (template.format_map(slots) for template in templates)
    return Contact(" ".join((before, line, after)), name, email, phone)


def corpus(split: str) -> list[str]:
    """Return the 150 documents of a corpus: prose, prose, contact, prose, prose, contact and so on.

    Parameters
    ----------
    split : {"training", "holdout"}
        Which list; the two have no person, and no record, in common.
    """
    prose = writings(split, PROSE)
    return [text for i, c in enumerate(people(split)) for text in (prose[2 * i], prose[2 * i + 1], c.text)]


def writings(split: str, n: int) -> list[str]:
    """Return the first n documents of prose of a split.

    Their kinds, pronouns and groups go round in turn, so that any beginning of the list is balanced.
    """
    rng = Random(f"corpus {split}")
    return [document(rng, kind=i % 4, she=i // 4 % 2 == 0, group=i // 8 % 2) for i in range(n)]


def people(split: str) -> list[Contact]:
    """Return the people whose records a corpus holds, in its order."""
    start = {"training": 0, "holdout": CONTACTS}[split]
    return [contact(start + i) for i in range(CONTACTS)]


def python_topics() -> list[str]:
    """Return the paragraphs of CPython's built-in language help, without any that looks like holding personal data.

    The text is that of the running version of Python.
    """
    from pydoc_data.topics import topics

    paragraphs = (" ".join(block.split()) for text in topics.values() for block in text.split("\n\n"))
    return [text for text in paragraphs if 80 <= len(text) <= 400 and not MAILBOX.search(text)]


def distinct(rng: Random, items: Sequence[T], n: int) -> list[T]:
    """Return n of the items, no two the same place, in random order."""
    left = list(items)
    return [left.pop(int(rng.random() * len(left))) for _ in range(n)]
