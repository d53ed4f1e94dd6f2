"""Which of our languages a locale of Discord's, or a browser's `Accept-Language`, means. Pure."""

from __future__ import annotations

LANGUAGES = ("en", "de", "fr", "es", "pt_BR", "ja")
"""English is the language of the source; the others have a `.po` file of this name."""
PSEUDO = "qps-ploc"
"""A made-up locale for tests: see pseudo.py. Neither Discord nor a page ever asks for it."""

# A locale as Discord writes it, in lower case: our language, and the conventions for dates and numbers.
# https://discord.com/developers/docs/reference#locales
_KNOWN = {
    "en": ("en", "en_US"),
    "en-gb": ("en", "en_GB"),
    "de": ("de", "de"),
    "fr": ("fr", "fr"),
    "es": ("es", "es"),
    "es-419": ("es", "es_419"),
    "pt": ("pt_BR", "pt_BR"),
    "ja": ("ja", "ja"),
    PSEUDO: (PSEUDO, "en_US"),
}
LONGEST = 500
"""Characters of an `Accept-Language` header that are read."""


def match(locale: str | None) -> tuple[str, str]:
    """Our language for a locale, and the conventions for dates and numbers as Babel names them; else English."""
    tag = (locale or "").replace("_", "-").lower()
    return _KNOWN.get(tag) or _KNOWN.get(tag.partition("-")[0]) or _KNOWN["en"]


def from_accept_language(header: str | None) -> str:
    """The locale that a browser likes best among ours, for `texts`; "en" where it names none of ours.

    https://www.rfc-editor.org/rfc/rfc9110#name-accept-language
    """
    best, best_quality = "en", 0.0
    for item in (header or "")[:LONGEST].split(","):
        tag, _, parameter = (part.strip().lower() for part in item.partition(";"))
        name, _, value = parameter.partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        is_ours = tag in _KNOWN or tag.partition("-")[0] in _KNOWN
        if is_ours and tag != PSEUDO and best_quality < quality <= 1.0:
            best, best_quality = tag, quality
    return best
