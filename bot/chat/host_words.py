"""Sentences for the host, who may be no member: what only they can fix, since when, and what to do."""

from __future__ import annotations

from bot.chat.words import date, plain, soon
from bot.monitoring.alerts import Alert, Cause
from bot.text import Text


def name(t: Text, cause: Cause) -> str:
    """What an alert is called, in the message and in docs/operations.md."""
    match cause:
        case Cause.PREMIUM:
            return t("Premium has ended")
        case Cause.SPOTIFY_APP:
            return t("Spotify rejects the app")
        case Cause.QUOTA:
            return t("Spotify's daily limit is reached")
        case Cause.DISCORD_SECRET:
            return t("Discord rejects the client secret")
        case Cause.DISCORD_TOKEN:
            return t("Discord rejected the bot's token")
        case Cause.DISK:
            return t("The disk is full or nearly full")
        case Cause.KEY:
            return t("Stored access cannot be decrypted")
        case Cause.BACKUP:
            return t("A backup failed")


def sentences(t: Text, alert: Alert) -> str:
    """What only the host can fix: what happened, since when, what to do."""
    title = name(t, alert.cause)
    why = t(
        "You get this message because you are a host of this bot. It is sent at most once a day for each problem. "
        "More: docs/operations.md, Alerts, “{title}”.",
        title=title,
    )
    return f"**{title}**\n{_what(t, alert)}\n-# {why}"


def _what(t: Text, alert: Alert) -> str:
    facts, since = alert.facts, date(alert.since)
    reason = plain(facts.reason.rstrip("."), 300) if facts.reason else ""
    match alert.cause:
        case Cause.PREMIUM:
            return t(
                "Since {since} Spotify has refused every request: it says that the account that owns the bot's app no "
                "longer has Premium. Members who use the bot are told so. Renew Premium. You don't need to restart me.",
                since=since,
            )
        case Cause.SPOTIFY_APP:
            return t(
                "Since {since} Spotify has rejected this bot's app, so members' access cannot be renewed. Their "
                "requests are queued. Compare `SPOTIFY_CLIENT_ID` and `SPOTIFY_CLIENT_SECRET` with the app's settings "
                "in Spotify's dashboard, correct them, and restart me.",
                since=since,
            )
        case Cause.QUOTA if facts.until is not None:
            return t(
                "Since {since} this bot's Spotify app has used up its requests for the day. Requests are queued and "
                "will be retried {until}, and members are told. You don't need to do anything.",
                since=since,
                until=soon(facts.until),
            )
        case Cause.QUOTA:
            return t(
                "Since {since} this bot's Spotify app has used up its requests for the day. Requests are queued, and "
                "members are told. You don't need to do anything.",
                since=since,
            )
        case Cause.DISCORD_SECRET:
            return t(
                "Since {since} Discord has rejected `DISCORD_CLIENT_SECRET`, so nobody can link an account. Members "
                "who are linked can still save albums. Copy the secret again from the OAuth2 page of the app in "
                "Discord's developer portal, and restart me.",
                since=since,
            )
        case Cause.DISCORD_TOKEN:
            return t(
                "Discord had rejected `DISCORD_TOKEN` since {since}, so I could not run. The current token works, and the "
                "queue has been processed. If you did not reset the token yourself, find out who else knows it.",
                since=since,
            )
        case Cause.DISK if facts.free is not None:
            return t(
                "Since {since} the disk with the database has been nearly full: {free} are free. When it is full, I "
                "cannot accept new requests. Free some space on that disk. You don't need to restart me.",
                since=since,
                free=_size(t, facts.free),
            )
        case Cause.DISK:
            return t(
                "Since {since} the database could not be read or written: {reason}. I accept no new requests. If its "
                "disk is full, free some space; otherwise `gatefold doctor` shows more. You don't need to restart me.",
                since=since,
                reason=reason,
            )
        case Cause.KEY:
            return t(
                "The stored access of a member cannot be decrypted with my keys. That member is asked to link again, "
                "and so is everybody else who is affected. It was first seen {since}. If you removed a key, add it "
                "again after the others and restart me.",
                since=since,
            )
        case Cause.BACKUP:
            return t(
                "The scheduled backup has failed since {since}: {reason}. It is retried automatically. Everything else "
                "works, but the latest backup is getting old.",
                since=since,
                reason=reason,
            )


def _size(t: Text, count: int) -> str:
    """Bytes, in units that people use."""
    if count >= 1024**3:
        return f"{t.number(round(count / 1024**3, 1))} GB"
    return f"{t.number(count // 1024**2)} MB"
