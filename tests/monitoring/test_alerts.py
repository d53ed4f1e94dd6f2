"""What the host is told: once a day for each cause, whatever the clocks, the disk and Discord do."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import text
from bot.albums import Album
from bot.chat import host_words
from bot.errors import DiscordUnavailable
from bot.monitoring.alerts import DAY_S, QUIET_S, RETRY_S, Alert, Alerts, Cause, Facts
from bot.monitoring.disk import LEAST_FREE, DiskWatch
from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from bot.storage import Storage, open_storage
from bot.storage.alerts import Told
from tests.discord_wire import texts
from tests.log import restored
from tests.world import ADA, BEN, FIRST, SECOND, World, made

ENGLISH = text.texts(None)
ROOT = Path(__file__).resolve().parents[2]
HOST = 1
BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)


# -- how often: with both clocks in hand


@dataclass
class Host:
    """The host, who may refuse messages, and the two clocks of the bot's machine."""

    storage: Storage
    wall: datetime = BEGIN
    passed_s: float = 1000.0
    takes: bool = True
    tries: int = 0
    told: list[Alert] = field(default_factory=list)

    async def started(self) -> Alerts:
        """The bot's alerts after a start, at which monotonic time begins anew."""
        self.passed_s = 5.0
        alerts = Alerts(self.storage.alerts, tell=self._hear, now=lambda: self.wall, monotonic=lambda: self.passed_s)
        await alerts.load()
        return alerts

    def wait(self, seconds: float) -> None:
        """Time passes, on both clocks."""
        self.passed_s += seconds
        self.wall += timedelta(seconds=seconds)

    async def _hear(self, alert: Alert) -> bool:
        self.tries += 1
        if self.takes:
            self.told.append(alert)
        return self.takes


@pytest.fixture
async def host(storage: Storage) -> Host:
    return Host(storage)


@pytest.fixture
async def storage(tmp_path: Path) -> object:
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    yield storage
    await storage.close()


async def met(alerts: Alerts, cause: Cause = Cause.PREMIUM, facts: Facts | None = None) -> None:
    """It shows, and whatever follows from it is done."""
    alerts.raise_(cause, facts)
    await alerts.stop(5.0)


async def test_a_cause_that_is_met_all_day_is_told_once_a_day_with_since_when(host: Host) -> None:
    alerts = await host.started()
    for _ in range(3 * 24 * 4):
        for _ in range(3):
            alerts.raise_(Cause.PREMIUM)
        await alerts.stop(5.0)
        host.wait(900)
    assert [alert.since for alert in host.told] == [BEGIN] * 3


async def test_causes_do_not_wait_for_each_other(host: Host) -> None:
    alerts = await host.started()
    for cause in Cause:
        alerts.raise_(cause)
    await alerts.stop(5.0)
    assert {alert.cause for alert in host.told} == set(Cause)
    assert len(host.told) == len(Cause)


async def test_a_restart_tells_nobody_again_within_the_day(host: Host) -> None:
    await met(await host.started())
    for _ in range(5):
        host.wait(4 * 3600)
        await met(await host.started())
    assert len(host.told) == 1
    host.wait(4 * 3600 + 60)
    await met(await host.started())
    assert [alert.since for alert in host.told] == [BEGIN, BEGIN]


@pytest.mark.parametrize("hours", [-48, -24, -23, 23, 24, 48])
async def test_a_wall_clock_that_jumps_while_it_runs_changes_nothing(hours: int, host: Host) -> None:
    alerts = await host.started()
    await met(alerts)
    host.wall += timedelta(hours=hours)
    for _ in range(23):
        host.wait(3600)
        await met(alerts)
    assert len(host.told) == 1
    host.wait(3600)
    await met(alerts)
    assert len(host.told) == 2


@pytest.mark.parametrize("hours", [-24 * 365, -48, -25, -24, -23, -1, 1, 23, 24, 48, 24 * 365])
async def test_a_wall_clock_that_jumps_between_two_runs_makes_no_storm_and_no_silence(hours: int, host: Host) -> None:
    await met(await host.started())
    host.wall += timedelta(hours=hours)
    for _ in range(10):  # it may be told once more, since the day can't be known
        await met(await host.started())
    assert len(host.told) <= 2
    before = len(host.told)
    alerts = await host.started()
    host.wait(DAY_S + 1)
    await met(alerts)
    assert len(host.told) == before + 1
    for _ in range(3):  # and by restarts, too, it is told again within two days
        host.wait(DAY_S)
        await met(await host.started())
    assert len(host.told) >= before + 2


async def test_what_does_not_arrive_is_not_counted_as_told_and_is_tried_again_without_a_storm(host: Host) -> None:
    alerts = await host.started()
    host.takes = False
    for _ in range(100):
        await met(alerts)
        host.wait(RETRY_S / 10)
    assert host.tries == 10
    assert (await host.storage.alerts.all())[Cause.PREMIUM].told_at is None
    host.takes = True
    host.wait(RETRY_S)
    await met(alerts)
    assert [alert.since for alert in host.told] == [BEGIN]


async def test_what_could_not_be_told_before_the_login_is_told_right_after_it(host: Host) -> None:
    alerts = await host.started()
    host.takes = False
    await met(alerts, Cause.DISK, Facts(free=5))
    host.takes = True
    alerts.tell_late()
    await alerts.stop(5.0)
    assert [(alert.cause, alert.facts.free) for alert in host.told] == [(Cause.DISK, 5)]


async def test_every_alert_is_in_the_log_as_an_error_even_if_it_does_not_arrive(host: Host) -> None:
    with restored() as start:
        stream = start("json", level="ERROR")
        alerts = await host.started()
        host.takes = False
        await met(alerts, Cause.BACKUP, Facts(reason="no such folder"))
    assert '"cause": "backup"' in stream.getvalue()
    assert "no such folder" in stream.getvalue()


async def test_an_alert_from_before_the_login_is_logged_once_and_told_after_it(host: Host) -> None:
    with restored() as start:
        stream = start("json", level="ERROR")
        alerts = await host.started()
        host.takes = False  # nobody can be told before the login
        await met(alerts, Cause.BACKUP)
        host.takes = True
        alerts.tell_late()
        await alerts.stop(5.0)
    assert [alert.cause for alert in host.told] == [Cause.BACKUP]
    assert stream.getvalue().count('"event": "alert"') == 1


async def test_a_cause_that_ended_begins_anew(host: Host) -> None:
    alerts = await host.started()
    await met(alerts)
    host.wait(QUIET_S)
    alerts.end(Cause.PREMIUM)
    await alerts.stop(5.0)
    assert (await host.storage.alerts.all())[Cause.PREMIUM] == Told(None, BEGIN)
    host.wait(DAY_S)
    await met(alerts)
    assert [alert.since for alert in host.told] == [BEGIN, host.wall]


async def test_what_comes_and_goes_is_one_trouble_and_costs_no_writes(host: Host) -> None:
    alerts = await host.started()
    await met(alerts)
    database = host.storage.database
    changes = await database.read(lambda c: c.total_changes)
    for _ in range(1000):
        alerts.raise_(Cause.PREMIUM)
        alerts.end(Cause.PREMIUM)
        host.wait(1.0)
    await alerts.stop(5.0)
    assert await database.read(lambda c: c.total_changes) == changes
    assert len(host.told) == 1


async def test_a_refused_token_is_told_by_the_next_start_that_can_with_since_when(host: Host) -> None:
    for _ in range(5):  # a supervisor starts it again and again
        alerts = await host.started()
        await alerts.note(Cause.DISCORD_TOKEN)
        host.wait(3600)
    assert host.tries == 0
    for _ in range(2):
        alerts = await host.started()
        alerts.tell_late()
        await alerts.stop(5.0)
    assert [(alert.cause, alert.since) for alert in host.told] == [(Cause.DISCORD_TOKEN, BEGIN)]


async def test_a_cause_of_a_newer_version_is_left_alone(host: Host) -> None:
    await host.storage.alerts.put("newer", Told(BEGIN, BEGIN))
    await met(await host.started())
    assert (await host.storage.alerts.all())["newer"] == Told(BEGIN, BEGIN)


async def test_a_disk_that_takes_no_note_makes_no_storm_and_is_noted_later(host: Host) -> None:
    alerts = await host.started()
    database = host.storage.database
    database.listen(lambda reason: alerts.raise_(Cause.DISK, Facts(reason=reason)))
    await database.read(lambda c: c.execute("PRAGMA query_only = ON"))
    for _ in range(50):
        await met(alerts, Cause.DISK)
        host.wait(10)
    assert len(host.told) == 1
    await database.read(lambda c: c.execute("PRAGMA query_only = OFF"))
    host.wait(QUIET_S)
    alerts.end(Cause.DISK)
    await alerts.stop(5.0)
    assert (await host.storage.alerts.all())[Cause.DISK].told_at == BEGIN


# -- what the host reads


def sentence(cause: Cause, facts: Facts | None = None) -> str:
    """The message of an alert."""
    return host_words.sentences(ENGLISH, Alert(cause, BEGIN, facts or Facts(BEGIN, 150 * 1024**2, "the reason")))


@pytest.mark.parametrize("cause", Cause)
def test_every_alert_says_since_when_and_where_to_read_more(cause: Cause) -> None:
    text = sentence(cause)
    assert f"<t:{int(BEGIN.timestamp())}:f>" in text
    assert f"docs/operations.md, Alerts, “{host_words.name(ENGLISH, cause)}”" in text
    assert "!" not in text
    assert len(text) < 1000


def test_a_reason_from_outside_is_shown_as_text() -> None:
    assert "@everyone" not in sentence(Cause.BACKUP, Facts(reason="@everyone **x** https://evil.example"))


def test_operations_explains_exactly_the_alerts_that_there_are() -> None:
    paper = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = paper.split("\n## Alerts\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^### (.+)$", section, re.MULTILINE)
    assert found == [host_words.name(ENGLISH, cause) for cause in Cause]


# -- where they are met: the real bot, and the message at Discord


async def told_host(world: World, host: int = HOST) -> str:
    """The host's next message."""
    return "\n".join(texts(await world.discord.direct_message(host, 8.0)))


@pytest.mark.parametrize(
    ("path", "fault", "says"),
    [
        ("/v1/*", "premium", host_words.name(ENGLISH, Cause.PREMIUM)),
        ("/v1/*", "quota", host_words.name(ENGLISH, Cause.QUOTA)),
        ("/api/token", "invalid_client", host_words.name(ENGLISH, Cause.SPOTIFY_APP)),
    ],
)
async def test_what_spotify_holds_against_the_host_is_told_to_the_host_once(
    path: str, fault: str, says: str, world: World
) -> None:
    await world.link(ADA)
    await world.link(BEN, "ben")
    world.spotify.fault(path=path, times=None, **FAULTS[fault])
    if path == "/api/token":
        world.spotify.expire_access_tokens()
    for member in (ADA, BEN):
        await (await world.save(FIRST, member)).message(5.0)
    assert says in await told_host(world)
    await world.bot.alerts.stop(5.0)
    assert len(world.discord.direct_messages[HOST]) == 1


async def test_a_token_that_does_not_open_is_told_to_the_host(world: World) -> None:
    await world.link(ADA)
    spoil = "UPDATE links SET access_sealed = zeroblob(60), refresh_sealed = zeroblob(60)"
    await world.bot.storage.database.write(lambda c: c.execute(spoil))
    await (await world.save(FIRST)).message(5.0)
    assert host_words.name(ENGLISH, Cause.KEY) in await told_host(world)


async def test_a_client_secret_that_discord_refuses_is_told_to_the_host(tmp_path: Path) -> None:
    async with made(tmp_path, discord_client_secret="of-yesterday") as world, world.running():
        with pytest.raises(DiscordUnavailable):
            await world.bot.discord_login.who("some-code")
        assert host_words.name(ENGLISH, Cause.DISCORD_SECRET) in await told_host(world)


async def test_an_outage_of_discords_token_endpoint_says_nothing_about_the_secret(world: World) -> None:
    for answer in ({"status": 503}, {"status": 400, "json": {"error": "invalid_grant"}}):
        world.discord.fault("POST", "/oauth2/token", **answer)
        with pytest.raises(Exception, match=r"^$"):
            await world.bot.discord_login.who("some-code")
    assert world.bot.alerts._states[Cause.DISCORD_SECRET].open_since is None


async def test_a_database_that_is_full_is_told_to_the_host(world: World) -> None:
    await world.link(ADA)
    await world.bot.storage.database.read(lambda c: c.execute("PRAGMA max_page_count = 1"))
    many: list[Album] = list(synthetic(200, seed="full"))
    assert "could not store" in "\n".join(texts(await (await world.save(" ".join(a.id for a in many))).message(5.0)))
    assert "database or disk is full" in await told_host(world)


async def test_a_disk_that_is_nearly_full_is_told_to_the_host_until_it_has_room(world: World) -> None:
    alerts = world.bot.alerts
    free = [LEAST_FREE - 1]
    watch = DiskWatch(
        world.settings.database_path,
        world.bot.storage.database.is_writable,
        lambda left: alerts.raise_(Cause.DISK, Facts(free=left)),
        lambda: alerts.end(Cause.DISK),
        free=lambda folder: free[0],
    )
    await watch.look()
    assert "nearly full: 199 MB are free" in await told_host(world)
    assert alerts._states[Cause.DISK].open_since is not None
    alerts._states[Cause.DISK].seen_at -= QUIET_S
    free[0] = LEAST_FREE
    await watch.look()
    assert alerts._states[Cause.DISK].open_since is None


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_database_file_that_goes_while_the_bot_runs_is_told_to_the_host(world: World, how: str) -> None:
    path = world.settings.database_path
    path.unlink()
    if how == "replaced":
        path.touch()
    world.bot.storage.database._probed_at = float("-inf")
    await world.bot.schedule.at("disk", "", world.now())  # its next look
    assert "its file was deleted or replaced" in await told_host(world)
    assert not (await world.bot.health())["database"]


@pytest.mark.parametrize(("free_mb", "verdict"), [(400, "little"), (600, "enough")])
async def test_room_for_less_than_the_database_twice_is_little(tmp_path: Path, free_mb: int, verdict: str) -> None:
    database = tmp_path / "gatefold.db"
    database.touch()
    os.truncate(database, 300 * 1024**2)  # and takes no room
    said: list[str] = []

    async def is_writable() -> bool:
        return True

    watch = DiskWatch(
        database,
        is_writable,
        lambda left: said.append("little"),
        lambda: said.append("enough"),
        free=lambda folder: free_mb * 1024**2,
    )
    await watch.look()
    assert said == [verdict]


@pytest.mark.parametrize("cause", [Cause.PREMIUM, Cause.QUOTA, Cause.SPOTIFY_APP])
async def test_an_alert_about_spotify_is_over_when_spotify_has_served_the_bot_for_a_while(
    cause: Cause, world: World
) -> None:
    await world.link(ADA)
    alerts = world.bot.alerts
    alerts.raise_(cause)
    world.spotify.expire_access_tokens()
    await until_saved(world, FIRST)
    assert alerts._states[cause].open_since is not None  # it was met just now
    alerts._states[cause].seen_at -= QUIET_S
    world.spotify.expire_access_tokens()
    await until_saved(world, SECOND)
    assert alerts._states[cause].open_since is None


async def until_saved(world: World, album: str) -> None:
    await (await world.save(album)).message(5.0)
    await world.idle()
    assert album in world.saved()


async def test_an_alert_about_the_client_secret_is_over_when_discord_has_taken_it_for_a_while(world: World) -> None:
    alerts = world.bot.alerts
    alerts.raise_(Cause.DISCORD_SECRET)
    for passed_s, is_open in ((0.0, True), (QUIET_S, False)):
        alerts._states[Cause.DISCORD_SECRET].seen_at -= passed_s
        world.discord.fault("POST", "/oauth2/token", status=200, json={"access_token": "of nobody"})
        with pytest.raises(DiscordUnavailable):  # who it is, it does not say
            await world.bot.discord_login.who("some-code")
        assert (alerts._states[Cause.DISCORD_SECRET].open_since is not None) == is_open


async def test_a_backup_that_fails_is_told_to_the_host(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "backups"
    async with made(tmp_path, backup_folder=folder) as world, world.running():
        said = await told_host(world)
    assert host_words.name(ENGLISH, Cause.BACKUP) in said


async def test_of_a_team_everyone_is_told_who_accepts_messages(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        world.discord.team = [32, 31]
        async with world.running():
            world.discord.refuses_direct_messages.add(32)
            world.bot.alerts.raise_(Cause.KEY)
            assert host_words.name(ENGLISH, Cause.KEY) in await told_host(world, 31)
            world.discord.refuses_direct_messages.clear()
            world.bot.alerts.raise_(Cause.PREMIUM)
            for host in (32, 31):
                assert host_words.name(ENGLISH, Cause.PREMIUM) in await told_host(world, host)


async def test_a_host_who_takes_no_messages_makes_no_storm_at_discord(world: World) -> None:
    world.discord.refuses_direct_messages.add(HOST)
    await world.link(ADA)
    world.spotify.fault(path="/v1/*", times=None, **FAULTS["premium"])
    for album in (FIRST, SECOND, FIRST):
        await (await world.save(album)).message(5.0)
    await world.bot.alerts.stop(5.0)
    assert sum(request.status == 403 for request in world.discord.requests) == 1
    assert (await world.bot.storage.alerts.all())[Cause.PREMIUM].told_at is None
