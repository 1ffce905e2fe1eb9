"""Labels of four languages, templates and separators, in which `rows.py` writes invented data."""

LABELS = {
    "card": {
        "en": ["Card", "card number", "paid with", "creditCard", "cc", "Visa"],
        "de": ["Kreditkarte", "Kartennummer", "bezahlt mit"],
        "fr": ["carte bancaire", "numéro de carte", "payé par carte"],
        "es": ["tarjeta", "número de tarjeta", "pagó con"],
    },
    "iban": {
        "en": ["IBAN", "account", "pay into"],
        "de": ["IBAN", "Konto", "Bankverbindung"],
        "fr": ["IBAN", "compte", "virement sur"],
        "es": ["IBAN", "cuenta", "cuenta bancaria"],
    },
    "ssn": {
        "en": ["SSN", "social security number", "ssn", "Social Security"],
        "de": ["US-Sozialversicherung (SSN)", "SSN"],
        "fr": ["SSN américain", "numéro SSN"],
        "es": ["número de seguro social", "SSN"],
    },
    "phone": {
        "en": ["Phone", "call", "tel", "mobile", "home_phone", "Fax", "contact number", "reach me at"],
        "de": ["Telefon", "Tel.", "Handy", "Rufnummer", "Mobil", "erreichbar unter"],
        "fr": ["téléphone", "tél.", "portable", "appelez le", "joignable au", "numéro de téléphone"],
        "es": ["teléfono", "móvil", "tfno.", "llámame al", "número de teléfono", "tel"],
    },
    "email": {
        "en": ["Email", "write to", "mail"],
        "de": ["E-Mail", "schreib an"],
        "fr": ["courriel", "écrivez à"],
        "es": ["correo", "escribe a"],
    },
    "ip": {
        "en": ["IP", "from", "client", "host"],
        "de": ["IP-Adresse", "von"],
        "fr": ["adresse IP", "depuis"],
        "es": ["dirección IP", "desde"],
    },
    "national-id": {
        "en": ["NHS number", "patient", "NHS no."],
        "de": ["Steuer-ID", "IdNr", "Steuernummer (IdNr)", "Steueridentifikationsnummer"],
        "fr": ["numéro de sécurité sociale", "NIR", "n° INSEE", "sécu"],
        "es": ["DNI", "NIF", "con DNI", "D.N.I."],
    },
    "birth-date": {
        "en": ["born", "date of birth", "DOB", "birthday", "dateOfBirth"],
        "de": ["geboren am", "Geburtsdatum", "geb."],
        "fr": ["né le", "née le", "date de naissance"],
        "es": ["nacido el", "nacida el", "fecha de nacimiento", "F. nac."],
    },
    "address": {
        "en": ["Address", "lives at"],
        "de": ["Adresse", "wohnt"],
        "fr": ["adresse", "habite"],
        "es": ["dirección", "vive en"],
    },
    "secret": {"en": ["token", "key"], "de": ["Schlüssel"], "fr": ["clé"], "es": ["clave"]},
}
ALONE = ("email", "ip", "secret", "address")
"""Kinds that need no word; cards, accounts and social security numbers in their usual groups need none either."""
TEMPLATES = (
    "{l}: {d}",
    "{l}:{d}",
    "{l}={d}",
    '"{l}": "{d}"',
    "{l} {d} - ok.",
    "({l} {d})",
    "<{l}>{d}</{l}>",
    "{l}\t{d}\n",
    "| {l} | {d} |",
    "{l};{d};x",
    "{l} [{d}]",
    "{l} '{d}', x",
    "{l}>{d}<",
    "{l} #{d}",
    "{l}/{d}",
    "* {l}: **{d}**",
    "Ann, {l} {d}, came.",
    "{l},{d},x",
    "`{l}` `{d}`",
    '{{"{l}":"{d}"}}',
)
NO_LABEL = ("{d}", "({d})", "x;{d};y", "-> {d} <-", "1) {d}", "'{d}'", "[{d}]", "see {d}.", "#1:{d}", "a|{d}|b")
NEW_LABELS = {
    "card": {
        "en": ["card no.", "credit card", "PAN", "charged to"],
        "de": ["Karte", "Visa-Karte", "Kartennr."],
        "fr": ["carte de crédit", "CB", "réglé par carte"],
        "es": ["tarjeta de crédito", "nº tarjeta", "cargo a la tarjeta"],
    },
    "iban": {
        "en": ["bank account", "IBAN no.", "transfer to"],
        "de": ["Bankkonto", "Überweisung an"],
        "fr": ["compte bancaire", "RIB/IBAN"],
        "es": ["nº de cuenta", "transferencia a"],
    },
    "ssn": {
        "en": ["SSN no.", "Social Sec.", "SS#", "her social"],
        "de": ["SSN (USA)"],
        "fr": ["SSN n°"],
        "es": ["seguro social nº"],
    },
    "phone": {
        "en": ["ring", "cell", "phone no.", "dial", "my number is", "workPhone"],
        "de": ["Tel.-Nr.", "Festnetz", "anrufen unter", "Mobilnr."],
        "fr": ["numéro portable", "tél. fixe", "contactez-moi au", "rappelez le"],
        "es": ["celular", "teléfono fijo", "llamar al", "nº de móvil"],
    },
    "email": {
        "en": ["e-mail address", "cc"],
        "de": ["Mailadresse"],
        "fr": ["adresse mail"],
        "es": ["correo electrónico"],
    },
    "ip": {"en": ["addr", "remote host", "server"], "de": ["Server"], "fr": ["serveur"], "es": ["servidor"]},
    "national-id": {
        "en": ["NHS", "NHS num"],
        "de": ["Steuer-Identifikationsnummer", "SteuerID", "Steuer-IdNr."],
        "fr": ["n° de sécu", "NIR/INSEE", "numéro de sécu"],
        "es": ["documento", "N.I.F.", "DNI/NIE"],
    },
    "birth-date": {
        "en": ["birth date", "D.O.B.", "Born on", "birth_date"],
        "de": ["Geburtstag", "geb. am", "Geb.-Datum"],
        "fr": ["né(e) le", "naissance", "née à Lyon le"],
        "es": ["F. Nacimiento", "nació el", "fecha nac."],
    },
    "address": {"en": ["home", "resides at"], "de": ["wohnhaft"], "fr": ["demeurant"], "es": ["domicilio"]},
    "secret": {"en": ["password", "x"], "de": ["Token"], "fr": ["jeton"], "es": ["llave"]},
}
NEW_TEMPLATES = (
    "{l} is {d}",
    "{l} → {d}",
    "[{l}:{d}]",
    "{l}:\n{d}\n",
    '{l} = "{d}";',
    "<b>{l}</b> {d}<br>",
    "{l}:&nbsp;{d}",
    "- {l}: {d}",
    "{l} ({d})",
    "{l}, {d}",
    "x|{l}|{d}|y",
    "{l} ~ {d} ~",
    "{l}:\t{d}",
    "“{l}” «{d}»",
    r"{l}:\n{d}\n",
)
NEW_NO_LABEL = ("•{d}", "{d}\n", "a\t{d}\tb", "={d};", "{d}: yes", "“{d}”", "@ {d}")
"""Written after the patterns were chosen on the others; nothing was chosen on these."""
SEPARATORS = {
    "none": "",
    "space": " ",
    "hyphen": "-",
    "dot": ".",
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "narrow no-break": "\u202f",
    "ideographic space": "\u3000",
    "non-breaking hyphen": "\u2011",
    "en dash": "\u2013",
    "minus": "\u2212",
    "soft hyphen": "\u00ad",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "fullwidth digits": "",
}
