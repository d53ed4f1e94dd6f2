"""Regular expressions that are compiled with their first use.

Compiling those for links, titles, dates and scores takes 13 ms. Every start would wait for it, and none needs them.
"""

from __future__ import annotations

import re
from typing import Any, cast


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, but compiled with its first use. `Match.re` is the pattern that was compiled, not this one."""
    return cast(re.Pattern[str], _Pattern(text, flags))


class _Pattern:
    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, value)  # from now on it is as quick as the compiled one
        return value
