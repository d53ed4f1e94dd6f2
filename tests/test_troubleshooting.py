"""`docs/troubleshooting.md` holds every sentence of trouble that the bot says, and none that it does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import errors
from bot.albums import AlbumId
from bot.caller import RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.chat.words import AllWords
from bot.errors import LinkDeclined, NeedsRelink, Refused, TryLater, UserError
from bot.storage.changes import UndoVerdict
from bot.text import texts
from bot.web import pages

PAPER = (Path(__file__).resolve().parents[1] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = [line.removeprefix("### ") for line in PAPER.splitlines() if line.startswith("### ")]
# said by Discord or Spotify, not by us
FOREIGN = ("The application did not respond", "INVALID_CLIENT")
QUIET = {Outcome.SAVED, Outcome.REMOVED, Outcome.ALREADY, Outcome.ABSENT, Outcome.DROPPED, Outcome.DUPLICATE}
QUIET |= {Outcome.IGNORED}
words = AllWords("")(None)


def quoted() -> list[str]:
    return [text for heading in HEADINGS if not heading.startswith(tuple(f'"{f}' for f in FOREIGN))
            for text in re.findall(r'"([^"]+)"', heading)]  # fmt: skip


def every_error() -> Iterator[UserError]:
    """One of each, with each of its reasons, about the host's app and about one of the member's own."""
    for is_own_app in (False, True):
        for error in _every_error():
            error.is_own_app = is_own_app
            yield error


def _every_error() -> Iterator[UserError]:
    until = datetime(2026, 12, 1, tzinfo=UTC)
    for kind in vars(errors).values():
        if not (isinstance(kind, type) and issubclass(kind, UserError)) or kind is UserError:
            continue
        if kind is NeedsRelink:
            yield from map(NeedsRelink, NeedsRelink.Reason)
        elif kind is TryLater:
            yield from (TryLater(cause, until) for cause in TryLater.Cause)
        elif kind is LinkDeclined:
            yield from map(LinkDeclined, ("discord", "spotify"))
        elif issubclass(kind, Refused):
            yield kind(400, "some reason")
        elif kind is errors.RedirectMissing:
            yield errors.RedirectMissing("https://gatefold.example.org/callback/spotify")
        elif kind is errors.InternalError:
            yield errors.InternalError("a1b2c3")
        else:
            yield kind()


def in_discord() -> Iterator[str]:
    for error in every_error():
        # these two are said on pages only, and no album becomes an outcome
        if not isinstance(error, errors.WrongBrowser | errors.DiscordUnavailable | errors.NoSuchAlbum):
            yield words.error(error)
            yield words.held(error, 1)
    for outcome in set(Outcome) - QUIET:
        for choices in ((AlbumId("a" * 22), AlbumId("b" * 22)), (AlbumId("a" * 22),)):
            change = LibraryChange(
                RequestId(1), 0, Action.SAVE, Kind.SEARCH, "xyz", outcome=outcome, detail="a", choices=choices
            )
            yield words.single(change, None)
    for verdict in set(UndoVerdict) - {UndoVerdict.ACCEPTED, UndoVerdict.BEING_USED, UndoVerdict.UNDER_WAY}:
        yield words.undo(verdict)


def on_pages() -> Iterator[str]:
    for error in every_error():
        if not isinstance(error, errors.NotLinked | errors.NoSearch | errors.NoSuchAlbum):
            yield pages.of_error(texts(None), error).title
    yield from (pages.bad_request(texts(None), status).title for status in (400, 404))
    yield pages.too_many(texts(None)).title


def known(sentence: str) -> bool:
    return any(text in sentence for text in quoted())


@pytest.mark.parametrize("sentence", sorted({*in_discord(), *on_pages()}))
def test_every_sentence_of_trouble_is_explained(sentence: str) -> None:
    assert known(sentence)


def test_every_explained_sentence_is_one_that_people_can_see() -> None:
    said = [*in_discord(), *on_pages()]
    assert [text for text in quoted() if not any(text in sentence for sentence in said)] == []
