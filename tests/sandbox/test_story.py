"""`make demo SCRIPT=1`: the story ends well, and prints what a person reads."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("simcord")

from bot.sandbox import story

MARKUP = re.compile(r"\*\*|<[@#/:]|<t:|\]\(http|^\s*[│┊] (-# |#{1,3} )|spotify:album:", re.MULTILINE)


async def test_the_story_goes_as_told_logs_nothing_and_shows_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert await story.play() == 0
    told, logged = capsys.readouterr()
    assert logged == ""
    assert told.count("\n· ") >= 10
    assert told.endswith("The story is over, and everything went as told.\n")
    for sentence in ("Linked as Ada’s music.", "Shared by @Chloe", "[Save] [Add to crate] [Open in Spotify]"):
        assert sentence in told
    assert MARKUP.search(told) is None, MARKUP.search(told)
