"""Which room's trouble is which alert, and what shows that it is over."""

from __future__ import annotations

from bot.accounts.linking import Linking
from bot.errors import AppRejected, PremiumLapsed, TryLater
from bot.maintenance.backups import Backups
from bot.monitoring.alerts import Alerts, Cause, Facts
from bot.spotify.client import Spotify
from bot.storage.database import Database
from bot.web.identity import Identity


def listen(
    alerts: Alerts, spotify: Spotify, linking: Linking, identity: Identity, database: Database, backups: Backups | None
) -> None:
    """Let these rooms say to `alerts` what they meet and what works."""

    def at_spotify(error: PremiumLapsed | AppRejected | TryLater) -> None:
        match error:
            case PremiumLapsed():
                alerts.raise_(Cause.PREMIUM)
            case AppRejected():
                alerts.raise_(Cause.SPOTIFY_APP)
            case TryLater():
                alerts.raise_(Cause.QUOTA, Facts(until=error.until))

    def spotify_answers() -> None:
        alerts.end(Cause.PREMIUM)
        alerts.end(Cause.QUOTA)

    def discord_secret(is_taken: bool) -> None:
        if is_taken:
            alerts.end(Cause.DISCORD_SECRET)
        else:
            alerts.raise_(Cause.DISCORD_SECRET)

    def at_database(reason: str) -> None:
        if "locked" not in reason:  # somebody looks at it with a tool
            alerts.raise_(Cause.DISK, Facts(reason=reason))

    spotify.on_trouble = at_spotify
    spotify.on_success = spotify_answers
    spotify.on_token = lambda: alerts.end(Cause.SPOTIFY_APP)
    linking.on_unopenable = lambda: alerts.raise_(Cause.KEY)
    identity.on_secret = discord_secret
    database.on_trouble = at_database
    if backups is not None:
        backups.on_trouble = lambda reason: alerts.raise_(Cause.BACKUP, Facts(reason=reason))
        backups.on_made = lambda: alerts.end(Cause.BACKUP)
