"""Whole stories on the wire: a member's own Spotify app, seats of the host's app, and reminders to renew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from bot.accounts.renewals import KIND as RENEWAL
from bot.caller import MemberId
from bot.monitoring.alerts import Cause, Facts
from bot.storage.outbox import Direct, Message
from tests.discord_wire import Json, WireInteraction, buttons, texts
from tests.world import ADA, BEN, CHLOE, FIRST, World, made

OWN = "a" * 32
HOST = 300_000_000_000_000_001


@pytest.fixture
async def crowded(tmp_path: Path) -> AsyncIterator[World]:
    """A bot whose host's app has one seat, which Ben has; two hosts: the application's owner and HOST."""
    async with made(tmp_path, spotify_seats=1, hosts=str(HOST)) as world, world.running():
        await world.link(BEN, "ben")
        world.spotify.add_account("ada", account_id="acc-ada", display_name="Ada")
        yield world


def label(message: Json, text: str) -> Json:
    """The button with this label."""
    return next(button for button in buttons(message) if button["label"] == text)


def labels(message: Json) -> list[str]:
    return [button["label"] for button in buttons(message)]


def text_of(message: Json) -> str:
    return "\n".join(texts(message))


async def press(world: World, message: Json, text: str, member: int = ADA, **where: object) -> WireInteraction:
    return await world.discord.press(member, label(message, text)["custom_id"], message, **where)  # type: ignore[arg-type]


async def newest(world: World, message: Json, words: str) -> str:
    """The newest version of a message, once it says this."""
    async with asyncio.timeout(60):
        while words not in (text := text_of(world.discord.messages[message["id"]])):
            await asyncio.sleep(0.01)
    return text


async def link_in_browser(world: World, url: str, member: int = ADA, account: str = "ada", **form: str) -> str:
    """Follow a link as a person does, with Discord's consent page answered at once; the last page."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        if form:
            async with session.post(url.partition("?")[0], data=form, allow_redirects=False) as response:
                assert response.status == 303, await response.text()
                url = response.headers["Location"]
        async with session.get(url, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
            consent = response.headers["Location"]
        state = URL(consent).query["state"]
        code = world.discord.oauth_code(member, world.settings.redirect_to_discord)
        callback = f"{world.settings.public_url}/callback/discord?code={code}&state={state}"
        async with session.get(callback, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
            consent = response.headers["Location"]
        agreed = {"account": account, "decision": "agree"}
        async with session.post(URL(consent, encoded=True), data=agreed, allow_redirects=False) as response:
            callback = response.headers["Location"]
        async with session.get(URL(callback, encoded=True)) as response:
            text = await response.text()
            assert response.status == 200, text
            return text


def register(world: World, *accounts: str) -> None:
    world.spotify.register_app(OWN, redirect_uris={world.settings.redirect_to_spotify}, allowlist=accounts or ("ada",))


# -- what /link offers


async def test_the_hosts_app_stands_first_while_it_has_seats(world: World) -> None:
    message = await (await world.discord.slash(ADA, "link")).message()
    assert labels(message) == ["Link Spotify", "Use my own Spotify app", "Enter client ID"]
    assert "/link/" in buttons(message)[0]["url"]
    assert "/guide/own-app?link=" in buttons(message)[1]["url"]


async def test_without_a_seat_there_is_a_way_on_in_link_and_in_save(crowded: World) -> None:
    message = await (await crowded.discord.slash(ADA, "link")).message()
    assert labels(message) == ["Use my own Spotify app", "Enter client ID", "Ask for a seat"]
    message = await (await crowded.save(FIRST)).message()
    assert labels(message) == ["Use my own Spotify app", "Ask for a seat"]
    assert "is taken" in text_of(message)


async def test_without_an_app_of_the_hosts_nobody_can_ask_for_a_seat(tmp_path: Path) -> None:
    async with made(tmp_path, spotify_client_id="", spotify_client_secret=None) as world, world.running():
        message = await (await world.discord.slash(ADA, "link")).message()
        assert labels(message) == ["Use my own Spotify app", "Enter client ID"]


# -- an own app, through the modal


async def test_a_member_links_through_their_own_app_with_the_modal_and_what_waits_is_saved(crowded: World) -> None:
    register(crowded)
    saving = await crowded.save(FIRST)
    await saving.message()
    message = await (await crowded.discord.slash(ADA, "link")).message()
    opened = await press(crowded, message, "Enter client ID")
    await opened.answered()
    wrong = await (await crowded.discord.submit(ADA, opened, {"client_id": "b" * 32})).message()
    assert "Spotify knows no app with this client ID" in text_of(wrong)
    opened = await press(crowded, wrong, "Enter client ID")
    await opened.answered()
    submitted = await crowded.discord.submit(ADA, opened, {"client_id": OWN})
    ready = await submitted.message()
    page = await link_in_browser(crowded, label(ready, "Link Spotify")["url"])
    assert "1 album was queued" in page
    await crowded.idle()
    assert crowded.saved() == [FIRST]
    account = await crowded.bot.tokens.account(MemberId(ADA))
    assert account is not None
    assert (account.client_id, account.is_own_app) == (OWN, True)
    assert "Linked as" in text_of(submitted.history[-1])


async def test_whoever_has_an_own_app_can_renew_it_or_use_another_and_unlinking_leaves_no_trace_of_it(
    world: World,
) -> None:
    register(world)
    world.spotify.add_account("ada", account_id="acc-ada", display_name="Ada")
    message = await (await world.discord.slash(ADA, "link")).message()
    url = label(message, "Use my own Spotify app")["url"]
    await link_in_browser(world, url, link=URL(url).query["link"], client_id=OWN)
    message = await (await world.discord.slash(ADA, "link")).message()
    assert labels(message) == ["Link again", "Use the bot's app", "Use another Spotify app", "Enter client ID"]
    other = "c" * 32
    world.spotify.register_app(other, redirect_uris={world.settings.redirect_to_spotify}, allowlist=["ada"])
    url = label(message, "Use another Spotify app")["url"]
    await link_in_browser(world, url, link=URL(url).query["link"], client_id=other)
    await (await world.save(FIRST)).message()
    await world.idle()
    found = await bytes_on_disk(world)
    assert OWN.encode() not in found
    assert other.encode() in found
    await world.bot.linking.unlink(MemberId(ADA))
    assert other.encode() not in await bytes_on_disk(world)


async def bytes_on_disk(world: World) -> bytes:
    """Whatever stands in the database and its log."""
    await world.bot.storage.database.truncate_log()
    folder = world.settings.database_path.parent
    return b"".join((folder / name).read_bytes() for name in ("gatefold.db", "gatefold.db-wal"))


async def test_somebody_elses_form_is_refused(world: World) -> None:
    message = await (await world.discord.slash(ADA, "link")).message()
    pressed = await press(world, message, "Enter client ID", BEN)
    assert "belongs to somebody else" in text_of(await pressed.message())


# -- a seat


async def ask(world: World, email: str = "ada@example.org") -> WireInteraction:
    message = await (await world.save(FIRST)).message()
    opened = await press(world, message, "Ask for a seat")
    await opened.answered()
    return await world.discord.submit(ADA, opened, {"name": "Ada Lovelace", "email": email})


async def test_asking_done_linking_and_saving(crowded: World) -> None:
    assert "sent your name" in text_of(await (await ask(crowded)).message())
    first = await crowded.discord.direct_message(HOST)
    second = await crowded.discord.direct_message(crowded.discord.OWNER)
    for message in (first, second):
        assert "```\nAda Lovelace\n```\n```\nada@example.org\n```" in text_of(message)
        assert labels(message) == ["Done"]
    # no seat is free: nothing happens but a sentence
    refused = await press(crowded, first, "Done", HOST)
    assert "No seat is free" in text_of(await refused.message())
    assert "ada@example.org" in text_of(crowded.discord.messages[first["id"]])
    assert await crowded.bot.seats.free(MemberId(BEN))
    freed = await crowded.discord.direct_message(BEN)
    assert "has freed your seat" in text_of(freed)
    # the first Done wins; the address is gone from both messages
    await (await press(crowded, first, "Done", HOST)).message()
    for message in (first, second):
        said = await newest(crowded, message, "has a seat")
        assert "ada@example.org" not in said
        assert "Lovelace" not in said
        assert labels(crowded.discord.messages[message["id"]]) == []
    told = await crowded.discord.direct_message(ADA)
    assert "added you" in text_of(told)
    again = await crowded.discord.press(crowded.discord.OWNER, f"seat-done:{ADA}", second)
    assert "already been answered" in text_of(await again.message())
    assert len(crowded.discord.direct_messages[ADA]) == 1
    # the member links from there, and what waited is saved
    offer = await (await press(crowded, told, "Link Spotify")).message()
    await link_in_browser(crowded, label(offer, "Link Spotify")["url"])
    await crowded.idle()
    assert crowded.saved() == [FIRST]


async def test_what_is_no_address_is_refused_and_can_be_corrected(crowded: World) -> None:
    message = await (await ask(crowded, "nonsense")).message()
    assert labels(message) == ["Ask for a seat"]
    assert HOST not in crowded.discord.direct_messages


async def test_asking_twice_reaches_the_hosts_once(crowded: World) -> None:
    await (await ask(crowded)).message()
    await crowded.discord.direct_message(HOST)
    assert "already asked" in text_of(await (await ask(crowded)).message())
    await crowded.idle(BEN)
    assert len(crowded.discord.direct_messages[HOST]) == 1


async def test_nobody_but_a_host_can_press_done_or_see_and_free_seats(crowded: World) -> None:
    await (await ask(crowded)).message()
    message = await crowded.discord.direct_message(HOST)
    uses = [f"seat-done:{ADA}", "seats:0", f"seat-ask-free:{BEN}:0", f"seat-free:{BEN}:0"]
    for custom_id in uses:
        pressed = await crowded.discord.press(CHLOE, custom_id, message)
        assert "Only the host" in text_of(await pressed.message())
    assert "Only the host" in text_of(await (await crowded.discord.slash(CHLOE, "seats")).message())
    assert len((await crowded.bot.seats.seats()).taken) == 1
    request = await crowded.bot.seats.request(MemberId(ADA))
    assert request is not None
    assert request.email == "ada@example.org"


async def test_unlink_takes_the_address_out_of_the_hosts_messages(crowded: World) -> None:
    await (await ask(crowded)).message()
    message = await crowded.discord.direct_message(HOST)
    await crowded.idle(BEN)
    await crowded.bot.linking.unlink(MemberId(ADA))
    assert "ada@example.org" not in await newest(crowded, message, "has deleted what")


async def test_a_host_sees_and_frees_a_seat_after_a_question(crowded: World) -> None:
    message = await (await crowded.discord.slash(HOST, "seats")).message()
    assert "1 of 1 seat is taken" in text_of(message)
    assert f"<@{BEN}>" in text_of(message)
    question = await (await press(crowded, message, "Free seat", HOST)).message()
    assert labels(question) == ["Free seat", "Cancel"]
    assert "0 of 1 seat is taken" in text_of(await (await press(crowded, question, "Free seat", HOST)).message())
    assert "has freed your seat" in text_of(await crowded.discord.direct_message(BEN))
    held = await (await crowded.save(FIRST, BEN)).message()
    assert "has freed your seat" in text_of(held)


async def test_a_held_seat_is_listed_and_can_be_freed(crowded: World) -> None:
    await (await ask(crowded)).message()
    request = await crowded.discord.direct_message(HOST)
    await crowded.bot.seats.free(MemberId(BEN))
    await (await press(crowded, request, "Done", HOST)).message()
    await crowded.discord.direct_message(ADA)
    message = await (await crowded.discord.slash(HOST, "seats")).message()
    assert "1 of 1 seat is taken" in text_of(message)
    assert f"<@{ADA}>, added" in text_of(message)
    assert "not linked yet" in text_of(message)
    assert "Held until" in text_of(message)
    question = await (await press(crowded, message, "Free seat", HOST)).message()
    assert "0 of 1 seat is taken" in text_of(await (await press(crowded, question, "Free seat", HOST)).message())
    async with asyncio.timeout(60):
        while len(crowded.discord.direct_messages[ADA]) < 2:
            await asyncio.sleep(0.01)
    assert "no longer holds a seat" in text_of(crowded.discord.direct_messages[ADA][-1])
    offer = await (await crowded.discord.slash(BEN, "link")).message()
    assert labels(offer)[0] == "Link Spotify"


async def test_a_host_who_accepted_no_messages_finds_the_request_in_seats_and_can_have_it_sent(crowded: World) -> None:
    crowded.discord.refuses_direct_messages.add(HOST)
    await (await ask(crowded)).message()
    await crowded.discord.direct_message(crowded.discord.OWNER)
    await crowded.idle(BEN)
    message = await (await crowded.discord.slash(HOST, "seats")).message()
    assert f"<@{ADA}> asked for a seat" in text_of(message)
    assert "ada@example.org" not in text_of(message)
    stranger = await press(crowded, message, "Send again", CHLOE)
    assert "Only the host" in text_of(await stranger.message())
    crowded.discord.refuses_direct_messages.clear()
    assert "I am sending you the request" in text_of(
        await (await press(crowded, message, "Send again", HOST)).message()
    )
    request = await crowded.discord.direct_message(HOST, 60)
    assert "ada@example.org" in text_of(request)
    await crowded.bot.linking.unlink(MemberId(ADA))
    assert "ada@example.org" not in await newest(crowded, request, "has deleted what")
    assert "asked for a seat" not in text_of(await (await crowded.discord.slash(HOST, "seats")).message())


@pytest.mark.parametrize("when", ["asked", "given", "linked"])
@pytest.mark.parametrize("command", ["unlink", "forget"])
async def test_whoever_asked_for_a_seat_leaves_nothing_in_the_messages_to_the_hosts(
    crowded: World, command: str, when: str
) -> None:
    await (await ask(crowded)).message()
    message = await crowded.discord.direct_message(HOST)
    if when != "asked":
        await crowded.bot.seats.free(MemberId(BEN))
        await (await press(crowded, message, "Done", HOST)).message()
    if when == "linked":
        offer = await (await press(crowded, await crowded.discord.direct_message(ADA), "Link Spotify")).message()
        await link_in_browser(crowded, label(offer, "Link Spotify")["url"])
    await crowded.idle(ADA if when == "linked" else BEN)
    await (crowded.bot.linking.unlink if command == "unlink" else crowded.bot.linking.forget)(MemberId(ADA))
    await newest(crowded, message, "has deleted what")
    await crowded.idle(BEN)
    await crowded.bot.storage.database.truncate_log()
    for name in ("gatefold.db", "gatefold.db-wal"):
        bytes_ = (crowded.settings.database_path.parent / name).read_bytes()
        for trace in (str(ADA).encode(), ADA.to_bytes(8, "big"), b"ada@example.org", b"Lovelace"):
            assert trace not in bytes_, trace


async def test_an_alert_reaches_every_host(crowded: World) -> None:
    crowded.bot.alerts.raise_(Cause.BACKUP, Facts(reason="no room"))
    for host in (HOST, crowded.discord.OWNER):
        assert "because you are a host" in text_of(await crowded.discord.direct_message(host))


# -- renewing


async def test_a_reminder_has_a_button_that_renews_and_account_turns_reminders_off(world: World) -> None:
    await world.link(ADA)
    ends_at = int((datetime.now(UTC) + timedelta(days=14)).timestamp())
    reminder = Message(RENEWAL, f"{ADA}:0:14", Direct(MemberId(ADA)), {"ends_at": ends_at}, "en-US")
    await world.bot.storage.outbox.add(reminder, datetime.now(UTC))
    message = await world.discord.direct_message(ADA)
    assert f"Yours ends <t:{ends_at}:R>." in text_of(message)
    offer = await (await press(world, message, "Renew")).message()
    assert "Renewed" in await link_in_browser(world, label(offer, "Link again")["url"])
    shown = await (await world.discord.slash(ADA, "account")).message()
    off = await (await press(world, shown, "Stop reminders")).message()
    assert not await world.bot.renewals.is_wanted(MemberId(ADA))
    assert "I will not remind you." in text_of(off)
    await (await press(world, off, "Remind me")).message()
    assert await world.bot.renewals.is_wanted(MemberId(ADA))


async def test_where_direct_messages_are_closed_the_next_answer_carries_the_reminder_once(world: World) -> None:
    await world.link(ADA)
    world.discord.refuses_direct_messages.add(ADA)
    ends_at = int((datetime.now(UTC) + timedelta(days=14)).timestamp())
    reminder = Message(RENEWAL, f"{ADA}:0:14", Direct(MemberId(ADA)), {"ends_at": ends_at}, "en-US")
    await world.bot.storage.outbox.add(reminder, datetime.now(UTC))
    await world.idle()
    first = text_of(await (await world.save(FIRST)).message())
    assert "Spotify access expires every six months." in first
    assert "expires" not in text_of(await (await world.unsave(FIRST)).message())
