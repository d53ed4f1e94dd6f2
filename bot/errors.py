"""What can go wrong, named for what happens next.

Errors carry facts, never sentences: `chat/words.py` and the page templates say them to people.
Whatever is raised and is no `UserError` is our own fault and reaches people as a number in the log.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class UserError(Exception):
    """Something that a member is told, with a way on. `is_own_app`: it is about a Spotify app of the member's own."""

    is_own_app = False


class ImportOver(UserError):
    """The question about an import was answered before, or is too old."""


class ImportRunning(UserError):
    """The member has an import that is not done yet: one at a time."""


# -- about the link between a member and their Spotify account


class NotLinked(UserError):
    """The member has no Spotify account linked: offer the link, keep the change."""


class NeedsRelink(UserError):
    """The link stopped working: offer to link again, keep the change."""

    class Reason(StrEnum):
        """Why the link stopped working."""

        REVOKED = "revoked"  # the member or Spotify took the consent back, or six months are over
        SCOPE = "scope"  # a permission is missing
        UNREADABLE = "unreadable"  # the stored token does not open (another key, a damaged row)
        SEAT_FREED = "seat freed"  # the host freed the member's seat
        OTHER_APP = "other_app"  # the host changed the Spotify app

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class LinkExpired(UserError):
    """The link, or the way back from a consent page, is unknown, used or too old."""


class WrongBrowser(UserError):
    """The way back arrived in a browser that did not open the link."""


class WrongDiscordAccount(UserError):
    """Somebody opened a link that belongs to another Discord account."""


class LinkDeclined(UserError):
    """The person said no on a consent page."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider


class NotAClientId(UserError):
    """What was entered as a client id is none: 32 hexadecimal characters."""


class UnknownApp(UserError):
    """Spotify knows no app with this client id; it may be the app's secret, which looks the same."""


class RedirectMissing(UserError):
    """The app does not list our redirect URI; `redirect_uri` is what its owner must add."""

    def __init__(self, redirect_uri: str) -> None:
        super().__init__(redirect_uri)
        self.redirect_uri = redirect_uri


class AppTaken(UserError):
    """Another member uses this Spotify app as their own."""


class NoHostApp(UserError):
    """The host has no Spotify app: every member brings their own."""


class NoSearch(UserError):
    """Only links to albums can be looked up for a member who is not linked, because the host's app cannot be asked."""


class NotAnAddress(UserError):
    """What was entered as a name and an e-mail address cannot be one."""


class NoSeatFree(UserError):
    """All seats in the host's app are taken."""


class WrongIssuer(UserError):
    """A way back names another issuer than the provider that the browser was sent to (RFC 9207)."""


class AccountTaken(UserError):
    """That Spotify account is linked to another Discord account."""


class DiscordUnavailable(UserError):
    """Discord did not say who is in front of the browser."""


# -- about Spotify


class NotAllowlisted(UserError):
    """The host must add this member to the app's list in Spotify's dashboard."""


class PremiumLapsed(UserError):
    """The host's Spotify Premium lapsed: Spotify serves nobody until it is renewed."""


class AppRejected(UserError):
    """Spotify refuses the app itself (its id or secret): only the host can fix it."""


class TryLater(UserError):
    """Not now: the change is kept and tried again."""

    class Cause(StrEnum):
        """Why the call cannot be made now."""

        UNAVAILABLE = "unavailable"  # 5xx, a time-out, no network, an answer that makes no sense
        RATE_LIMITED = "rate_limited"  # 429 of the rolling window
        QUOTA = "quota"  # 429 of the app's day

    def __init__(self, cause: Cause, until: datetime | None = None, *, may_have_applied: bool = False) -> None:
        """`until`: when it goes on, if known. `maybe_done`: the call may have been carried out all the same."""
        super().__init__(cause.value)
        self.cause = cause
        self.until = until
        self.may_have_applied = may_have_applied


class NoSuchAlbum(UserError):
    """Spotify knows no album (or track) by this id."""


class Refused(UserError):
    """Spotify refused for a reason of its own; `message` is Spotify's text, still to be escaped."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message[:200]}")
        self.status = status
        self.message = message


class BadRequest(Refused):
    """Spotify could not read the request (400, 414): trying again won't help."""


# -- about ourselves


class InternalError(UserError):
    """Something broke on our side; `reference` is the number under which the log tells of it."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class Restarting(UserError):
    """The process is stopping: nothing new is taken, ask again in a minute."""


class StorageUnavailable(UserError):
    """The database could not be written or read (disk full, read-only): nothing was accepted."""


# -- for the client and the rooms just above it; people never see these


class TokenRejected(Exception):
    """401: the call did not happen. Refresh once, repeat once."""


class GrantRefused(Exception):
    """`invalid_grant`: the code or the refresh token is dead. Don't retry."""


class EndpointClosed(Exception):
    """The bare 403 `Forbidden`: this generation of the album endpoint is not for this app."""
