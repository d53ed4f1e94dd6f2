"""A made-up language for tests: accented, in brackets, and 40 % longer.

A sentence without the brackets did not come from the catalogue; a card that overflows would do so in a language that
needs more room than English.
"""

from __future__ import annotations

import gettext
import math
import re

OPEN, CLOSE = "⟦", "⟧"
GROWTH = 0.4
_ACCENTS = str.maketrans("AEIOUaeiouCNYcny", "ÅÉÎÖÜåéîöüÇÑÝçñý")
# What is not a word: placeholders, links and mentions, code, command names.
_KEPT = re.compile(r"(\{[^}]*\}|<[^>]*>|\]\([^)]*\)|`[^`]*`|https?://\S+|/[a-z]+)")


class PseudoTranslations(gettext.NullTranslations):
    """Makes its translations up."""

    def gettext(self, message: str) -> str:
        """The sentence in the made-up language."""
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The form for this count in the made-up language."""
        return pseudo(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """Names of commands stay as they are: Discord allows only small letters in them."""
        return message if context == "command name" else pseudo(message)


def pseudo(sentence: str) -> str:
    """A sentence in the made-up language; placeholders, links and markup stay."""
    parts = _KEPT.split(sentence)
    accented = "".join(part.translate(_ACCENTS) if place % 2 == 0 else part for place, part in enumerate(parts))
    room = max(0, math.ceil(len(sentence) * GROWTH) - len(OPEN + CLOSE))
    return f"{OPEN}{accented}{'·' * room}{CLOSE}"
