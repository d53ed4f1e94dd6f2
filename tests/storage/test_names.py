"""Names that members give: when two of them are the same."""

from __future__ import annotations

import pytest

from bot.storage.names import name_key


@pytest.mark.parametrize("other", ["SLOW HARBOUR STRASSE", " slow \n harbour\tstraße "])
def test_names_are_the_same_in_either_case_and_with_any_white_space(other: str) -> None:
    assert name_key(other) == name_key("Slow Harbour Straße")
    assert name_key(other) != name_key("SlowHarbour Straße")
