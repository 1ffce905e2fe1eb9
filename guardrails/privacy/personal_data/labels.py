"""Words near a number that say what it is, in English, German, French and Spanish, with some of their neighbours'.

Those of a birth are known in more languages: nothing else is said of a date so often.

The nearest word counts: of "order 12, phone 345", the last number is a telephone number.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache

from .national_numbers import ID_WORDS
from .recognizer import AFTER, BEFORE


def _words(text: str) -> tuple[str, ...]:
    """Return regular expressions, one per word; an underscore is a space, a hyphen, itself or nothing."""
    return tuple(word.replace("_", "[ _-]?") for word in text.split())


_ID = tuple(
    word if word.endswith(r"\b") else rf"{word}[^\W\d_]{{0,16}}(?:[ _-]?(?:id|nr|no|nummer|number|code|card|sociale?))?"
    for word in ID_WORDS
)
TOPICS: dict[str, tuple[str, ...]] = {
    "birth": _words(
        r"""
        date_of_birth birth_(?:date|day)? born d\.?o\.?b bday née? naissance nacimiento nacid[oa]s? nació f\._nac
        geburts\w{0,12} geboren geb nat[oa]_(?:il|a) nascita nascimento nascid[oa] nasceu nasc geboorte\w{0,8}
        nascu[td]\w{0,2} naixement urodz\w{0,8} ur\. född\w{0,2} födelse\w{0,8} født fødsel\w{0,8} fødd
        naiss syntym\w{0,10} syntynyt narozen\w{0,2} naroden\w{0,2} nar\. szület\w{0,8} născut\w{0,2}
        na[șş]ter\w{0,3} rođen\w{0,3}
        doğum\w{0,6} γεννήθηκ\w{1,3} γέννησ\w{1,3} родил\w{1,4} рожд\w{1,6} д\.\s?р\. народ(?:ив|ил|жен)\w{0,5}
        出生\w{0,4} 生年月日 生日 생년월일 תאריך_לידה تاريخ_الميلاد
        """
    ),
    "phone": _words(
        r"""
        phones? telephones? tel(?:[eé]f(?:on\w{0,8})?|s|ephon\w{0,8}|f|fno)? t(?:fn?o|lf(?:no)?) tél(?:éph\w{0,8})?
        call(?:s|ed|ing)? mobile?s? mobil\w{0,8} m[oó]vil(?:es)? celular(?:es)? cells?(?:phone)? fax(?:e[ds])?
        dial(?:s|ed|ing)? reach(?:ed|ing)? contact(?:s|ed|ing|o|a|ar|ez|er)? whats_app
        sms text(?:s|ed|ing)? ring(?:ing)?
        answer(?:s|ed|ing)? msisdn ph mob hot_line viber wa\.me my_(?:phone_|new_|direct_)?number
        your_(?:phone_|new_|direct_)?number his_(?:phone_|new_|direct_)?number her_(?:phone_|new_|direct_)?number
        our_(?:phone_|new_|direct_)?number their_(?:phone_|new_|direct_)?number the_(?:phone_|new_|direct_)?number
        m(?:i|on)_n[uú]m[eé]ro meine?_nummer ihre?_nummer seine?_nummer unsere?_nummer ll[aá]m\w{1,8} marc(?:a|ar|ad)
        appel\w{0,6} joindre rejoindre joignable portable fixe anruf\w{0,4} angerufen ruf(?:en|t|nummer\w{0,2})?
        handy\w{0,8} durchwahl festnetz\w{0,8} erreich\w{0,6} telefoon\w{0,6} cellulare telem[oó]vel centralita
        """
    ),
    "card": _words(
        r"""
        cards?(?:holder)? credit(?:_card)? debit(?:_card)? bank_card visa master_card amex american_express discover
        diners jcb maestro pan ccn? cc_num(?:ber)? payments? paid pay(?:s|ing)? charg(?:ed?|es|ing) tarjetas?
        cr[eé]dito? d[eé]bito? pag(?:ar|o|os|ó|ad[oa]|ué) cartes? cb carte_bleue paiement pay(?:é|ée|er)
        r[eé]gl[eé]e? kreditkart\w{0,10} ec-?karte\w{0,8} kart(?:e|en)\w{0,8} zahl\w{0,6} bezahl\w{0,6} abgebucht
        belastet carta cartão kaart\w{0,8}
        """
    ),
    "account": _words(
        r"""
        iban accounts? acct cuentas? comptes? konto\w{0,8} bank\w{0,12} rib bic swift conto conta rekening\w{0,8}
        """
    ),
    "ssn": _words(
        r"""
        ssn(?:s|/(?:i?tin|ein))? s\.s\.n ss_(?:#|no|num(?:ber)?)
        social[-_]?sec(?:urity)? soc\.?_sec\.? social n[uú]mero_de_seguro_social seguro_social
        us_tax_id itin taxpayer_id
        """
    ),
    "id": _ID,
    "other": _words(
        r"""
        orders? order_(?:id|no|num(?:ber)?) invoices? ref(?:s|erences?|erencia|no|nr)? réf(?:érences?)?
        track(?:ing)? shipments? parcels? serials? s/?n skus? parts? p/?n items? articles? art[ií]culos?
        artikel\w{0,10} batch(?:es)? lots? lotes? tickets? cases? bugs? issues? isbn(?:-1[03])? issn ean(?:-?13)?
        upc gtin asin imei imsi iccid vin doi arxiv pmid orcid uuid guid hash(?:es)? sha\d{0,3} md5 checksum
        crc(?:32)? digest commit seq(?:uence)? time(?:stamp)? ts epoch unix millis nanos nonce bytes? octets? size
        offset len(?:gth)? ids? user_id device_id message_id event_id account_id customer_id client_id member_id
        record_id transactions? txn? trace span session requests? req jobs? pid tid blocks? model products? producto
        produit barcode receipts? quotes? po purchase_order vouchers? coupons? gift_card loyalty_card library_card
        meter amount total price count(?:er)? population distance seed random checkpoint passports? pasaporte
        passeport licen[cs]es? registration plate zip postcode plz permit patent docket claim policy warranty
        bestell\w{0,12} auftrag\w{0,10} rechnung\w{0,10} sendung\w{0,12} teile?(?:nummer|nr)? serien\w{0,10}
        beleg\w{0,10} vorgang\w{0,10} kunden\w{0,10} aktenzeichen
        vertrag\w{0,10} mitglied\w{0,10} matrikel\w{0,8} kd knr material\w{0,8}
        chargen\w{0,8} inventar\w{0,8} etag if_none_match stückzahl lieferschein\w{0,8} referenz\w{0,8}
        zähler\w{0,10} prüfsumme zeitstempel größe commandes? factures? colis suivi pi[eè]ces? s[eé]rie dossier
        devis bon_de_livraison horodatage taille pedidos? facturas? env[ií]os? seguimiento piezas? albar[aá]n
        expediente recibo tama[nñ]o marca_de_tiempo ordine ordem fattura fatura bestelling factuur pi decimal float
        double bigdecimal fraction lat(?:itude)? lon(?:g|gitude)? coordinates? coords? geo balance salary revenue
        score
        """
    ),
}
"""What a number is, by the words before it; `other` is anything that is nobody's personal datum."""


@cache  # made when it is first used: a third of a second, which not every command needs
def _pattern(ascii_only: bool) -> re.Pattern[str]:
    """Return one pattern of all words, branched by first letter, which is several times as fast as one alternation."""
    letters = str.isascii if ascii_only else str.isalpha
    by_letter: dict[str, set[str]] = {}
    for word in (word for words in TOPICS.values() for word in words if letters(word[0])):
        by_letter.setdefault(word[0], set()).add(word[1:])
    branches = []
    for letter, rests in by_letter.items():
        any_rest = "|".join(sorted(rests, key=len, reverse=True))
        # A word begins after anything but a letter or a figure, or with a capital as in camelCase.
        branches.append(rf"{letter}(?<![^\W_].)(?i:{any_rest})")
        branches.append(rf"{letter.upper()}(?:(?<![^\W_].)|(?<=[a-z].))(?i:{any_rest})")
    return re.compile(rf"(?:{'|'.join(branches)})(?![a-zß-ÿ])")


_FILLER = re.compile(
    r"(?i:[\W_]|\b(?:no|nos|nr|num|number|numbers|nummer|id|ids|code|is|was|are|n|nº|num[eé]ro|von|de|of|la|el|le|ist|est|es|"
    r"the|your|key|value|field|with|con|mit)\b){0,12}"
)


@lru_cache(maxsize=4096)
def _topic(word: str) -> str:
    return next(topic for topic in TOPICS if _words_of(topic).fullmatch(word))


@cache
def _words_of(topic: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(TOPICS[topic])})", re.I)


@dataclass(frozen=True)
class Labels:
    """The words of a text that say what stands beside them, in order."""

    starts: list[int]
    ends: list[int]
    topics: list[str]

    def before(self, at: int) -> int | None:
        """Return the number of the last label that ends before a place and begins within `BEFORE` characters of it."""
        i = bisect_right(self.ends, at) - 1
        return i if i >= 0 and self.starts[i] >= at - BEFORE else None

    def after(self, at: int) -> int | None:
        """Return the number of the first label within `AFTER` characters after a place."""
        i = bisect_left(self.starts, at)
        return i if i < len(self.starts) and self.starts[i] <= at + AFTER else None


@lru_cache(maxsize=4)
def labels(text: str) -> Labels:
    """Return the labels of a text."""
    starts, ends, topics = [], [], []
    for m in _pattern(text.isascii()).finditer(text):
        starts.append(m.start())
        ends.append(m.end())
        topics.append(_topic(m[0]))
    return Labels(starts, ends, topics)


@lru_cache(maxsize=4)
def has_long_number(text: str) -> bool:
    """Whether a text holds six figures near one another. Without them it holds no number that a label could name."""
    return _LONG.search(text) is not None


_LONG = re.compile(r"\d(?:[ ./()-]{0,3}\d){5}")


def topic_before(text: str, at: int) -> str | None:
    """Return what the nearest word before a place says that it is."""
    index = labels(text)
    i = index.before(at)
    return None if i is None else index.topics[i]


def topic_after(text: str, at: int) -> str | None:
    """Return what the first word after a place says that stands before it."""
    index = labels(text)
    i = index.after(at)
    return None if i is None else index.topics[i]


def named_as(text: str, at: int) -> str | None:
    """Return the same where only filler stands between: ``order no. 7``, ``"order": "7"``."""
    index = labels(text)
    i = index.before(at)
    return index.topics[i] if i is not None and _FILLER.fullmatch(text, index.ends[i], at) else None


def joined_to_word(text: str, at: int) -> bool:
    """Whether a hyphen or an underscore joins a number to letters before it, as in ``ABC-123``."""
    return at > 1 and text[at - 1] in "-_" and text[at - 2].isalpha()
