"""Patterns that are compiled with their first use."""

from __future__ import annotations

import re

import pytest

from bot.patterns import pattern


def test_it_finds_what_the_compiled_pattern_finds_each_time() -> None:
    digits = pattern(r"(?P<first>[a-z])(\d+)", re.IGNORECASE)
    for _ in range(2):
        match = digits.search("see B42")
        assert match is not None
        assert (match["first"], match[2], match.start()) == ("B", "42", 4)
        assert digits.sub(r"\2", "a1 B2") == "1 2"
    assert digits.groups == 2


def test_it_is_compiled_with_its_first_use() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("")
