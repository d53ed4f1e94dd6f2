"""What is said to the host, who may be no member: what only they can mend, since when, and what to do."""

from __future__ import annotations

from bot.chat.words import date, plain, soon
from bot.monitoring.alerts import Alert, Cause


def name(cause: Cause) -> str:
    """What an alert is called, in the message and in docs/operations.md."""
    return {
        Cause.PREMIUM: "Premium has ended",
        Cause.SPOTIFY_APP: "Spotify refuses the app",
        Cause.QUOTA: "Spotify's day is used up",
        Cause.DISCORD_SECRET: "Discord refuses the client secret",
        Cause.DISCORD_TOKEN: "Discord refused the bot's token",
        Cause.DISK: "The disk is full or nearly full",
        Cause.KEY: "A stored access does not open",
        Cause.BACKUP: "No backup was made",
    }[cause]


def sentences(alert: Alert) -> str:
    """What only the host can mend: what happened, since when, what to do."""
    return (
        f"**{name(alert.cause)}**\n{_what(alert)}\n"
        "-# You get this because this bot's app at Discord is yours, at most once a day for each cause. "
        f"More: docs/operations.md, Alerts, “{name(alert.cause)}”."
    )


def _what(alert: Alert) -> str:
    facts, since = alert.facts, date(alert.since)
    reason = plain(facts.reason.rstrip("."), 300) if facts.reason else ""
    match alert.cause:
        case Cause.PREMIUM:
            return (
                f"Since {since} Spotify has served nobody here: it says that the Premium of the account that owns the "
                "bot's app has ended. Members who ask are told so. Renew it; I need no restart."
            )
        case Cause.SPOTIFY_APP:
            return (
                f"Since {since} Spotify has refused this bot's own app, so the access of members cannot be renewed. "
                "What they ask for is kept. Compare `SPOTIFY_CLIENT_ID` and `SPOTIFY_CLIENT_SECRET` with the "
                "settings of the app in Spotify's dashboard, mend them, and restart me."
            )
        case Cause.QUOTA:
            when = f" It goes on {soon(facts.until)}." if facts.until else ""
            return (
                f"Since {since} Spotify has taken no more requests of this bot's app today.{when} What members ask "
                "for is kept until then, and they are told. You need not do anything."
            )
        case Cause.DISCORD_SECRET:
            return (
                f"Since {since} Discord has refused `DISCORD_CLIENT_SECRET`, so nobody can link an account. Whoever is "
                "linked can go on saving. Copy the secret anew from the OAuth2 page of the app in Discord's "
                "developer portal, and restart me."
            )
        case Cause.DISCORD_TOKEN:
            return (
                f"Discord had refused `DISCORD_TOKEN` since {since}, so I could not run. It takes the one that I "
                "have now, and what waited is done. If it was not you who reset the token, look who else knows it."
            )
        case Cause.DISK:
            if facts.free is not None:
                return (
                    f"Since {since} little room has been left where the database lies: {_size(facts.free)}. "
                    "When there is none, nothing new can be accepted. Make room on that disk; I need no restart."
                )
            return (
                f"Since {since} the database could not be read or written: {reason}. Nothing new is accepted. If its "
                "disk is full, make room; else `gatefold doctor` shows more. I need no restart."
            )
        case Cause.KEY:
            return (
                "What is stored of a member does not open with the keys that I have. That member is asked to link "
                f"again, and so is everybody else whom it concerns. The first was met {since}. If you took a key "
                "away, put it back behind the others and restart me."
            )
        case Cause.BACKUP:
            return (
                f"The scheduled backup could not be made, since {since}. {reason}. It is tried again by itself. "
                "Everything else goes on, but the newest copy grows old."
            )


def _size(count: int) -> str:
    """Bytes, in words."""
    return f"{count / 1024**3:.1f} GB" if count >= 1024**3 else f"{count // 1024**2} MB"
