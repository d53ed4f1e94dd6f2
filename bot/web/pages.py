"""What the pages say: each begins with what is the case, then what to do. The sentences stand here."""

from __future__ import annotations

from dataclasses import dataclass

from bot.accounts.linking import Linked
from bot.errors import (
    AccountTaken,
    AppRejected,
    DiscordUnavailable,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    Restarting,
    StorageUnavailable,
    TryLater,
    UserError,
    WrongBrowser,
    WrongDiscordAccount,
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `title` is its first line and the tab's title; `accounts` are label and name pairs."""

    status: int
    title: str
    text: str
    then: str = ""
    accounts: tuple[tuple[str, str], ...] = ()


AGAIN = "Go back to Discord and use /link for a new one."


def linked(linked: Linked) -> Page:
    """The flow is done."""
    name = linked.link.account_name
    accounts = (("On Discord", linked.discord_name), ("On Spotify", name))
    then = "You can close this page. In Discord, /save puts an album into your library."
    if linked.before is None:
        text = "Whatever you wanted to save is taken care of now."
        return Page(200, "Linked. You can go back to Discord.", text, then, accounts)
    if linked.before.account_id == linked.link.account_id:
        text = "Your consent counts from today again."
        return Page(200, "Renewed. You can go back to Discord.", text, then, accounts)
    text = f"This account takes the place of {linked.before.account_name}."
    return Page(200, "Linked. You can go back to Discord.", text, then, accounts)


def of_error(error: UserError) -> Page:
    """The page for a refusal (4xx) or for trouble (5xx)."""
    match error:
        case LinkExpired():
            return Page(
                400,
                "This link is too old or was used already.",
                "A link works once, for 10 minutes. If the private message in Discord says that you are "
                "linked, all is well.",
                AGAIN,
            )
        case WrongBrowser():
            return Page(
                403,
                "This began in another browser.",
                "Open the link and finish in the same browser, with cookies allowed. Nothing was linked.",
                AGAIN,
            )
        case WrongDiscordAccount():
            return Page(
                403,
                "This link belongs to another Discord account.",
                "Somebody else asked for this link, or you are logged in at Discord with another account "
                "here. Nothing was linked.",
                "Ask for your own with /link in Discord, or switch the account and open the link again.",
            )
        case LinkDeclined(provider=provider):
            name = "Discord" if provider == "discord" else "Spotify"
            return Page(
                403,
                f"You said no at {name}. Nothing was linked.",
                "Nothing is stored of this.",
                "If you change your mind, use /link in Discord.",
            )
        case AccountTaken():
            return Page(
                409,
                "This Spotify account is linked to another Discord account.",
                "One Spotify account belongs to one Discord account here. Nothing was changed.",
                "Use /unlink with the other Discord account first, or link another Spotify account.",
            )
        case NotAllowlisted():
            return Page(
                403,
                "Spotify does not let this bot serve you yet.",
                "Spotify lets this bot's app serve 5 people, and you are not on its list. Nothing was linked.",
                "Ask the host to add you; then use /link again.",
            )
        case PremiumLapsed():
            return Page(
                503,
                "Spotify does not serve this bot at the moment.",
                "It does so only while the bot's host has Premium, and that has ended. Nothing was linked.",
                "Tell the host; then use /link again.",
            )
        case AppRejected():
            return Page(
                502,
                "Spotify refuses this bot's own app.",
                "Only the host can mend that. Nothing was linked.",
                "Tell the host; then use /link again.",
            )
        case NeedsRelink():
            return Page(
                403,
                "Spotify did not give all the permissions.",
                "Seeing and changing your library needs both. Nothing was linked.",
                "Use /link in Discord again and agree to both.",
            )
        case DiscordUnavailable():
            return Page(
                502,
                "Discord did not say who you are.",
                "That happens when Discord is busy, or when the bot's settings at Discord are wrong. "
                "Nothing was linked.",
                "Open the link from the private message again in a minute.",
            )
        case TryLater(cause=TryLater.Cause.UNAVAILABLE):
            return Page(502, "Spotify is not answering.", "Nothing was linked.", f"Wait a few minutes. {AGAIN}")
        case TryLater():
            return Page(503, "Spotify asks to slow down.", "Nothing was linked.", f"Wait a few minutes. {AGAIN}")
        case Refused():
            return Page(502, "Spotify refused.", "Nothing was linked.", f"Wait a few minutes. {AGAIN}")
        case StorageUnavailable():
            return Page(
                503,
                "Nothing could be stored just now.",
                "Nothing was linked. The host has to look at the database.",
                f"Wait a few minutes. {AGAIN}",
            )
        case Restarting():
            return Page(503, "This bot is being restarted.", "Nothing was linked.", f"Wait a minute. {AGAIN}")
        case InternalError():
            return broken(error.reference)
    return Page(400, "That did not work.", "Nothing was linked.", AGAIN)


def broken(reference: str) -> Page:
    """Our own fault."""
    return Page(
        500,
        "Something broke on our side.",
        f"The host can look this number up: {reference}",
        "If you were linking, go back to Discord and use /link once more.",
    )


def bad_request(status: int) -> Page:
    """Anything that is no page, or no request of ours."""
    if status == 404:
        return Page(404, "There is no such page.", "This address does not exist here.", "Go back to Discord.")
    return Page(status, "That request makes no sense here.", "Nothing was changed.", AGAIN)
