"""Every outcome of a change, and what a member reads of it."""

from __future__ import annotations

import re

from bot.albums import AlbumId
from bot.caller import RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome

# What stands beside others and is not told by itself: see Request.distinct.
ASIDE = {Outcome.DUPLICATE, Outcome.IGNORED}
# A refusal is told by its reason, not in a line: see cards.py.
REFUSALS = {Outcome.REFUSED, Outcome.NO_SEAT, Outcome.NO_PREMIUM}
NOT_FOUND = {Outcome.NO_ALBUM, Outcome.NOT_ALBUM, Outcome.UNREADABLE, Outcome.NO_MATCH}
# The code's own names for these are words that a member knows, too.
PLAIN = {Outcome.SAVED, Outcome.REMOVED, Outcome.DROPPED, Outcome.CHANGED_SINCE}
TOLD = [None, *(outcome for outcome in Outcome if outcome not in ASIDE)]

SINGLE = {
    None: "is kept and will be",
    Outcome.SAVED: "Saved",
    Outcome.ALREADY: "was in your library already",
    Outcome.REMOVED: "Removed",
    Outcome.ABSENT: "was not in your library",
    Outcome.NO_ALBUM: "Spotify knows no album behind",
    Outcome.NOT_ALBUM: "That is a playlist",
    Outcome.UNREADABLE: "I can't read",
    Outcome.NO_MATCH: "Spotify found no album for",
    Outcome.OFFERED: "Which one do you mean?",
    Outcome.SUPERSEDED: "A later command of yours decided",
    Outcome.CHANGED_SINCE: "I left it as it is",
    Outcome.REFUSED: "Spotify refused: “Forbidden”",
    Outcome.NO_SEAT: "you are not on its list",
    Outcome.NO_PREMIUM: "only while its host has Premium",
    Outcome.GIVEN_UP: "so I gave up",
    Outcome.DROPPED: "Dropped",
}
COUNTED = {
    None: "kept for later",
    Outcome.SAVED: "saved",
    Outcome.ALREADY: "there already",
    Outcome.REMOVED: "removed",
    Outcome.ABSENT: "not there",
    Outcome.OFFERED: "to choose",
    Outcome.SUPERSEDED: "decided by a later command",
    Outcome.CHANGED_SINCE: "left as changed since",
    Outcome.REFUSED: "refused by Spotify",
    Outcome.NO_SEAT: "refused by Spotify",
    Outcome.NO_PREMIUM: "refused by Spotify",
    Outcome.GIVEN_UP: "given up",
    Outcome.DROPPED: "dropped",
}
LINED = {
    None: "waits",
    Outcome.SAVED: "saved",
    Outcome.ALREADY: "was there already",
    Outcome.REMOVED: "removed",
    Outcome.ABSENT: "was not there",
    Outcome.NO_ALBUM: "no such album",
    Outcome.NOT_ALBUM: "is a playlist",
    Outcome.UNREADABLE: "could not be read as an album",
    Outcome.NO_MATCH: "nothing found",
    Outcome.OFFERED: "several fit",
    Outcome.SUPERSEDED: "decided by a later command",
    Outcome.CHANGED_SINCE: "changed since, left as it is",
    Outcome.GIVEN_UP: "given up after 7 days",
    Outcome.DROPPED: "dropped",
}


def change(outcome: Outcome | None, action: Action, position: int = 0) -> LibraryChange:
    """A change of which this came, as the road leaves it behind."""
    details = {Outcome.NOT_ALBUM: "playlist", Outcome.OFFERED: f"{'b' * 22},{'c' * 22}", Outcome.REFUSED: "Forbidden"}
    return LibraryChange(
        request_id=RequestId(1),
        position=position,
        action=action,
        kind=Kind.ALBUM,
        reference=f"what was typed {position}",
        album_id=AlbumId(f"{position:022d}"),
        outcome=outcome,
        detail=details.get(outcome) if outcome else None,
    )


def is_plain(text: str) -> bool:
    """Whether a member can read it: whole, calm, and without names that only the code knows."""
    leaked = [o for o in Outcome if o not in PLAIN and re.search(rf": {o.value}$", text, re.MULTILINE)]
    return bool(text.strip(" .")) and "None" not in text and "!" not in text and "{" not in text and leaked == []
