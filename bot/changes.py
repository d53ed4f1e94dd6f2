"""Changes: what a member asked for, album by album, and what came of it. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import MemberId, RequestId


class Action(StrEnum):
    """What happens to an album in a library."""

    SAVE = "save"
    REMOVE = "remove"

    @property
    def opposite(self) -> Action:
        """What undoes it."""
        return Action.REMOVE if self is Action.SAVE else Action.SAVE


class Outcome(StrEnum):
    """What came of one change."""

    SAVED = "saved"
    ALREADY = "already"  # was in the library before
    REMOVED = "removed"
    ABSENT = "absent"  # was not in the library
    NO_ALBUM = "no album"  # Spotify knows no such album
    NOT_ALBUM = "not an album"  # detail: what it was instead
    UNREADABLE = "unreadable"  # looked like a link, is none we know
    IGNORED = "ignored"  # words beside a link
    NO_MATCH = "no match"  # a search found nothing
    OFFERED = "offered"  # a search found several, the choices: they are offered as buttons
    DUPLICATE = "duplicate"  # another change of the same command names the same album
    SUPERSEDED = "superseded"  # a later change for the same album decided
    CHANGED_SINCE = "changed since"  # an Undo found that a later command changed the album
    REFUSED = "refused"  # detail: Spotify's own message
    NO_SEAT = "no seat"  # the member is not on the app's allowlist; detail: OWN_APP, if it is the member's own app
    NO_PREMIUM = "no premium"  # the Premium of the app's owner lapsed; detail: the same
    GIVEN_UP = "given up"  # it waited for 7 days, or for 30 if its member was to link
    DROPPED = "dropped"  # the member dropped it

    @property
    def is_change(self) -> bool:
        """Whether the library changed: what Undo takes back."""
        return self in (Outcome.SAVED, Outcome.REMOVED)


OWN_APP = "own app"


class Kind(StrEnum):
    """How a change names its album."""

    ALBUM = "album"
    ID_OR_WORD = "id or word"  # 22 letters: an album's id, or a word to search where no album has it
    TRACK = "track"
    SHORT = "short"
    SEARCH = "search"
    OTHER = "other"  # nothing that could be an album; the outcome says what


class LibraryChange(Struct, frozen=True):
    """One album that was asked for. `outcome` None: pending.

    `detail`: more about the outcome. Of a pending SEARCH, the longer readings that its words may be a part of, one per
    line (`SearchText.within`); of an ID_OR_WORD, the words to search for.
    `was_saved`: what the library said before the write; kept while a write may have been carried out.
    `choices`: the albums that are offered.
    """

    request_id: RequestId
    position: int
    action: Action
    kind: Kind
    reference: str
    album_id: AlbumId | None = None
    was_saved: bool | None = None
    outcome: Outcome | None = None
    detail: str | None = None
    choices: tuple[AlbumId, ...] = ()

    @property
    def key(self) -> tuple[RequestId, int]:
        """What tells it apart."""
        return self.request_id, self.position

    @property
    def is_unsure(self) -> bool:
        """Whether it ended otherwise when a write of it had been tried, of which nobody knows what came."""
        ended_otherwise = self.outcome in (Outcome.DROPPED, Outcome.GIVEN_UP, Outcome.REFUSED)
        return ended_otherwise and self.was_saved is not None

    @property
    def typed(self) -> str:
        """What the member typed, as far as it was searched for or could not be read."""
        return self.detail or self.reference if self.kind is Kind.ID_OR_WORD else self.reference


class ChangeRequest(Struct, frozen=True):
    """One command or button, with its changes.

    `locale`: the member's when they asked; what is sent later is in that language. `in_server`: it was made there.
    `undone`: there is no Undo for it any more; `undone_by`: the request that took it back, if that is why.
    """

    id: RequestId
    member: MemberId
    action: Action
    undoes: RequestId | None
    undone: bool
    created_at: datetime
    ended: bool
    changes: tuple[LibraryChange, ...]
    locale: str | None = None
    in_server: bool = False
    undone_by: RequestId | None = None

    @property
    def distinct(self) -> list[LibraryChange]:
        """What there is to tell one by one: a double goes with its first, and words beside links are no album."""
        return [change for change in self.changes if change.outcome not in (Outcome.DUPLICATE, Outcome.IGNORED)]
