"""Stories on the wire with many client ids at once: quotas, changing apps, ended consents, and no app of the host's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from yarl import URL

from bot.accounts.renewals import KIND as RENEWAL
from bot.accounts.tokens import consent_ends_at
from bot.caller import MemberId
from bot.sandbox.faults import FAULTS
from bot.storage.links import Link
from tests.callers import caller
from tests.discord_wire import Json, WireInteraction, buttons
from tests.test_own_app_story import HOST, OWN, label, labels, link_in_browser, newest, press, register, text_of
from tests.world import ADA, BEN, CHLOE, FIRST, SECOND, SPOTIFY_ID, World, made

OWNERS = 40
"""Members with an app of their own each."""
EXHAUSTED = 3
LONG_S = 60.0


def number_of(member: int) -> str:
    return f"m{member - CHLOE}"


async def link_own(world: World, member: int, *, age: timedelta = timedelta()) -> str:
    """Link a member through an app of their own, without the browser; its client id."""
    account, client_id = number_of(member), f"{member:032x}"
    world.spotify.add_account(account, account_id=f"acc-{account}", display_name=account)
    world.spotify.register_app(client_id, redirect_uris={world.settings.redirect_to_spotify}, allowlist=[account])
    access, refresh = world.spotify.issue_tokens(account, client_id=client_id)
    now = datetime.now(UTC) - age
    link = Link(member, client_id, f"acc-{account}", account, now, now, None, is_own_app=True)
    await world.bot.storage.links.put(link, access, refresh, now + timedelta(hours=1))
    return client_id


async def said(interaction: WireInteraction) -> str:
    return text_of(await interaction.message(LONG_S))


async def until_said(interaction: WireInteraction, words: str) -> str:
    """What the newest version of an answer says, once it holds these words."""
    async with asyncio.timeout(LONG_S):
        while not interaction.history or words not in text_of(interaction.history[-1]):
            await asyncio.sleep(0.01)
    return text_of(interaction.history[-1])


# -- many client ids at once


async def test_forty_own_apps_work_at_once_and_the_exhausted_ones_slow_nobody(world: World) -> None:
    members = [CHLOE + 1 + number for number in range(OWNERS)]
    apps = {member: await link_own(world, member) for member in members}
    await world.link(ADA)
    for member in members[:EXHAUSTED]:
        world.spotify.apps[apps[member]].quota = 0
    sent = {member: await world.save(FIRST, member) for member in (*members, ADA)}
    for member, interaction in sent.items():
        answer = await said(interaction)
        if member in members[:EXHAUSTED]:
            answer = await until_said(interaction, "I will try again")
            assert "Your Spotify app has reached its daily limit." in answer
        else:
            assert "Saved" in answer
    saved = {member for member in members if world.saved(number_of(member)) == [FIRST]}
    assert saved == set(members[EXHAUSTED:])
    assert world.saved() == [FIRST]
    # each call went out through the app of the member whom it serves
    for call in world.spotify.calls:
        if (token := call.headers.get("authorization", "").removeprefix("Bearer ")) in world.spotify.access_tokens:
            account = world.spotify.access_tokens[token].account
            owner = next((member for member in members if number_of(member) == account), None)
            assert world.spotify.access_tokens[token].client_id == apps.get(owner or 0, SPOTIFY_ID)
    # an exhausted one is not asked again, and the others go on
    calls = len(world.spotify.calls)
    assert "daily limit" in await said(await world.save(SECOND, members[0]))
    assert len(world.spotify.calls) == calls
    assert "Saved" in await said(await world.save(SECOND, members[-1]))


async def test_an_exhausted_app_of_the_hosts_slows_no_own_app(world: World) -> None:
    member = CHLOE + 1
    await link_own(world, member)
    await world.link(ADA)
    world.spotify.apps[SPOTIFY_ID].quota = 0
    assert "This bot's Spotify app has reached its daily limit." in await until_said(
        await world.save(FIRST), "I will try again"
    )
    assert "Saved" in await said(await world.save(FIRST, member))


# -- from one app to another


async def test_changing_to_an_own_app_keeps_what_is_pending_and_carries_it_out(world: World) -> None:
    await world.link(ADA)
    register(world)
    world.spotify.apps[SPOTIFY_ID].quota = 0
    waiting = await world.save(FIRST)
    await until_said(waiting, "I will try again")
    message = await (await world.discord.slash(ADA, "link")).message()
    opened = await press(world, message, "Enter client ID")
    await opened.answered()
    ready = await (await world.discord.submit(ADA, opened, {"client_id": OWN})).message()
    assert "1 album was queued" in await link_in_browser(world, label(ready, "Link Spotify")["url"])
    await until_said(waiting, "Saved")
    assert world.saved() == [FIRST]


# -- what no longer works


@pytest.mark.parametrize("fault", ["not_registered_text", "not_registered_json", "check_settings_text"])
@pytest.mark.parametrize("is_own", [False, True], ids=["the host's app", "an own app"])
async def test_whoever_was_removed_from_the_list_learns_it_once_and_in_one_sentence(
    world: World, fault: str, is_own: bool
) -> None:
    member = CHLOE + 1 if is_own else ADA
    if is_own:
        await link_own(world, member)
    else:
        await world.link(ADA)
    world.spotify.fault(path="/v1/me/*", times=None, **FAULTS[fault])
    answer = await said(await world.save(FIRST, member))
    whose = "Your Spotify app does not list your Spotify account." if is_own else "you are not on its list."
    assert answer.count(whose) == 1
    assert "403" not in re.sub(r":\d+>", "", answer)  # the ids of commands may hold any digits
    await world.idle(member)
    assert world.discord.direct_messages == {}


@pytest.mark.parametrize("days", [1, 29])
async def test_after_the_consent_ended_save_says_what_to_do_and_does_the_rest_by_itself(
    world: World, days: int
) -> None:
    await world.link(ADA, age=timedelta(days=183))
    world.spotify.expire_access_tokens()
    for token in world.spotify.refresh_tokens.values():
        token.consented_at -= 190 * 86_400
    asked = await world.save(FIRST)
    answer = await said(asked)
    assert "your permission ended" in answer
    assert "queued" in answer
    assert "Link Spotify" in labels(asked.history[-1])
    world.ahead = timedelta(days=days)
    world.bot.storage.outbox.ring()
    later = await (await world.discord.slash(ADA, "link")).message()
    await link_in_browser(world, buttons(later)[0]["url"])
    await world.idle()
    assert world.saved() == [FIRST]


# -- seats


@dataclass
class Full:
    """A bot whose host's app has one free seat. Ada and Chloe ask for it; both hosts have both messages."""

    world: World
    asked: dict[tuple[int, int], Json]

    async def done(self, host: int, member: int) -> WireInteraction:
        return await press(self.world, self.asked[host, member], "Done", host)


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[Full]:
    async with made(tmp_path, spotify_seats=2, hosts=str(HOST)) as world, world.running():
        await world.link(BEN, "ben")
        hosts, asked = [MemberId(HOST), MemberId(world.discord.OWNER)], {}
        for member in (ADA, CHLOE):
            await world.bot.seats.ask(caller(MemberId(member)), "Lovelace", f"of-{member}@example.org", hosts)
            for host in hosts:
                asked[int(host), member] = await world.discord.direct_message(host, LONG_S)
        await world.idle()
        yield Full(world, asked)


async def test_two_hosts_who_press_done_at_once_give_one_seat(full: Full) -> None:
    world = full.world
    presses = await asyncio.gather(full.done(HOST, ADA), full.done(world.discord.OWNER, ADA))
    answers = [await said(each) for each in presses]
    assert len([answer for answer in answers if "has a seat" in answer]) == 1
    assert len([answer for answer in answers if "already been answered" in answer]) == 1
    assert "added you" in text_of(await world.discord.direct_message(ADA, LONG_S))
    await world.idle()
    assert len(world.discord.direct_messages[ADA]) == 1


async def test_two_requests_for_the_last_seat_answered_at_once_give_it_to_one(full: Full) -> None:
    world = full.world
    presses = await asyncio.gather(full.done(HOST, ADA), full.done(world.discord.OWNER, CHLOE))
    answers = [await said(each) for each in presses]
    assert len([answer for answer in answers if "has a seat" in answer]) == 1
    assert len([answer for answer in answers if "No seat is free" in answer]) == 1
    seats = await world.bot.seats.seats()
    assert (seats.total, len(seats.taken)) == (2, 2)


def traces(world: World, *words: str) -> list[str]:
    """Which of these words stand in the bytes of the database, or of its log."""
    folder = world.settings.database_path.parent
    found = b"".join((folder / name).read_bytes() for name in ("gatefold.db", "gatefold.db-wal"))
    return [word for word in words if word.encode() in found]


async def test_an_address_is_never_legible_on_the_disk_and_gone_from_everywhere_once_it_is_answered(full: Full) -> None:
    world, address = full.world, f"of-{ADA}@example.org"
    assert traces(world, address, "Lovelace") == []
    sealed = await sealed_of(world, ADA)
    assert traces_of(world, sealed) == sealed
    await (await full.done(HOST, ADA)).message(LONG_S)
    for host in (HOST, world.discord.OWNER):
        assert address not in await newest(world, full.asked[host, ADA], "has a seat")
    await world.idle()
    assert traces_of(world, sealed) == [], "not even sealed"
    # the other one's is still there, for the host to copy
    assert f"of-{CHLOE}@example.org" in text_of(world.discord.messages[full.asked[HOST, CHLOE]["id"]])


async def test_what_no_host_answers_is_gone_after_14_days(full: Full) -> None:
    world = full.world
    sealed = [*await sealed_of(world, ADA), *await sealed_of(world, CHLOE)]
    world.ahead = timedelta(days=13, hours=23)
    world.bot.schedule.wake()
    assert await world.bot.seats.request(MemberId(ADA)) is not None
    world.ahead = timedelta(days=14, minutes=1)
    world.bot.schedule.wake()
    for member in (ADA, CHLOE):
        for host in (HOST, world.discord.OWNER):
            told = await newest(world, full.asked[host, member], "over 14 days old")
            assert "example.org" not in told
            assert "Lovelace" not in told
        assert await world.bot.seats.request(MemberId(member)) is None
    await world.idle()
    assert traces_of(world, sealed) == []
    late = await full.done(HOST, ADA) if labels(world.discord.messages[full.asked[HOST, ADA]["id"]]) else None
    assert late is None, "the button is gone"


async def sealed_of(world: World, member: int) -> list[bytes]:
    """A member's name and address as they are stored."""
    query = "SELECT name_sealed, email_sealed FROM seat_requests WHERE member_id = ?"
    return [*await world.bot.storage.database.read(lambda c: tuple(c.execute(query, (member,)).fetchone()))]


def traces_of(world: World, blobs: list[bytes]) -> list[bytes]:
    """Which of these stand in the bytes of the database, or of its log."""
    folder = world.settings.database_path.parent
    found = b"".join((folder / name).read_bytes() for name in ("gatefold.db", "gatefold.db-wal"))
    return [blob for blob in blobs if blob in found]


# -- reminders to renew


async def reminded(world: World, member: int = ADA) -> list[str]:
    """The direct messages of a member, once nothing is due any more."""
    world.bot.schedule.wake()
    world.bot.storage.outbox.ring()
    async with asyncio.timeout(LONG_S):
        while await due_timers(world) or await world.bot.storage.outbox.open_count() or not world.bot.delivery.is_idle:
            await asyncio.sleep(0.01)
    return [text_of(message) for message in world.discord.direct_messages.get(member, [])]


async def due_timers(world: World) -> int:
    seconds = int(world.now().timestamp())
    query = "SELECT COUNT(*) FROM timers WHERE kind = ? AND try_at <= ?"
    return await world.bot.storage.database.read(lambda c: c.execute(query, (RENEWAL, seconds)).fetchone()[0])


async def link_in_flow(world: World) -> datetime:
    """Link Ada as a person does, which sets the timer; when the consent ends."""
    world.spotify.add_account("ada", account_id="acc-ada", display_name="Ada")
    message = await (await world.discord.slash(ADA, "link")).message()
    await link_in_browser(world, label(message, "Link Spotify")["url"])
    account = await world.bot.tokens.account(MemberId(ADA))
    assert account is not None
    return consent_ends_at(account)


def at_hour(day: datetime, hour: int) -> datetime:
    return datetime.combine(day.date(), time(hour), UTC)


async def test_a_member_is_reminded_twice_and_only_by_day(world: World) -> None:
    ends_at = await link_in_flow(world)
    counts = []
    for days in (15, 14, 13, 4, 3, 2, 1, 0):
        for hour in (0, 9, 12, 15, 19, 23):
            world.ahead = at_hour(ends_at - timedelta(days=days), hour) - datetime.now(UTC)
            counts.append((days, hour, len(await reminded(world))))
    changes = [(days, hour) for (_, _, before), (days, hour, now) in pairwise(counts) if now > before]
    assert [days for days, _ in changes] == [14, 3]
    assert {hour for _, hour in changes} <= {12, 15, 19}, "since the step before, which was at 9 h or later"
    assert counts[-1][2] == 2


async def test_after_a_long_downtime_one_reminder_comes_and_not_by_night(world: World) -> None:
    ends_at = await link_in_flow(world)
    world.ahead = at_hour(ends_at - timedelta(days=2), 3) - datetime.now(UTC)
    assert await reminded(world) == []
    world.ahead = at_hour(ends_at - timedelta(days=2), 19) - datetime.now(UTC)
    assert len(await reminded(world)) == 1
    world.ahead = at_hour(ends_at - timedelta(hours=1), 19) - datetime.now(UTC)
    assert len(await reminded(world)) == 1


async def test_a_reminder_that_discord_did_not_take_by_day_waits_for_the_next_day(world: World) -> None:
    ends_at = await link_in_flow(world)
    last = ends_at - timedelta(days=3)
    limit = {"message": "limited", "retry_after": 3600.0, "global": False}
    world.discord.fault("POST", "/users/@me/channels", status=429, json=limit)
    world.ahead = at_hour(last, 19) + timedelta(minutes=30) - datetime.now(UTC)
    world.bot.schedule.wake()
    async with asyncio.timeout(LONG_S):
        while not await tried(world):
            await asyncio.sleep(0.01)
    for hour in (21, 27, 33):  # evening, night and morning
        world.ahead = at_hour(last, 0) + timedelta(hours=hour) - datetime.now(UTC)
        world.bot.storage.outbox.ring()
        async with asyncio.timeout(LONG_S):
            while (await due_at(world)) < world.now():
                await asyncio.sleep(0.01)
        assert world.discord.direct_messages == {}
    world.ahead = at_hour(last + timedelta(days=1), 19) + timedelta(minutes=30) - datetime.now(UTC)
    assert len(await reminded(world)) == 1


async def test_a_reminder_that_waits_is_not_sent_once_the_member_has_renewed(world: World) -> None:
    ends_at = await link_in_flow(world)
    limit = {"message": "limited", "retry_after": 3600.0, "global": False}
    world.discord.fault("POST", "/users/@me/channels", status=429, json=limit)
    world.ahead = at_hour(ends_at - timedelta(days=3), 19) - datetime.now(UTC)
    world.bot.schedule.wake()
    async with asyncio.timeout(LONG_S):
        while not await tried(world):
            await asyncio.sleep(0.01)
    message = await (await world.discord.slash(ADA, "link")).message()
    await link_in_browser(world, buttons(message)[0]["url"])
    world.ahead += timedelta(days=1)
    assert await reminded(world) == []


async def tried(world: World) -> bool:
    query = "SELECT 1 FROM outbox WHERE kind = ? AND tries > 0"
    return await world.bot.storage.database.read(lambda c: c.execute(query, (RENEWAL,)).fetchone()) is not None


async def due_at(world: World) -> datetime:
    """When the reminder is tried next."""
    query = "SELECT due_at FROM outbox WHERE kind = ?"
    row = await world.bot.storage.database.read(lambda c: c.execute(query, (RENEWAL,)).fetchone())
    return datetime.fromtimestamp(row["due_at"], UTC)


# -- a host without an app


async def test_without_an_app_of_the_hosts_links_have_names_and_words_say_what_to_do(tmp_path: Path) -> None:
    async with made(tmp_path, spotify_client_id="", spotify_client_secret=None) as world, world.running():
        shared = await world.discord.slash(ADA, "share", {"album": f"https://open.spotify.com/album/{FIRST}"})
        assert "Slow Harbour" in await said(shared)
        assert {call.path for call in world.spotify.calls} == {"/oembed"}
        searched = await world.discord.slash(ADA, "share", {"album": "slow harbour"})
        assert "I can search for you only once you have linked" in await said(searched)
        typed = await world.discord.autocomplete(ADA, "save", "albums", "slow harbour")
        await typed.answered()
        assert len(typed.choices) == 1
        assert "link" in typed.choices[0]["name"].casefold()
        # what is asked for by words waits until the member has linked an app of their own
        titles = [album.title for album in world.spotify.catalogue.albums.values()]
        alone = next(album for album in world.spotify.catalogue.albums.values() if titles.count(album.title) == 1)
        waiting = await world.save(alone.title)
        await said(waiting)
        assert labels(waiting.history[-1]) == ["Use my own Spotify app"]
        register(world)
        world.spotify.add_account("ada", account_id="acc-ada", display_name="Ada")
        url = buttons(waiting.history[-1])[0]["url"]
        await link_in_browser(world, url, link=URL(url).query["link"], client_id=OWN)
        await until_said(waiting, "Saved")
        assert world.saved() == [alone.id]


async def test_seats_fit_into_a_message_however_many_there_are(tmp_path: Path) -> None:
    async with made(tmp_path, spotify_seats=0, hosts=str(HOST)) as world, world.running():
        assert "No seat is taken" in text_of(await (await world.discord.slash(HOST, "seats")).message())
        for number in range(20):
            await world.link(CHLOE + 1 + number, f"a{number}")
        for number in range(5):
            await world.bot.seats.ask(caller(MemberId(900 + number)), "Ada", f"a{number}@example.org", [])
        message = await (await world.discord.slash(HOST, "seats")).message()
        assert "20 seats are taken" in text_of(message)
        seen = text_of(message)
        for _ in range(2):
            message = await (await press(world, message, "Next", HOST)).message()
            seen += text_of(message)
        assert labels(message)[-1] == "Back"
        assert all(f"<@{CHLOE + 1 + number}>" in seen for number in range(20))
        assert all(f"<@{900 + number}> asked for a seat" in seen for number in range(5))
        assert world.discord.problems == []
