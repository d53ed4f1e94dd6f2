"""Which part's trouble raises which alert, and what shows that it is over."""

from __future__ import annotations

from bot.errors import AppRejected, PremiumLapsed
from bot.monitoring.alerts import Alerts, Cause, Facts
from bot.spotify.app import AppProblem


class AlertSources:
    """What the parts of the bot are given to report to. As a `HealthListener` it hears of the host's app alone."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts

    def app_problem(self, problem: AppProblem) -> None:
        """Spotify answered that something is wrong with the host's app."""
        match problem:
            case PremiumLapsed():
                self._alerts.raise_(Cause.PREMIUM)
            case AppRejected():
                self._alerts.raise_(Cause.SPOTIFY_APP)
            case _:
                self._alerts.raise_(Cause.QUOTA, Facts(until=problem.until))

    def app_served(self) -> None:
        """A call through the host's app succeeded."""
        self._alerts.end(Cause.PREMIUM)
        self._alerts.end(Cause.QUOTA)

    def app_accepted(self) -> None:
        """Spotify accepted the host's client id and secret."""
        self._alerts.end(Cause.SPOTIFY_APP)

    def discord_secret(self, is_accepted: bool) -> None:
        """Whether Discord accepted the client secret."""
        if is_accepted:
            self._alerts.end(Cause.DISCORD_SECRET)
        else:
            self._alerts.raise_(Cause.DISCORD_SECRET)

    def unopenable(self) -> None:
        """A stored token could not be decrypted."""
        self._alerts.raise_(Cause.KEY)

    def database(self, reason: str) -> None:
        """The database could not be read or written."""
        if "locked" not in reason:  # somebody looks at it with a tool
            self._alerts.raise_(Cause.DISK, Facts(reason=reason))

    def backup_failed(self, reason: str) -> None:
        """A backup could not be made."""
        self._alerts.raise_(Cause.BACKUP, Facts(reason=reason))

    def backup_made(self) -> None:
        """A backup was made."""
        self._alerts.end(Cause.BACKUP)
