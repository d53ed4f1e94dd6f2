"""Checks at Spotify: the app's id and secret, the redirect URI, the owner's Premium, the album endpoint, the places."""

from __future__ import annotations

from bot.admin.doctor.check_result import CheckResult, Verdict, failed, ok, skipped, warning
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

PLACES = 5
"""How many people an app in development mode serves."""
MEMBERS_TRIED = 3
ALBUM = AlbumId("4aawyAB9vmqN3uQ7FjRGTy")
"""Any album; that Spotify answers is all that matters."""
_SECRET, _REDIRECT, _PREMIUM = "spotify-secret", "spotify-redirect", "spotify-premium"
_ENDPOINT, _PLACES = "spotify-endpoint", "spotify-places"
_DASHBOARD = "in Spotify's developer dashboard"
_NOBODY = "There was no token to try it with: nobody's access is fresh, and renewing it is the bot's alone."
_USE_IT = "With the bot running, let a linked member use /save, and ask again within the hour."

Outcome = UserError | None
"""What a call told; None: it worked."""


class _Given:
    """A token that is tried as it is, and never renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def current(self) -> str:
        return self._token

    async def renewed(self, rejected: str) -> str:
        raise NeedsRelink(NeedsRelink.Reason.REVOKED)


async def check_spotify(spotify: Spotify, app: App, settings: Settings, look: Snapshot | None) -> list[CheckResult]:
    """All of it. `look`: what the database holds, None when there is none or it cannot be read."""
    secret, app_token = await _secret(spotify, app)
    redirect = await _redirect(spotify, settings)
    of_app = await _try_album(spotify, app, app_token) if app_token is not None else None
    tried = [] if isinstance(of_app, PremiumLapsed) else await _try_members(spotify, app, look)
    outcomes: list[Outcome] = [*tried] if app_token is None else [of_app, *tried]
    premium, endpoint = _premium(outcomes), _endpoint(app, settings, look, tried, outcomes)
    if secret.verdict is not Verdict.OK:
        premium, endpoint = _behind(secret, premium), _behind(secret, endpoint)
    return [secret, redirect, premium, endpoint, _places(look)]


def _behind(secret: CheckResult, result: CheckResult) -> CheckResult:
    """A check that could not be made, because Spotify took or said nothing before."""
    if result.verdict is Verdict.SKIPPED:
        return skipped(result.name, f"It could not be tried: see {secret.name}.")
    return result


async def _secret(spotify: Spotify, app: App) -> tuple[CheckResult, str | None]:
    """Tried for real; the app's own token comes along where there is a secret."""
    names = "SPOTIFY_CLIENT_ID with SPOTIFY_CLIENT_SECRET" if app.client_secret else "SPOTIFY_CLIENT_ID"
    try:
        if app.client_secret:
            return ok(_SECRET, f"Spotify takes {names}."), (await spotify.app_token(app)).token
        # A public client proves itself with nothing: a token that cannot be right tells whether its id is known.
        answer = await spotify.refresh(app, "gatefold-doctor")
        if not isinstance(answer.outcome, Tokens):
            raise answer.outcome
    except GrantRefused:
        return ok(_SECRET, f"Spotify takes {names}."), None
    except AppRejected:
        to_do = f"Copy the client id and the client secret anew from your app's settings {_DASHBOARD}."
        return failed(_SECRET, f"Spotify refuses {names}.", to_do), None
    except UserError as error:
        return failed(_SECRET, f"{names} could not be tried: {_said(error)}.", _later(error)), None
    return warning(_SECRET, "Spotify took a token that cannot be right.", "Look at SPOTIFY_ACCOUNTS_URL."), None


async def _redirect(spotify: Spotify, settings: Settings) -> CheckResult:
    uri = settings.redirect_to_spotify
    try:
        refused = await spotify.consent_refused(settings.spotify_client_id, uri)
    except UserError as error:
        return skipped(_REDIRECT, f"Spotify's consent page could not be seen: {_said(error)}.")
    if refused is None:
        return ok(_REDIRECT, f"Spotify has nothing against {uri}, as far as it says so before a login.")
    if "redirect" in refused.casefold():
        return failed(
            _REDIRECT,
            f"{uri} is not registered at Spotify, so nobody can link.",
            f"Add exactly this to the Redirect URIs in your app's settings {_DASHBOARD}.",
        )
    return failed(
        _REDIRECT,
        "Spotify's consent page does not know SPOTIFY_CLIENT_ID.",
        f"Copy the client id anew from your app's settings {_DASHBOARD}.",
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
    """One harmless question for a member; for the next one where the answer is about that member alone."""
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
            "The Premium of the app's owner has ended: Spotify serves nobody.",
            "Renew Spotify Premium for the account that owns the app. Who asked meanwhile has to ask again.",
        )
    if None in outcomes:
        return ok(_PREMIUM, "Spotify serves the app, so its owner's Premium is in order.")
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
                f"Look at your app {_DASHBOARD}: its Web API must be ticked, and the app must not be blocked.",
            )
        return failed(
            _ENDPOINT,
            f"Spotify does not serve the {choice} endpoint to this app.",
            "Set SPOTIFY_ALBUM_ENDPOINT=auto, or take the setting away.",
        )
    if choice == "auto" and look is not None and look.app.album_endpoint:
        return ok(_ENDPOINT, f"The {look.app.album_endpoint} endpoint served this app when it was last tried.")
    return _unknown(_ENDPOINT, tried or [outcome for outcome in outcomes if outcome is not None])


def _unknown(name: str, outcomes: list[Outcome]) -> CheckResult:
    """Nothing worked, and nothing says why it would not."""
    for outcome in outcomes:
        if isinstance(outcome, TryLater):
            return warning(name, f"It could not be tried: {_said(outcome)}.", _later(outcome))
        if isinstance(outcome, NotAllowlisted):
            return warning(
                name,
                "It could not be tried: a linked member is not on the app's list any more.",
                f"Look at User Management of your app {_DASHBOARD}.",
            )
    return skipped(name, _NOBODY, _USE_IT)


def _places(look: Snapshot | None) -> CheckResult:
    if look is None:
        return skipped(_PLACES, "There is no database to count in, or it cannot be read.")
    people = f"{look.linked} {'member is' if look.linked == 1 else 'members are'} linked"
    if look.linked_elsewhere:
        return warning(
            _PLACES,
            f"{people}, and {look.linked_elsewhere} more through another Spotify app than SPOTIFY_CLIENT_ID.",
            "Those are asked to link again when they next use the bot.",
        )
    if look.linked < PLACES:
        return ok(_PLACES, f"{people}; an app in development mode has {PLACES} places.")
    if look.linked == PLACES:
        return warning(
            _PLACES,
            f"{people}: all {PLACES} places of an app in development mode are taken.",
            "A sixth person can only be served in place of another one, who uses /unlink "
            f"and is taken off User Management {_DASHBOARD}.",
        )
    return ok(_PLACES, f"{people}, which is more than an app in development mode serves.")


def _said(error: UserError) -> str:
    match error:
        case TryLater(cause=TryLater.Cause.QUOTA) as quota:
            until = f" until {quota.until:%Y-%m-%d %H:%M} UTC" if quota.until else ""
            return f"the app's calls for the day are used up{until}"
        case TryLater(cause=TryLater.Cause.RATE_LIMITED):
            return "Spotify asks the app to wait"
        case TryLater():
            return "Spotify did not answer as it should, or cannot be reached"
        case _:
            return "Spotify refused it for a reason of its own"


def _later(error: UserError) -> str:
    if isinstance(error, TryLater) and error.cause is not TryLater.Cause.UNAVAILABLE:
        return "Wait; the bot goes on by itself."
    return "Look whether this machine reaches the internet, and try again in a few minutes."
