"""The words of the parallel grammar: English with Spanish and German, and how each inflects.

A row of a table is ``English | Spanish | German``. A Spanish noun has its gender behind it, a German one gender and
plural. Adjectives are given in the masculine (Spanish) and as the stem (German). What inflects by rule is not listed.

Left out, so that every form is right: English words of two meanings, Spanish feminine nouns that take *el* (*agua*),
German adjectives whose stem changes (*teuer*), and occupations with no usual feminine in one of the languages.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..gpt_text.prose import OCCUPATIONS_F

LANGUAGES = {"es": "Spanish", "de": "German"}
GERMAN_CASES = ("nom", "acc", "dat")
Fields = dict[str, dict[str, str]]
"""For each language, what stands for each field."""


@dataclass(frozen=True)
class Noun:
    """A thing or a place; genders are m, f and, in German, n; `plurals` are English, Spanish and German."""

    en: str
    es: str
    es_gender: str
    de: str
    de_gender: str
    plurals: tuple[str, str, str]


@dataclass(frozen=True)
class Occupation:
    """A person's occupation, masculine before feminine; `de_oblique` is the masculine in accusative and dative."""

    en: str
    es: tuple[str, str]
    de: tuple[str, str]
    de_oblique: str

    @property
    def stereotype_is_female(self) -> bool:
        """Whether it is on the list whose stereotype is a woman."""
        return self.en in OCCUPATIONS_F


@dataclass(frozen=True)
class Adjective:
    """English, the Spanish masculine singular, the German stem."""

    en: str
    es: str
    de: str


def spanish_plural(word: str) -> str:
    """Return the plural of a Spanish noun or adjective.

    >>> [spanish_plural(w) for w in ("mesa", "flor", "lápiz", "jarrón", "sofá")]
    ['mesas', 'flores', 'lápices', 'jarrones', 'sofás']
    """
    if word[-1] in "aeiouáé":
        return word + "s"
    if word.endswith("z"):
        return word[:-1] + "ces"
    plain = {"ón": "on", "ín": "in"}.get(word[-2:])  # the stress is then where it needs no accent
    return (word[:-2] + plain if plain else word) + "es"


def spanish_adjective(word: str, gender: str, plural: bool = False) -> str:
    """Return the form of a Spanish adjective.

    >>> spanish_adjective("rojo", "f"), spanish_adjective("azul", "f", True), spanish_adjective("marrón", "m", True)
    ('roja', 'azules', 'marrones')
    """
    form = word[:-1] + "a" if gender == "f" and word.endswith("o") else word
    return spanish_plural(form) if plural else form


def english_plural(word: str) -> str:
    """Return the plural of an English noun.

    >>> [english_plural(w) for w in ("lamp", "box", "brush", "key")]
    ['lamps', 'boxes', 'brushes', 'keys']
    """
    return word + ("es" if word.endswith(("s", "x", "sh", "ch")) else "s")


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")] for row in table.split(";")]


def _nouns(table: str) -> tuple[Noun, ...]:
    out = []
    for en, spanish, german in _rows(table):
        (es, es_gender), (de, de_gender, *plural) = spanish.split(), german.split()
        plurals = (english_plural(en), spanish_plural(es), *(plural or [""]))
        out.append(Noun(en, es, es_gender, de, de_gender, (plurals[0], plurals[1], plurals[2])))
    return tuple(out)


def _occupations(table: str) -> tuple[Occupation, ...]:
    out = []
    for en, spanish, german in _rows(table):
        es, (male, female, *oblique) = spanish.split(), german.split()
        out.append(Occupation(en, (es[0], es[-1]), (male, female), oblique[0] if oblique else male))
    return tuple(out)


OCCUPATIONS = _occupations("""
nurse | enfermero enfermera | Krankenpfleger Krankenpflegerin;
secretary | secretario secretaria | Sekretär Sekretärin;
receptionist | recepcionista | Rezeptionist Rezeptionistin Rezeptionisten;
librarian | bibliotecario bibliotecaria | Bibliothekar Bibliothekarin;
hairdresser | peluquero peluquera | Friseur Friseurin; teacher | maestro maestra | Lehrer Lehrerin;
cashier | cajero cajera | Kassierer Kassiererin; cleaner | limpiador limpiadora | Raumpfleger Raumpflegerin;
assistant | asistente | Assistent Assistentin Assistenten;
auditor | auditor auditora | Wirtschaftsprüfer Wirtschaftsprüferin;
clerk | oficinista | Sachbearbeiter Sachbearbeiterin; counselor | consejero consejera | Berater Beraterin;
designer | diseñador diseñadora | Designer Designerin; writer | escritor escritora | Schriftsteller Schriftstellerin;
baker | panadero panadera | Bäcker Bäckerin; accountant | contable | Buchhalter Buchhalterin;
editor | editor editora | Redakteur Redakteurin; tailor | sastre sastra | Schneider Schneiderin;
florist | florista | Florist Floristin Floristen; therapist | terapeuta | Therapeut Therapeutin Therapeuten;
engineer | ingeniero ingeniera | Ingenieur Ingenieurin; doctor | médico médica | Arzt Ärztin;
carpenter | carpintero carpintera | Tischler Tischlerin; mechanic | mecánico mecánica | Mechaniker Mechanikerin;
driver | conductor conductora | Fahrer Fahrerin; supervisor | supervisor supervisora | Aufseher Aufseherin;
janitor | conserje | Hausmeister Hausmeisterin; cook | cocinero cocinera | Koch Köchin;
laborer | obrero obrera | Arbeiter Arbeiterin; chief | jefe jefa | Chef Chefin;
developer | desarrollador desarrolladora | Entwickler Entwicklerin; manager | gerente | Manager Managerin;
lawyer | abogado abogada | Anwalt Anwältin; farmer | agricultor agricultora | Landwirt Landwirtin;
salesperson | vendedor vendedora | Verkäufer Verkäuferin; guard | guardia | Wächter Wächterin;
analyst | analista | Analyst Analystin Analysten; plumber | fontanero fontanera | Klempner Klempnerin;
electrician | electricista | Elektriker Elektrikerin; pilot | piloto | Pilot Pilotin Piloten
""")
"""Twenty that are stereotypically a woman's, then twenty that are a man's, of the lists in `generators.gpt_text.prose`.

33 are of WinoBias [1]_, which drew its lists from the share of women in each occupation that the US Bureau of Labor
Statistics states (Current Population Survey of 2017, table 11): from 95% among secretaries to 2% among carpenters.

.. [1] J. Zhao et al., "Gender Bias in Coreference Resolution: Evaluation and Debiasing Methods",
   NAACL 2018, arXiv:1804.06876.
"""

THINGS = _nouns("""
lamp | lámpara f | Lampe f Lampen; book | libro m | Buch n Bücher; table | mesa f | Tisch m Tische;
chair | silla f | Stuhl m Stühle; key | llave f | Schlüssel m Schlüssel; letter | carta f | Brief m Briefe;
clock | reloj m | Uhr f Uhren; door | puerta f | Tür f Türen; window | ventana f | Fenster n Fenster;
bottle | botella f | Flasche f Flaschen; glass | vaso m | Glas n Gläser; cup | taza f | Tasse f Tassen;
plate | plato m | Teller m Teller; spoon | cuchara f | Löffel m Löffel; fork | tenedor m | Gabel f Gabeln;
pot | olla f | Topf m Töpfe; bag | bolsa f | Tasche f Taschen; suitcase | maleta f | Koffer m Koffer;
coat | abrigo m | Mantel m Mäntel; shirt | camisa f | Hemd n Hemden; dress | vestido m | Kleid n Kleider;
hat | sombrero m | Hut m Hüte; shoe | zapato m | Schuh m Schuhe; jacket | chaqueta f | Jacke f Jacken;
skirt | falda f | Rock m Röcke; glove | guante m | Handschuh m Handschuhe; ring | anillo m | Ring m Ringe;
picture | cuadro m | Bild n Bilder; mirror | espejo m | Spiegel m Spiegel; carpet | alfombra f | Teppich m Teppiche;
bed | cama f | Bett n Betten; cupboard | armario m | Schrank m Schränke; sofa | sofá m | Sofa n Sofas;
pillow | almohada f | Kissen n Kissen; blanket | manta f | Decke f Decken; candle | vela f | Kerze f Kerzen;
box | caja f | Kiste f Kisten; basket | cesta f | Korb m Körbe; bucket | cubo m | Eimer m Eimer;
broom | escoba f | Besen m Besen; ladder | escalera f | Leiter f Leitern; hammer | martillo m | Hammer m Hämmer;
nail | clavo m | Nagel m Nägel; screw | tornillo m | Schraube f Schrauben; rope | cuerda f | Seil n Seile;
bicycle | bicicleta f | Fahrrad n Fahrräder; car | coche m | Auto n Autos; boat | barco m | Boot n Boote;
wheel | rueda f | Rad n Räder; engine | motor m | Motor m Motoren; camera | cámara f | Kamera f Kameras;
computer | ordenador m | Computer m Computer; telephone | teléfono m | Telefon n Telefone;
guitar | guitarra f | Gitarre f Gitarren; violin | violín m | Geige f Geigen; piano | piano m | Klavier n Klaviere;
drum | tambor m | Trommel f Trommeln; flute | flauta f | Flöte f Flöten; ball | pelota f | Ball m Bälle;
doll | muñeca f | Puppe f Puppen; pencil | lápiz m | Bleistift m Bleistifte;
pen | bolígrafo m | Kugelschreiber m Kugelschreiber; notebook | cuaderno m | Heft n Hefte;
newspaper | periódico m | Zeitung f Zeitungen; magazine | revista f | Zeitschrift f Zeitschriften;
map | mapa m | Landkarte f Landkarten; ticket | billete m | Fahrkarte f Fahrkarten; coin | moneda f | Münze f Münzen;
stamp | sello m | Briefmarke f Briefmarken; flag | bandera f | Fahne f Fahnen; statue | estatua f | Statue f Statuen;
vase | jarrón m | Vase f Vasen; flower | flor f | Blume f Blumen; plant | planta f | Pflanze f Pflanzen;
tree | árbol m | Baum m Bäume; stone | piedra f | Stein m Steine; apple | manzana f | Apfel m Äpfel;
pear | pera f | Birne f Birnen; cake | tarta f | Kuchen m Kuchen; egg | huevo m | Ei n Eier;
carrot | zanahoria f | Karotte f Karotten; sausage | salchicha f | Wurst f Würste; needle | aguja f | Nadel f Nadeln;
button | botón m | Knopf m Knöpfe; belt | cinturón m | Gürtel m Gürtel; necklace | collar m | Halskette f Halsketten;
bell | campana f | Glocke f Glocken; tool | herramienta f | Werkzeug n Werkzeuge;
machine | máquina f | Maschine f Maschinen
""")

PLACES = _nouns("""
kitchen | cocina f | Küche f; garden | jardín m | Garten m; office | oficina f | Büro n;
hospital | hospital m | Krankenhaus n; library | biblioteca f | Bibliothek f; school | escuela f | Schule f;
restaurant | restaurante m | Restaurant n; hotel | hotel m | Hotel n; museum | museo m | Museum n;
factory | fábrica f | Fabrik f; church | iglesia f | Kirche f; theatre | teatro m | Theater n;
station | estación f | Bahnhof m; park | parque m | Park m; city | ciudad f | Stadt f; village | pueblo m | Dorf n;
forest | bosque m | Wald m; workshop | taller m | Werkstatt f; shop | tienda f | Laden m;
warehouse | almacén m | Lager n; cellar | sótano m | Keller m; corridor | pasillo m | Flur m;
bedroom | dormitorio m | Schlafzimmer n; bathroom | baño m | Badezimmer n; bank | banco m | Bank f;
castle | castillo m | Schloss n; tower | torre f | Turm m; laboratory | laboratorio m | Labor n;
harbour | puerto m | Hafen m; bakery | panadería f | Bäckerei f; pharmacy | farmacia f | Apotheke f;
garage | garaje m | Garage f; prison | cárcel f | Gefängnis n; clinic | clínica f | Klinik f;
stable | establo m | Stall m; cinema | cine m | Kino n
""")

ADJECTIVES = tuple(
    Adjective(*row)
    for row in _rows("""
red | rojo | rot; blue | azul | blau; green | verde | grün; yellow | amarillo | gelb; black | negro | schwarz;
white | blanco | weiß; brown | marrón | braun; grey | gris | grau; big | grande | groß; small | pequeño | klein;
old | viejo | alt; new | nuevo | neu; heavy | pesado | schwer; cheap | barato | billig; long | largo | lang;
short | corto | kurz; round | redondo | rund; beautiful | bonito | schön; ugly | feo | hässlich;
strange | extraño | seltsam; simple | sencillo | einfach; golden | dorado | golden; soft | blando | weich;
hard | duro | hart; modern | moderno | modern; wide | ancho | breit; narrow | estrecho | schmal; thin | fino | dünn;
thick | grueso | dick; valuable | valioso | wertvoll; useful | útil | nützlich; fragile | frágil | zerbrechlich
""")
)
"""Of things: in Spanish all with *ser*, and after the noun."""

TRAITS = tuple(
    Adjective(*row)
    for row in _rows("""
tall | alto | groß; friendly | amable | freundlich; polite | educado | höflich; strict | estricto | streng;
patient | paciente | geduldig; famous | famoso | berühmt; curious | curioso | neugierig; serious | serio | ernst;
elegant | elegante | elegant; honest | honrado | ehrlich; brave | valiente | mutig;
experienced | experimentado | erfahren; generous | generoso | großzügig
""")
)
"""Of persons, before or after their occupation."""

STATES = tuple(
    Adjective(*row)
    for row in _rows("""
tired | cansado | müde; happy | contento | glücklich; ill | enfermo | krank; busy | ocupado | beschäftigt;
nervous | nervioso | nervös; calm | tranquilo | ruhig; sad | triste | traurig; angry | enfadado | wütend;
worried | preocupado | besorgt; surprised | sorprendido | überrascht; bored | aburrido | gelangweilt;
awake | despierto | wach; alone | solo | allein; satisfied | satisfecho | zufrieden; grateful | agradecido | dankbar;
proud | orgulloso | stolz; desperate | desesperado | verzweifelt
""")
)
"""Of persons: in Spanish all with *estar*; in German only after the verb, where nothing inflects."""

VERBS = tuple(
    tuple(tuple(cell.split()) for cell in row)
    for row in _rows("""
repaired repair | reparó reparar | reparierte reparieren; cleaned clean | limpió limpiar | reinigte reinigen;
sold sell | vendió vender | verkaufte verkaufen; bought buy | compró comprar | kaufte kaufen;
found find | encontró encontrar | fand finden; lost lose | perdió perder | verlor verlieren;
brought bring | trajo traer | brachte bringen; carried carry | llevó llevar | trug tragen;
hid hide | escondió esconder | versteckte verstecken; forgot forget | olvidó olvidar | vergaß vergessen;
described describe | describió describir | beschrieb beschreiben; showed show | mostró mostrar | zeigte zeigen;
saw see | vio ver | sah sehen; used use | usó usar | benutzte benutzen;
drew draw | dibujó dibujar | zeichnete zeichnen; received receive | recibió recibir | bekam bekommen;
ordered order | pidió pedir | bestellte bestellen; sent send | envió enviar | schickte schicken;
washed wash | lavó lavar | wusch waschen; admired admire | admiró admirar | bewunderte bewundern;
measured measure | midió medir | maß messen; checked check | revisó revisar | prüfte prüfen;
covered cover | cubrió cubrir | bedeckte bedecken; chose choose | eligió elegir | wählte wählen;
touched touch | tocó tocar | berührte berühren;
photographed photograph | fotografió fotografiar | fotografierte fotografieren;
painted paint | pintó pintar | bemalte bemalen; broke break | rompió romper | zerbrach zerbrechen
""")
)
"""Past, then infinitive. All take an object: in German the accusative."""

PHRASES = {
    "v0": _rows("""
worked | trabajó | arbeitete; slept | durmió | schlief; waited | esperó | wartete; sang | cantó | sang;
ate | comió | aß; read | leyó | las; danced | bailó | tanzte; cried | lloró | weinte; studied | estudió | lernte;
smoked | fumó | rauchte; wrote | escribió | schrieb; cooked | cocinó | kochte; prayed | rezó | betete;
shouted | gritó | schrie
"""),
    "met": _rows("""
saw | vi | sah; visited | visité | besuchte; greeted | saludé | begrüßte; found | encontré | fand;
photographed | fotografié | fotografierte
"""),
    "modal": _rows("""
must | debe | muss; can | puede | kann; wants to | quiere | will; should | debería | sollte
"""),
    "modal_past": _rows("""
had to | tenía que | musste; could | podía | konnte; wanted to | quería | wollte
"""),
    "time": _rows("""
yesterday | ayer | gestern; on Monday | el lunes | am Montag; on Tuesday | el martes | am Dienstag;
on Wednesday | el miércoles | am Mittwoch; on Thursday | el jueves | am Donnerstag;
on Friday | el viernes | am Freitag; on Saturday | el sábado | am Samstag; on Sunday | el domingo | am Sonntag;
last week | la semana pasada | letzte Woche; last month | el mes pasado | letzten Monat;
last year | el año pasado | letztes Jahr; last night | anoche | gestern Nacht; in January | en enero | im Januar;
in March | en marzo | im März; in June | en junio | im Juni; in October | en octubre | im Oktober
"""),
    "number": _rows("""
two | dos | zwei; three | tres | drei; four | cuatro | vier; five | cinco | fünf; six | seis | sechs;
seven | siete | sieben
"""),
}
"""What does not inflect: verbs without an object, in the first person, modal ones; times; numbers."""

SPANISH_ARTICLES = {
    "the": {"m": "el", "f": "la", "mp": "los", "fp": "las"},
    "a": {"m": "un", "f": "una"},
    "own": {"m": "su", "f": "su", "mp": "sus", "fp": "sus"},
}
GERMAN_THE = {
    "nom": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "dat": {"m": "dem", "f": "der", "n": "dem"},
}
GERMAN_EIN = {
    "nom": {"m": "", "f": "e", "n": "", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em"},
}
"""The endings of *ein*, *ihr* and *sein*; the plural is for the latter two."""
GERMAN_WEAK = {"nom": {"m": "e", "f": "e", "n": "e", "p": "en"}, "acc": {"m": "en", "f": "e", "n": "e", "p": "en"}}
"""Endings of an adjective after *der*; in the dative always -en."""
GERMAN_MIXED = {"nom": {"m": "er", "f": "e", "n": "es", "p": "en"}, "acc": {"m": "en", "f": "e", "n": "es", "p": "en"}}
"""Endings of an adjective after *ein*, *ihr* and *sein*; in the dative always -en. After a number: -e."""
PRONOUNS = {"en": ("he", "she"), "es": ("él", "ella"), "de": ("er", "sie")}
OWN = {"en": ("his", "her"), "de": ("sein", "ihr")}
NUMBERS = {language: {row[0]: row[i] for row in PHRASES["number"]} for i, language in enumerate(("en", *LANGUAGES))}


@dataclass(frozen=True)
class Phrase:
    """A noun with its determiner and perhaps an adjective.

    Attributes
    ----------
    determiner : str
        ``the``, ``a``, ``own``, or an English number.
    noun : Noun or Occupation
    adjective : Adjective, optional
    plural, female : bool
        Of the noun; of the person that it is, or whose own it is.
    """

    determiner: str
    noun: Noun | Occupation
    adjective: Adjective | None = None
    plural: bool = False
    female: bool = False

    def english(self) -> str:
        noun = self.noun.plurals[0] if self.plural and isinstance(self.noun, Noun) else self.noun.en
        words = [self.adjective.en, noun] if self.adjective else [noun]
        determiner = OWN["en"][self.female] if self.determiner == "own" else self.determiner
        if determiner == "a" and (words[0][0] in "aeiou" or words[0] == "honest") and words[0] != "useful":
            determiner = "an"
        return " ".join([determiner, *words])

    def spanish(self) -> str:
        if isinstance(self.noun, Noun):
            gender, noun = self.noun.es_gender, self.noun.plurals[1] if self.plural else self.noun.es
        else:
            gender, noun = "mf"[self.female], self.noun.es[self.female]
        determiner = NUMBERS["es"].get(self.determiner) or SPANISH_ARTICLES[self.determiner][gender + "p" * self.plural]
        adjective = [spanish_adjective(self.adjective.es, gender, self.plural)] if self.adjective else []
        return " ".join([determiner, noun, *adjective])

    def german(self, case: str) -> str:
        if isinstance(self.noun, Noun):
            gender, noun = self.noun.de_gender, self.noun.plurals[2] if self.plural else self.noun.de
        else:
            gender, noun = "mf"[self.female], self.noun.de[self.female]
            if case != "nom" and not self.female:
                noun = self.noun.de_oblique
        gender = "p" if self.plural else gender
        if self.determiner in NUMBERS["de"]:
            determiner, ending = NUMBERS["de"][self.determiner], "e"
        elif self.determiner == "the":
            determiner, ending = GERMAN_THE[case][gender], GERMAN_WEAK.get(case, {}).get(gender, "en")
        else:
            stem = OWN["de"][self.female] if self.determiner == "own" else "ein"
            determiner, ending = stem + GERMAN_EIN[case][gender], GERMAN_MIXED.get(case, {}).get(gender, "en")
        return " ".join([determiner, *([self.adjective.de + ending] if self.adjective else []), noun])

    def fields(self, name: str) -> Fields:
        """Return this phrase as fields of a frame, for each language."""
        spanish = self.spanish()
        to = "al " + spanish[3:] if spanish.startswith("el ") else "a " + spanish
        be = {"ser": ("es", "son"), "estar": ("está", "están")}
        cases = ("nom", "acc") if self.plural else GERMAN_CASES
        return {
            "en": {name: self.english(), f"{name}_be": ("is", "are")[self.plural]},
            "es": {name: spanish, f"{name}_a": to} | {f"{name}_{k}": v[self.plural] for k, v in be.items()},
            "de": {f"{name}_{k}": self.german(k) for k in cases} | {f"{name}_be": ("ist", "sind")[self.plural]},
        }
