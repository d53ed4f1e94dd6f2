"""The demo: its page, its switches and its clock, over HTTP, with the real bot behind them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import discord
import pytest

from bot.caller import MemberId
from bot.sandbox import demo
from bot.sandbox.components import flatten
from bot.sandbox.stage import Stage, set_up
from bot.sandbox.story import follow
from bot.storage.links import Link
from tests.sandbox.linking import link

simcord = pytest.importorskip("simcord")

ALBUM, OTHER = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX"
WAIT_S = 60


@dataclass
class Visit:
    """Somebody who looks at the demo."""

    stage: Stage
    address: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.get(f"{self.address}{path}", headers=headers) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, fields: dict[str, Any], **headers: str) -> int:
        async with self.session.post(f"{self.address}demo/{path}", json=fields, headers=headers) as answer:
            return answer.status

    def member(self, name: str) -> str:
        return str(self.stage.members[name].id)

    async def sees(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state that the page is told in which this holds."""
        async with asyncio.timeout(WAIT_S), self.session.get(f"{self.address}demo/events") as events:
            async for line in events.content:
                if line.startswith(b"data: ") and holds(state := json.loads(line[6:])):
                    return state
        raise AssertionError("the demo ended")


@asynccontextmanager
async def visit() -> AsyncIterator[Visit]:
    async with (
        set_up() as stage,
        demo.running(stage) as address,
        aiohttp.ClientSession(read_bufsize=2**20) as session,
    ):
        yield Visit(stage, address, session)


async def in_turn(act: Callable[[], Awaitable[Any]]) -> Any:
    """Act in SimCord's world, once the demo is not showing what the bot did by itself."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return await act()
            except simcord.SetupError:
                await asyncio.sleep(0.05)


def of(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(member for member in state["members"] if member["name"] == name)


async def test_one_address_holds_the_page_the_chat_and_everybodys_picture() -> None:
    async with visit() as guest:
        assert (await guest.get(""))[0] == 200
        status, chat = await guest.get("chat")
        assert status == 200
        assert "/demo/chat.js" in chat
        for path in ("app.js", "demo/demo.js", "demo/demo.css", "demo/chat.css", "demo/chat.js"):
            assert (await guest.get(path))[0] == 200
        for name in ("ada", "ben", "chloe", "gatefold"):
            async with guest.session.get(f"{guest.address}demo/face/{name}.png") as answer:
                assert (await answer.read()).startswith(b"\x89PNG")


async def test_nobody_is_served_under_another_name_or_from_another_page() -> None:
    async with visit() as guest:
        assert (await guest.get("", Host="evil.example"))[0] == 403
        assert await guest.post("mood", {"mood": "down"}, Origin="https://evil.example") == 403
        async with guest.session.post(f"{guest.address}demo/mood", data='{"mood": "down"}') as answer:
            assert answer.status == 415


async def test_odd_requests_are_refused_and_change_nothing() -> None:
    async with visit() as guest:
        assert await guest.post("mood", {"mood": "sad"}) == 400
        assert await guest.post("mood", {}) == 400
        assert await guest.post("clock", {"by": "year"}) == 400
        assert await guest.post("messages", {"member": "1", "on": False}) == 404
        assert await guest.post("apps", {"member": guest.member("Ada"), "command": "Ban", "message": "1"}) == 400
        assert (await guest.get("demo/secrets.txt"))[0] == 404


async def test_a_library_is_shown_as_it_changes() -> None:
    async with visit() as guest:
        await link(guest.stage, "Ada")
        state = await guest.sees(lambda state: bool(of(state, "Ada")["linked"]))
        assert of(state, "Ada")["count"] == 0
        await guest.stage.members["Ada"].slash(guest.stage.channel, "save", albums=ALBUM)
        state = await guest.sees(lambda state: of(state, "Ada")["count"] == 1)
        assert [album["id"] for album in of(state, "Ada")["albums"]] == [ALBUM]
        assert of(state, "Ben")["count"] == 0


async def test_a_member_is_shown_as_linked_only_while_the_bot_says_so() -> None:
    async with visit() as guest:
        stage = guest.stage
        # consent alone is no link: the bot may have been refused since
        stage.spotify.issue_tokens("ben")
        await link(stage, "Ada")
        state = await guest.sees(lambda state: bool(of(state, "Ada")["linked"]))
        assert not of(state, "Ben")["linked"]
        await stage.services.linking.unlink(MemberId(stage.members["Ada"].id))
        await guest.sees(lambda state: not of(state, "Ada")["linked"])


async def test_the_library_of_the_account_that_a_member_linked_is_shown() -> None:
    async with visit() as guest:
        stage = guest.stage
        ben = stage.spotify.accounts["ben"]
        stage.spotify.save(ben, ALBUM)
        now = stage.clock.now()
        ada = stage.members["Ada"].id
        linked = Link(ada, stage.spotify.client_id, ben.account_id, ben.name, now, now, None)
        tokens = stage.spotify.issue_tokens("ben")
        await stage.services.storage.links.put(linked, *tokens, now + timedelta(hours=1))
        state = await guest.sees(lambda state: bool(of(state, "Ada")["linked"]))
        assert (of(state, "Ada")["account"], of(state, "Ada")["count"]) == (ben.name, 1)


async def test_what_was_saved_while_spotify_was_down_arrives_when_it_works_again() -> None:
    async with visit() as guest:
        stage = guest.stage
        await link(stage, "Ada")
        assert await guest.post("mood", {"mood": "down"}) == 200
        await stage.members["Ada"].slash(stage.channel, "save", albums=ALBUM)
        assert not stage.spotify.accounts["ada"].saved
        assert await guest.post("mood", {"mood": "works"}) == 200
        assert await guest.post("clock", {"by": "hour"}) == 200
        await guest.sees(lambda state: of(state, "Ada")["count"] == 1)


async def test_the_daily_limit_ends_by_itself_when_a_day_has_passed() -> None:
    async with visit() as guest:
        stage = guest.stage
        await link(stage, "Ada")
        await guest.post("mood", {"mood": "limit"})
        asked = await stage.members["Ada"].slash(stage.channel, "save", albums=ALBUM)
        assert "daily limit" in str(asked.response.components)
        await guest.post("clock", {"by": "day"})
        state = await guest.sees(lambda state: of(state, "Ada")["count"] == 1)
        assert state["mood"] == "works"


async def test_a_member_who_is_not_on_the_list_is_told_so() -> None:
    async with visit() as guest:
        stage = guest.stage
        await link(stage, "Ben")
        await guest.post("listed", {"account": "ben", "on": False})
        asked = await stage.members["Ben"].slash(stage.channel, "save", albums=ALBUM)
        assert "not on its list" in str(asked.response.components)
        assert not of(await guest.sees(lambda state: True), "Ben")["listed"]


async def test_closed_direct_messages_refuse_the_bot_until_they_are_open_again() -> None:
    async with visit() as guest:
        stage, ben = guest.stage, guest.stage.members["Ben"]
        await guest.post("messages", {"member": guest.member("Ben"), "on": False})
        user = await stage.services.client.fetch_user(ben.id)
        with pytest.raises(discord.Forbidden):
            await user.send("Hello")
        await guest.post("messages", {"member": guest.member("Ben"), "on": True})
        await user.send("Hello")
        state = await guest.sees(lambda state: bool(of(state, "Ben")["messages"]))
        assert of(state, "Ben")["messages"][0]["lines"] == ["Hello"]


async def test_a_message_command_runs_as_the_member_who_used_it() -> None:
    async with visit() as guest:
        stage = guest.stage
        await link(stage, "Chloe")
        posted = await stage.members["Ada"].send(stage.channel, f"https://open.spotify.com/album/{ALBUM}")
        fields = {"member": guest.member("Chloe"), "command": "Save albums", "message": str(posted.id)}
        assert await guest.post("apps", fields) == 200
        state = await guest.sees(lambda state: of(state, "Chloe")["count"] == 1)
        assert of(state, "Ada")["count"] == 0
        assert await guest.post("apps", {**fields, "message": "1"}) == 404


async def test_the_clock_moves_until_a_club_posts_something() -> None:
    async with visit() as guest:
        stage, ada = guest.stage, guest.stage.members["Ada"]

        def posts() -> list[discord.Message]:
            return [message for message in stage.channel.history() if not message.flags.ephemeral]

        assert await guest.post("clock", {"by": "step"}) == 409
        options = {"name": "Night owls", "pick": "vote", "day": "friday", "time": "20:00"}
        shown = await ada.slash(stage.channel, "curate new", **options)
        await ada.click(shown.response.message, label="Start")
        for name, album in (("Ada", ALBUM), ("Ben", OTHER)):
            await stage.members[name].slash(stage.channel, "club nominate", album=album)
        began_at, before = stage.clock.now(), len(posts())
        assert await guest.post("clock", {"by": "step"}) == 200
        await guest.sees(lambda state: stage.clock.now() > began_at and state["passing"] is None)
        assert len(posts()) == before + 1
        assert (stage.clock.now() - began_at).days >= 1


async def test_the_page_after_linking_leads_back_to_the_demo() -> None:
    async with visit() as guest:
        stage, ada = guest.stage, guest.stage.members["Ada"]
        asked = await ada.slash(stage.channel, "link")
        url = next(part["url"] for part in flatten(asked.response.components) if part.get("label") == "Link Spotify")
        page = await follow(url, ada.id, "ada")
        assert f'href="{guest.address}">Open Discord' in page
        assert "https://discord.com" not in page


async def test_members_write_in_the_thread_of_an_album() -> None:
    async with visit() as guest:
        stage, ada = guest.stage, guest.stage.members["Ada"]
        options = {"name": "Night owls", "pick": "vote", "day": "friday", "time": "20:00"}
        shown = await ada.slash(stage.channel, "curate new", **options)
        await ada.click(shown.response.message, label="Start")
        for name, album in (("Ada", ALBUM), ("Ben", OTHER)):
            await stage.members[name].slash(stage.channel, "club nominate", album=album)
        for _ in range(2):
            await guest.post("clock", {"by": "step"})
        thread = (await guest.sees(lambda state: bool(state["threads"])))["threads"][0]
        said = {"member": guest.member("Chloe"), "thread": thread["id"], "text": "The second side is the better one."}
        assert await guest.post("write", said) == 200
        state = await guest.sees(lambda state: bool(state["threads"][0]["messages"]))
        assert state["threads"][0]["messages"][0]["by"] == "Chloe"
        assert await guest.post("write", {**said, "thread": "1"}) == 404


async def test_the_club_book_shows_covers_and_links_of_the_stand_in() -> None:
    async with visit() as guest:
        stage, ada = guest.stage, guest.stage.members["Ada"]
        options = {"name": "Night owls", "pick": "vote", "day": "friday", "time": "20:00"}
        shown = await ada.slash(stage.channel, "curate new", **options)
        await ada.click(shown.response.message, label="Start")
        for name, album in (("Ada", ALBUM), ("Ben", OTHER)):
            await stage.members[name].slash(stage.channel, "club nominate", album=album)
        for _ in range(2):
            await guest.post("clock", {"by": "step"})
        opened = await in_turn(lambda: ada.slash(stage.channel, "curate book on"))
        address = re.search(r"http://127\.0\.0\.1:\d+/club/[\w-]+", str(opened.response.components))
        assert address is not None, str(opened.response.components)
        async with guest.session.get(address[0]) as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assert f"{stage.spotify.base_url}/cover/" in page
        assert f"{stage.spotify.base_url}/album/" in page
        assert "scdn.co" not in page + policy
        assert "https://open.spotify.com/" not in page


@pytest.mark.parametrize(
    ("surroundings", "is_shown"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({}, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}, False),
        ({"DISPLAY": ":0", "CI": "true"}, False),
    ],
)
def test_a_browser_is_opened_only_where_somebody_sees_it(surroundings: dict[str, str], is_shown: bool) -> None:
    assert demo.has_browser(surroundings, "linux", is_terminal=True) is is_shown
    assert not demo.has_browser(surroundings, "linux", is_terminal=False)
    assert demo.has_browser({}, "darwin", is_terminal=True)


async def test_the_members_of_the_demo_have_libraries_of_their_own_from_the_start() -> None:
    async with visit() as guest:
        demo.furnish(guest.stage)
        state = await guest.sees(lambda state: of(state, "Ada")["count"] > 0)
        shelves = [{album["id"] for album in member["albums"]} for member in state["members"]]
        assert [len(shelf) for shelf in shelves] == [demo.OWNED] * 3
        assert not set.intersection(*shelves)
        assert ALBUM not in set.union(*shelves)


async def test_an_action_on_what_was_published_anew_meanwhile_is_not_lost() -> None:
    async with visit() as guest:
        stage = guest.stage
        _, page = await guest.get("")
        capability = re.search(r'src="/chat#([\w-]+)"', page)
        assert capability is not None
        headers = {"X-Simcord-Capability": capability[1]}
        async with guest.session.post(f"{guest.address}api/pages", json={}, headers=headers) as answer:
            seen = await answer.json()
        headers["X-Simcord-Context"] = seen["context"]["id"]
        await stage.members["Chloe"].send(stage.channel, "Something new.")
        await _published(guest, headers, "Something new.")
        action = {
            "protocol_version": seen["protocolVersion"],
            "kind": "send_message",
            "sequence": 1,
            "request_id": "one",
            "generation": seen["context"]["generation"],
            "bot_generation": seen["botGeneration"],
            "published_revision": seen["publishedRevision"],
            "target_id": None,
            "content": "Typed a moment too late.",
            "reply_to_id": None,
        }
        async with guest.session.post(f"{guest.address}api/action", json=action, headers=headers) as answer:
            receipt = await answer.json()
        assert not receipt["rejected"], receipt
        assert stage.channel.last_message.content == "Typed a moment too late."


async def _published(guest: Visit, headers: dict[str, str], text: str) -> None:
    """Until the chat page shows a text."""
    async with asyncio.timeout(WAIT_S):
        while text not in (await guest.get("api/state", **headers))[1]:
            await asyncio.sleep(0.05)
