"""Checks at Spotify: the app's id and secret, the redirect URI, the owner's Premium, the album endpoint, the seats."""

from __future__ import annotations

from bot.admin.doctor.check_result import CheckResult, Verdict, failed, ok, skipped, warning
from bot.admin.wrapping import counted
from bot.albums import AlbumId
from bot.errors import (
    AppRejected,
    GrantRefused,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    TryLater,
    UserError,
)
from bot.settings import Settings
from bot.spotify.app import Access, App
from bot.spotify.client import Spotify
from bot.spotify.oauth import Tokens
from bot.storage.snapshot import Snapshot

MEMBERS_TRIED = 3
ALBUM = AlbumId("4aawyAB9vmqN3uQ7FjRGTy")
"""Any album: what matters is that Spotify answers."""
_SECRET, _REDIRECT, _PREMIUM = "spotify-secret", "spotify-redirect", "spotify-premium"
_ENDPOINT, _SEATS = "spotify-endpoint", "spotify-seats"
_DASHBOARD = "in Spotify's developer dashboard"
_NOBODY = "Skipped: no member's access token is fresh, and only the bot may refresh one."
_USE_IT = "While the bot runs, let a linked member use /save, and run the doctor again within an hour."

Outcome = UserError | None
"""How a call ended; None: it worked."""


class _Given:
    """A token that is used as it is, and never refreshed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def current(self) -> str:
        return self._token

    async def renewed(self, rejected: str) -> str:
        raise NeedsRelink(NeedsRelink.Reason.REVOKED)


async def check_spotify(spotify: Spotify, app: App, settings: Settings, look: Snapshot | None) -> list[CheckResult]:
    """Every check. `look`: what is in the database, None if there is none or it cannot be read."""
    if not settings.spotify_client_id:
        reason = "Skipped: SPOTIFY_CLIENT_ID is empty, so every member uses an app of their own."
        return [skipped(name, reason) for name in (_SECRET, _REDIRECT, _PREMIUM, _ENDPOINT, _SEATS)]
    secret, app_token = await _secret(spotify, app)
    redirect = await _redirect(spotify, settings)
    of_app = await _try_album(spotify, app, app_token) if app_token is not None else None
    tried = [] if isinstance(of_app, PremiumLapsed) else await _try_members(spotify, app, look)
    outcomes: list[Outcome] = [*tried] if app_token is None else [of_app, *tried]
    premium, endpoint = _premium(outcomes), _endpoint(app, settings, look, tried, outcomes)
    if secret.verdict is not Verdict.OK:
        premium, endpoint = _behind(secret, premium), _behind(secret, endpoint)
    return [secret, redirect, premium, endpoint, _seats(look, settings.spotify_seats)]


def _behind(secret: CheckResult, result: CheckResult) -> CheckResult:
    """A check that could not be made because the secret was refused or not checked."""
    if result.verdict is Verdict.SKIPPED:
        return skipped(result.name, f"Skipped: see {secret.name}.")
    return result


async def _secret(spotify: Spotify, app: App) -> tuple[CheckResult, str | None]:
    """Whether Spotify accepts the app's id and secret; if there is a secret, with an access token of the app."""
    names = "SPOTIFY_CLIENT_ID with SPOTIFY_CLIENT_SECRET" if app.client_secret else "SPOTIFY_CLIENT_ID"
    try:
        if app.client_secret:
            return ok(_SECRET, f"Spotify accepts {names}."), (await spotify.app_token(app)).token
        # A public client has no secret: a refresh token that cannot be valid shows whether Spotify knows its id.
        answer = await spotify.refresh(app, "gatefold-doctor")
        if not isinstance(answer.outcome, Tokens):
            raise answer.outcome
    except GrantRefused:
        return ok(_SECRET, f"Spotify accepts {names}."), None
    except AppRejected:
        to_do = f"Copy the client id and the client secret again from your app's settings {_DASHBOARD}."
        return failed(_SECRET, f"Spotify does not accept {names}.", to_do), None
    except UserError as error:
        return failed(_SECRET, f"{names} could not be checked: {_said(error)}.", _later(error)), None
    return warning(_SECRET, "Spotify accepted a token that cannot be valid.", "Check SPOTIFY_ACCOUNTS_URL."), None


async def _redirect(spotify: Spotify, settings: Settings) -> CheckResult:
    uri = settings.redirect_to_spotify
    try:
        refused = await spotify.consent_refused(settings.spotify_client_id, uri)
    except UserError as error:
        return skipped(_REDIRECT, f"Skipped: Spotify's consent page could not be read: {_said(error)}.")
    if refused is None:
        return ok(_REDIRECT, f"Spotify accepts {uri}, as far as it says so before a login.")
    if "redirect" in refused.casefold():
        return failed(
            _REDIRECT,
            f"{uri} is not registered at Spotify, so nobody can link.",
            f"Add exactly this address to the Redirect URIs in your app's settings {_DASHBOARD}.",
        )
    return failed(
        _REDIRECT,
        "Spotify does not know SPOTIFY_CLIENT_ID.",
        f"Copy the client id again from your app's settings {_DASHBOARD}.",
    )


async def _try_album(spotify: Spotify, app: App, token: str) -> Outcome:
    try:
        await spotify.album(Access(app, _Given(token)), ALBUM)
    except NoSuchAlbum:
        return None
    except UserError as error:
        return error
    return None


async def _try_members(spotify: Spotify, app: App, look: Snapshot | None) -> list[Outcome]:
    """One harmless call for a member; one for the next member if the answer concerns that member only."""
    outcomes: list[Outcome] = []
    for token in look.access[:MEMBERS_TRIED] if look else ():
        try:
            await spotify.contains(Access(app, _Given(token)), [ALBUM])
        except UserError as error:
            outcomes.append(error)
            if isinstance(error, NotAllowlisted | NeedsRelink):
                continue
        else:
            outcomes.append(None)
        break
    return outcomes


def _premium(outcomes: list[Outcome]) -> CheckResult:
    if any(isinstance(outcome, PremiumLapsed) for outcome in outcomes):
        return failed(
            _PREMIUM,
            "The app's owner no longer has Premium, so Spotify serves nobody.",
            "Renew Spotify Premium for the account that owns the app.",
        )
    if None in outcomes:
        return ok(_PREMIUM, "Spotify serves the app, so its owner has Premium.")
    return _unknown(_PREMIUM, outcomes)


def _endpoint(
    app: App, settings: Settings, look: Snapshot | None, tried: list[Outcome], outcomes: list[Outcome]
) -> CheckResult:
    choice = settings.spotify_album_endpoint
    if None in tried:
        return ok(_ENDPOINT, f"The {app.endpoint.current.value} endpoint serves this app.")
    if any(isinstance(outcome, Refused) and outcome.status == 403 for outcome in tried):
        if choice == "auto":
            return failed(
                _ENDPOINT,
                "Spotify serves neither album endpoint to this app.",
                f"Check your app {_DASHBOARD}: Web API must be ticked, and the app must not be blocked.",
            )
        return failed(
            _ENDPOINT,
            f"Spotify does not serve the {choice} endpoint to this app.",
            "Set SPOTIFY_ALBUM_ENDPOINT=auto, or remove the setting.",
        )
    if choice == "auto" and look is not None and look.app.album_endpoint:
        return ok(_ENDPOINT, f"The {look.app.album_endpoint} endpoint served this app when it was last used.")
    return _unknown(_ENDPOINT, tried or [outcome for outcome in outcomes if outcome is not None])


def _unknown(name: str, outcomes: list[Outcome]) -> CheckResult:
    """Nothing worked, and no answer says why."""
    for outcome in outcomes:
        if isinstance(outcome, TryLater):
            return warning(name, f"This could not be checked: {_said(outcome)}.", _later(outcome))
        if isinstance(outcome, NotAllowlisted):
            return warning(
                name,
                "This could not be checked: a linked member is no longer in the app's User Management.",
                f"Check User Management of your app {_DASHBOARD}.",
            )
    return skipped(name, _NOBODY, _USE_IT)


def _seats(look: Snapshot | None, seats: int) -> CheckResult:
    if look is None:
        return skipped(_SEATS, "Skipped: there is no database, or it cannot be read.")
    people = f"{look.linked} {'member is' if look.linked == 1 else 'members are'} linked"
    if look.linked_elsewhere:
        return warning(
            _SEATS,
            f"{people}, and {look.linked_elsewhere} more through another Spotify app than SPOTIFY_CLIENT_ID.",
            "Those members are asked to link again when they next use the bot.",
        )
    if not seats:
        return ok(_SEATS, f"{people}; SPOTIFY_SEATS=0 means no limit.")
    if look.linked < seats:
        return ok(_SEATS, f"{people}, and the app has {counted(seats, 'seat')}.")
    return warning(
        _SEATS,
        f"{people}, so every seat of the app is taken ({seats}).",
        "To make room, let a member use /unlink and remove them from User Management "
        f"{_DASHBOARD}. If the app has extended quota, set SPOTIFY_SEATS.",
    )


def _said(error: UserError) -> str:
    match error:
        case TryLater(cause=TryLater.Cause.QUOTA) as quota:
            until = f" until {quota.until:%Y-%m-%d %H:%M} UTC" if quota.until else ""
            return f"the app has reached its daily limit{until}"
        case TryLater(cause=TryLater.Cause.RATE_LIMITED):
            return "Spotify asks the app to wait"
        case TryLater():
            return "Spotify cannot be reached, or did not respond as it should"
        case _:
            return "Spotify refused the call"


def _later(error: UserError) -> str:
    if isinstance(error, TryLater) and error.cause is not TryLater.Cause.UNAVAILABLE:
        return "Wait. The bot continues by itself."
    return "Check this machine's internet connection, and try again in a few minutes."
