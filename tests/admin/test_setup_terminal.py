"""What a person types at a hidden question, and what is shown of it."""

from __future__ import annotations

import pytest

from bot.admin.setup.terminal import _edited


@pytest.mark.parametrize(
    ("pieces", "typed", "shown"),
    [
        (["abc\n"], "abc\n", "***"),
        (["a", "b", "\r"], "ab\n", "**"),
        (["abx\x7fc\n"], "abc\n", "***\b \b*"),
        (["\x7f\ba\n"], "a\n", "*"),
        (["abc\x15de\n"], "de\n", "***\b \b\b \b\b \b**"),
        (["a\x1b[Db\x1b[200~c\x1b[201~\n"], "abc\n", "***"),
        (["abc\nmore"], "abc\n", "***"),
        (["ü€\n"], "ü€\n", "**"),
    ],
)
def test_stars_are_shown_for_what_was_typed_and_corrections_work(
    pieces: list[str], typed: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ""
    for piece in pieces:
        found = _edited(found, piece)
    assert found == typed
    assert capsys.readouterr().out == shown
