"""Every outcome of a change, and what a member reads of it."""

from __future__ import annotations

import re

from bot.albums import AlbumId
from bot.caller import RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome

# What is listed among others and has no sentence of its own: see Request.distinct.
ASIDE = {Outcome.DUPLICATE, Outcome.IGNORED}
# A refusal is told by its reason, not in a line: see cards.py.
REFUSALS = {Outcome.REFUSED, Outcome.NO_SEAT, Outcome.NO_PREMIUM}
NOT_FOUND = {Outcome.NO_ALBUM, Outcome.NO_MATCH}
MISSES = {*NOT_FOUND, Outcome.NOT_ALBUM, Outcome.UNREADABLE}
# The code's own names for these are words that a member knows, too.
PLAIN = {Outcome.SAVED, Outcome.REMOVED, Outcome.DROPPED, Outcome.CHANGED_SINCE}
TOLD = [None, *(outcome for outcome in Outcome if outcome not in ASIDE)]

BELOW_TITLE = {
    None: "Your album is queued, and I will message you when it is",
    Outcome.SAVED: "Saved to your library.",
    Outcome.ALREADY: "This album was already in your library.",
    Outcome.REMOVED: "Removed from your library.",
    Outcome.ABSENT: "This album was not in your library.",
    Outcome.NO_ALBUM: "Spotify has no album for",
    Outcome.NOT_ALBUM: "That is a playlist. I can",
    Outcome.UNREADABLE: "I can't read",
    Outcome.NO_MATCH: "Try fewer words, or paste a link.",
    Outcome.OFFERED: "Which one do you mean?",
    Outcome.SUPERSEDED: "A later command of yours changed this album",
    Outcome.CHANGED_SINCE: "You have changed this album since then",
    Outcome.REFUSED: "Spotify refused: “Forbidden”",
    Outcome.NO_SEAT: "you are not on its list",
    Outcome.NO_PREMIUM: "only while its host has Premium",
    Outcome.GIVEN_UP: "for more than 7 days, so I gave up",
    Outcome.DROPPED: "Taken out of the queue.",
}
"""A card shows the title above its sentence."""
SINGLE = BELOW_TITLE | {
    None: "is queued and will be",
    Outcome.SAVED: "Saved {} to your library.",
    Outcome.ALREADY: "{} was already in your library.",
    Outcome.REMOVED: "Removed {} from your library.",
    Outcome.ABSENT: "{} was not in your library.",
    Outcome.SUPERSEDED: "A later command of yours changed {}, so this one did nothing.",
    Outcome.CHANGED_SINCE: "You have changed {} since then",
    Outcome.DROPPED: "{} was taken out of the queue.",
}
"""Elsewhere the sentence holds the name, at the place of the braces."""
COUNTED = {
    None: ("1 is queued.", "{} are queued."),
    Outcome.SAVED: ("Saved 1 album.", "Saved {} albums."),
    Outcome.ALREADY: ("1 was already in your library.", "{} were already in your library."),
    Outcome.REMOVED: ("Removed 1 album.", "Removed {} albums."),
    Outcome.ABSENT: ("1 was not in your library.", "{} were not in your library."),
    Outcome.OFFERED: ("1 search matches several albums.", "{} searches match several albums."),
    Outcome.SUPERSEDED: ("1 was changed by a later command.", "{} were changed by a later command."),
    Outcome.CHANGED_SINCE: (
        "1 has changed since then and was left as it is.",
        "{} have changed since then and were left as they are.",
    ),
    Outcome.REFUSED: ("Spotify refused 1.", "Spotify refused {}."),
    Outcome.NO_SEAT: ("Spotify refused 1.", "Spotify refused {}."),
    Outcome.NO_PREMIUM: ("Spotify refused 1.", "Spotify refused {}."),
    Outcome.GIVEN_UP: ("1 was given up after more than 7 days.", "{} were given up after more than 7 days."),
    Outcome.DROPPED: ("1 was taken out of the queue.", "{} were taken out of the queue."),
    Outcome.NOT_ALBUM: ("1 is not an album on Spotify.", "{} are not albums on Spotify."),
    Outcome.UNREADABLE: ("1 could not be read.", "{} could not be read."),
    **dict.fromkeys(NOT_FOUND, ("1 could not be found.", "{} could not be found.")),
}
LINED = {
    None: "queued",
    Outcome.SAVED: "saved",
    Outcome.ALREADY: "already in your library",
    Outcome.REMOVED: "removed",
    Outcome.ABSENT: "not in your library",
    Outcome.NO_ALBUM: "no such album",
    Outcome.NOT_ALBUM: "That is a playlist.",
    Outcome.UNREADABLE: "not readable as an album",
    Outcome.NO_MATCH: "nothing found",
    Outcome.OFFERED: "several albums match",
    Outcome.SUPERSEDED: "changed by a later command",
    Outcome.CHANGED_SINCE: "changed since then, left as it is",
    Outcome.GIVEN_UP: "given up after more than 7 days",
    Outcome.DROPPED: "taken out of the queue",
}


def change(outcome: Outcome | None, action: Action, position: int = 0) -> LibraryChange:
    """A change of which this came, as the road leaves it behind."""
    details = {Outcome.NOT_ALBUM: "playlist", Outcome.REFUSED: "Forbidden"}
    return LibraryChange(
        request_id=RequestId(1),
        position=position,
        action=action,
        kind=Kind.ALBUM,
        reference=f"what was typed {position}",
        album_id=AlbumId(f"{position:022d}"),
        outcome=outcome,
        detail=details.get(outcome) if outcome else None,
        choices=(AlbumId("b" * 22), AlbumId("c" * 22)) if outcome is Outcome.OFFERED else (),
    )


def is_plain(text: str) -> bool:
    """Whether a member can read it: whole, calm, and without names that only the code knows."""
    leaked = [o for o in Outcome if o not in PLAIN and re.search(rf": {o.value}$", text, re.MULTILINE)]
    is_python = re.search(r"\bNone\b(?! of your)", text)
    return bool(text.strip(" .")) and not is_python and "!" not in text and "{" not in text and leaked == []
