"""What the pages say: each begins with what is the case, then what to do."""

from __future__ import annotations

from msgspec import Struct

from bot.accounts.linking import Linked
from bot.errors import (
    AccountTaken,
    AppRejected,
    AppTaken,
    DiscordUnavailable,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NoHostApp,
    NoSeatFree,
    NotAClientId,
    NotAllowlisted,
    PremiumLapsed,
    RedirectMissing,
    Refused,
    Restarting,
    StorageUnavailable,
    TryLater,
    UnknownApp,
    UserError,
    WrongBrowser,
    WrongDiscordAccount,
    WrongIssuer,
)
from bot.text import Text


class Page(Struct, frozen=True):
    """One page. `title` is its first line and the tab's title; `accounts` are label and name pairs.

    `is_done`: nothing is left to do here, so it leads back to Discord.
    """

    status: int
    title: str
    text: str
    then: str = ""
    accounts: tuple[tuple[str, str], ...] = ()
    is_done: bool = False


def linked(t: Text, linked: Linked) -> Page:
    """The flow is done."""
    accounts = ((t("On Discord"), linked.discord_name), (t("On Spotify"), linked.link.account_name))
    then = t("You can close this page. In Discord, {save} saves an album to your library.", save=command(t, "save"))
    said: list[str] = []
    title = t("Linked. You can go back to Discord.")
    if linked.before is not None and linked.before.account_id == linked.link.account_id:
        title = t("Renewed. You can go back to Discord.")
        said.append(t("Spotify's permission is valid for another six months."))
    elif linked.before is not None:
        said.append(t("This account replaces {name}.", name=linked.before.account_name))
    if linked.waiting:
        said.append(
            t.plural(
                "{count} album was queued. I am working on it, and will tell you in Discord how it went.",
                "{count} albums were queued. I am working on them, and will tell you in Discord how it went.",
                linked.waiting,
            )
        )
    return Page(200, title, t.sentences(said), then, accounts, is_done=True)


def of_error(t: Text, error: UserError, seats: int = 5) -> Page:
    """The page for a refusal (4xx) or for trouble (5xx). `seats`: of the host's app; 0: any number."""
    link = command(t, "link")
    nothing = t("Nothing was linked.")
    match error:
        case LinkExpired():
            return Page(
                400,
                t("This link has expired or was already used."),
                t(
                    "A link works once, for 10 minutes. If the private message in Discord says that you are linked, "
                    "everything is fine."
                ),
                _again(t),
            )
        case WrongBrowser():
            return Page(
                403,
                t("You started in another browser."),
                t("Open the link and finish in the same browser, with cookies allowed. Nothing was linked."),
                _again(t),
            )
        case WrongDiscordAccount():
            return Page(
                403,
                t("This link belongs to another Discord account."),
                t(
                    "Somebody else asked for this link, or this browser is logged in to Discord with another account. "
                    "Nothing was linked."
                ),
                t("Use {link} in Discord to get your own link, or switch accounts and open this one again.", link=link),
            )
        case LinkDeclined(provider="discord"):
            return Page(
                403,
                t("You declined at Discord."),
                t("Nothing was linked, and nothing is stored about it."),
                t("If you change your mind, use {link} in Discord.", link=link),
            )
        case LinkDeclined():
            return Page(
                403,
                t("You declined at Spotify."),
                t("Nothing was linked, and nothing is stored about it."),
                t("If you change your mind, use {link} in Discord.", link=link),
            )
        case NoHostApp() | NoSeatFree():
            return Page(
                403,
                t("Your account needs a Spotify app of your own."),
                t("This bot's Spotify app has no seat for you. Nothing was linked."),
                t("Use {link} in Discord to use your own Spotify app, or to ask the host for a seat.", link=link),
            )
        case AppTaken():
            return Page(
                409,
                t("Another member already uses this Spotify app."),
                t("Each member needs a Spotify app of their own. Nothing was linked."),
                t("Create another app in Spotify's dashboard, then use {link} again.", link=link),
            )
        case UnknownApp() | RedirectMissing() | NotAClientId():
            return Page(
                400,
                t("Your Spotify app is not set up yet."),
                t("Its client ID or its redirect URI is not right. Nothing was linked."),
                t("Check both in Spotify's dashboard, then use {link} again.", link=link),
            )
        case AccountTaken():
            return Page(
                409,
                t("This Spotify account is linked to another Discord account."),
                t("Each Spotify account can be linked to one Discord account here. Nothing was changed."),
                t(
                    "Use {unlink} with the other Discord account first, or link another Spotify account.",
                    unlink=command(t, "unlink"),
                ),
            )
        case NotAllowlisted() if error.is_own_app:
            return Page(
                403,
                t("Your Spotify app does not list your account."),
                t("Spotify serves only the accounts that an app lists. Nothing was linked."),
                t("Add your account in the app's settings, under User Management, then use {link} again.", link=link),
            )
        case PremiumLapsed() if error.is_own_app:
            return Page(
                403,
                t("Your Spotify app needs Premium."),
                t("Spotify serves your app only while you have Premium. Nothing was linked."),
                t("Renew Premium, then use {link} again.", link=link),
            )
        case AppRejected() if error.is_own_app:
            return Page(
                502,
                t("Spotify rejects your Spotify app."),
                t("It may have been deleted, or its settings may have changed. Nothing was linked."),
                t("Check it in Spotify's dashboard, then use {link} again.", link=link),
            )
        case NotAllowlisted():
            return Page(
                403,
                t("Spotify does not let this bot serve you yet."),
                t.plural(
                    "Spotify allows {count} person for this bot's app, and you are not on its list. Nothing was linked.",
                    "Spotify allows {count} people for this bot's app, and you are not on its list. Nothing was linked.",
                    seats,
                )
                if seats
                else t("This bot's Spotify app does not let you in. Nothing was linked."),
                t("Ask the host to add you, or set up your own Spotify app, then use {link} again.", link=link),
            )
        case PremiumLapsed():
            return Page(
                503,
                t("Spotify does not serve this bot at the moment."),
                t("Spotify serves it only while its host has Premium, and that has ended. Nothing was linked."),
                t("Tell the host, then use {link} again.", link=link),
            )
        case AppRejected():
            return Page(
                502,
                t("Spotify rejects this bot's app."),
                t("Only the host can fix that. Nothing was linked."),
                t("Tell the host, then use {link} again.", link=link),
            )
        case NeedsRelink():
            return Page(
                403,
                t("Spotify did not grant all the permissions."),
                t("This bot needs both: to see your library, and to change it. Nothing was linked."),
                t("Use {link} in Discord again and accept both.", link=link),
            )
        case DiscordUnavailable() | WrongIssuer():
            return Page(
                400 if isinstance(error, WrongIssuer) else 502,
                t("Discord did not confirm who you are."),
                t("Discord may be busy, or this bot's settings at Discord may be wrong. Nothing was linked."),
                t("Open the link from the private message again in a minute."),
            )
        case TryLater(cause=TryLater.Cause.UNAVAILABLE):
            return Page(502, t("Spotify is not responding."), nothing, _again_later(t))
        case TryLater():
            return Page(503, t("Spotify asked this bot to slow down."), nothing, _again_later(t))
        case Refused():
            return Page(502, t("Spotify refused."), nothing, _again_later(t))
        case StorageUnavailable():
            return Page(
                503,
                t("Nothing can be stored at the moment."),
                t("Nothing was linked. The host has to check the database."),
                _again_later(t),
            )
        case Restarting():
            return Page(
                503,
                t("This bot is restarting."),
                nothing,
                t("Wait a minute, then use {link} in Discord to get a new link.", link=link),
            )
        case InternalError():
            return broken(t, error.reference)
    return Page(400, t("That did not work."), nothing, _again(t))


def broken(t: Text, reference: str) -> Page:
    """Our own fault."""
    return Page(
        500,
        t("Something broke on our side."),
        t("If you were linking your account, go back to Discord and use {link} again.", link=command(t, "link")),
        t("The host can look this number up: {reference}", reference=reference),
    )


def bad_request(t: Text, status: int) -> Page:
    """Anything that is no page, or no request of ours."""
    if status == 404:
        return Page(404, t("Page not found."), t("There is no page at this address."), t("Go back to Discord."))
    return Page(status, t("This request is not valid."), t("Nothing was changed."), _again(t))


def too_many(t: Text) -> Page:
    """One address asks for more than people do."""
    return Page(
        429,
        t("Too many requests from your network."),
        t("Nothing was changed."),
        t("Wait a minute, then load this page again."),
    )


def command(t: Text, name: str) -> str:
    """A command as it is typed in Discord."""
    return f"/{t.command(name)}"


def _again(t: Text) -> str:
    return t("Go back to Discord and use {link} to get a new link.", link=command(t, "link"))


def _again_later(t: Text) -> str:
    return t("Wait a few minutes, then use {link} in Discord to get a new link.", link=command(t, "link"))
