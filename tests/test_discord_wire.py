"""The wire, driven by the real discord.py (and, where discord.py would not misbehave, by plain aiohttp)."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
import pytest_asyncio
import yarl
from discord import app_commands, ui

from tests.discord_wire import DiscordWire, WireInteraction, buttons, choice_flaws, texts

APP, TOKEN = 4001, "bot-token-of-the-wire"
ADA, BOB = 1001, 1002
V2 = 1 << 15

pytestmark = pytest.mark.asyncio


class Clock:
    """A monotonic clock that a test can push."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Like(ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"like:(?P<count>\d+)"):
    def __init__(self, count: int) -> None:
        super().__init__(ui.Button(label=f"{count} likes", custom_id=f"like:{count}"))
        self.count = count

    @classmethod
    async def from_custom_id(cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str]) -> Like:
        return cls(int(match["count"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(view=card(f"{interaction.user.name} likes it", self.count + 1))


def card(text: str, count: int) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    link = ui.Button[ui.LayoutView](label="Open", url="https://example.org/")
    view.add_item(
        ui.Container(
            ui.Section(ui.TextDisplay(text), accessory=ui.Thumbnail("https://example.org/cover.png")),
            ui.ActionRow(Like(count), link),
            accent_colour=0x336699,
        )
    )
    return view


class Bot(discord.Client):
    def __init__(self, clock: Clock) -> None:
        super().__init__(intents=discord.Intents.none(), max_messages=None, chunk_guilds_at_startup=False)
        self.clock = clock
        self.seen: list[discord.Interaction] = []
        self.errors: list[Exception] = []
        self.done = asyncio.Event()
        tree = self.tree = app_commands.CommandTree(self)

        @tree.command(description="Answers at once")
        async def now(interaction: discord.Interaction) -> None:
            self.seen.append(interaction)
            await interaction.response.send_message(view=card(f"Hello {interaction.user.name}", 1))

        @tree.command(description="Defers")
        async def slow(interaction: discord.Interaction, album: str, followup: bool = False) -> None:
            self.seen.append(interaction)
            await interaction.response.defer(ephemeral=True)
            if followup:
                await interaction.followup.send(view=card(album, 1))
                await interaction.followup.send(view=card("and more", 2), ephemeral=True)
            else:
                await interaction.edit_original_response(view=card(album, 1))

        @slow.autocomplete("album")
        async def albums(interaction: discord.Interaction, text: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=f"{text} {n}", value=f"id{n}") for n in range(3)]

        @tree.command(description="Answers too late")
        async def late(interaction: discord.Interaction, wait_s: int) -> None:
            try:
                if wait_s < 900:
                    self.clock.now += wait_s
                await interaction.response.defer()
                self.clock.now += wait_s
                await interaction.edit_original_response(view=card("late", 1))
            except discord.HTTPException as error:
                self.errors.append(error)
            self.done.set()

        @tree.command(description="Writes a direct message")
        async def whisper(
            interaction: discord.Interaction, member: discord.User, about: app_commands.AppCommandChannel
        ) -> None:
            await interaction.response.defer()
            try:
                await member.send(view=card(f"Psst, {member.name}: {about.name}", 1))
            except discord.Forbidden as error:
                self.errors.append(error)
            await interaction.delete_original_response()
            self.done.set()

        @tree.command(description="Sends a picture")
        async def picture(interaction: discord.Interaction) -> None:
            picture = discord.File(io.BytesIO(b"PNG"), "sleeve.png")
            await interaction.response.send_message(file=picture)

        club = app_commands.Group(name="club", description="Has commands below it")
        tree.add_command(club)

        @club.command(description="Starts one")
        async def start(interaction: discord.Interaction, name: str) -> None:
            await interaction.response.send_message(f"{name} in {interaction.channel}")

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py sleeps 5 s here before it identifies again."""

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Like)
        await self.tree.sync()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def wire(clock: Clock) -> AsyncIterator[DiscordWire]:
    async with DiscordWire(APP, TOKEN, clock=clock).running() as wire:
        yield wire


@pytest_asyncio.fixture
async def bot(wire: DiscordWire, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setattr(discord.http.Route, "BASE", wire.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(wire.gateway_url))
    async with Bot(clock) as bot:
        running = asyncio.create_task(bot.start(TOKEN))
        # Not wait_until_ready(): without the guilds intent discord.py waits 2 s there for servers.
        await asyncio.wait_for(wire.identified.wait(), 3)
        yield bot
        await bot.close()
        await running
    assert not wire.unknown


class Plain:
    """A bot without a library: sends exactly what a test wants."""

    def __init__(self, wire: DiscordWire, http: aiohttp.ClientSession) -> None:
        self.wire, self.http = wire, http

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> SimpleNamespace:
        if body is not None:
            more["json"] = body
        async with self.http.request(method, self.wire.api_url + path, **more) as answer:
            found = await answer.json() if answer.status != 204 else None
            return SimpleNamespace(status=answer.status, json=found, headers=answer.headers)

    async def answer(self, to: WireInteraction, kind: int, data: Any = None) -> SimpleNamespace:
        path = f"/interactions/{to.id}/{to.token}/callback?with_response=true"
        return await self.send("POST", path, {"type": kind, "data": data})


@pytest_asyncio.fixture
async def plain(wire: DiscordWire) -> AsyncIterator[Plain]:
    async with aiohttp.ClientSession() as http, http.ws_connect(wire.gateway_url) as socket:
        await socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": 0}})
        await wire.identified.wait()
        yield Plain(wire, http)


# ---------------------------------------------------------------- with discord.py


async def test_discord_py_logs_in_and_syncs_without_any_intent(wire: DiscordWire, bot: Bot) -> None:
    assert bot.user is not None
    assert bot.user.id == bot.application_id == APP
    assert [identify["intents"] for identify in wire.identifies] == [0]
    assert {command["name"] for command in wire.commands[None]} >= {"now", "slow", "club"}
    assert wire.heartbeats == 1
    assert not wire.problems


async def test_a_second_sync_keeps_the_ids_of_the_commands(wire: DiscordWire, bot: Bot) -> None:
    before = {command["name"]: command["id"] for command in wire.commands[None]}
    synced = await bot.tree.sync()
    assert {command.name: str(command.id) for command in synced} == before
    await bot.tree.sync(guild=discord.Object(wire.GUILD))
    assert wire.commands[wire.GUILD] == []


async def test_a_slash_command_is_answered_at_once_with_a_layout(wire: DiscordWire, bot: Bot) -> None:
    interaction = await wire.slash(ADA, "now", locale="de", guild_locale="fr")
    message = await interaction.message()
    assert texts(message) == ["Hello ada"]
    assert [button["label"] for button in buttons(message)] == ["1 likes", "Open"]
    assert (await interaction.answered())["type"] == 4
    assert interaction.answered_at is not None
    seen = bot.seen[0]
    assert (seen.locale, seen.guild_locale) == (discord.Locale.german, discord.Locale.french)
    assert isinstance(seen.user, discord.Member)
    assert isinstance(seen.channel, discord.TextChannel)
    assert (seen.guild_id, seen.channel_id) == (wire.GUILD, wire.CHANNEL)
    assert seen.is_guild_integration()
    assert not seen.is_expired()
    assert not wire.problems


@pytest.mark.parametrize(
    ("context", "channel"), [(1, discord.DMChannel), (2, discord.GroupChannel)], ids=["bot", "group"]
)
async def test_a_command_works_outside_of_servers(wire: DiscordWire, bot: Bot, context: int, channel: type) -> None:
    interaction = await wire.slash(BOB, "now", user_name="bob", context=context, user_install=context == 2)
    message = await interaction.message()
    assert texts(message) == ["Hello bob"]
    seen = bot.seen[0]
    assert isinstance(seen.user, discord.User)
    assert isinstance(seen.channel, channel)
    assert seen.guild_id is None
    assert (seen.context.dm_channel, seen.context.private_channel) == (context == 1, context == 2)
    assert seen.is_user_integration() == (context == 2)
    pressed = await wire.press(BOB, "like:1", message)
    assert pressed.payload["context"] == context
    assert texts(await pressed.message()) == ["bob likes it"]


async def test_a_deferred_answer_shows_with_its_edit_and_stays_private(wire: DiscordWire, bot: Bot) -> None:
    interaction = await wire.slash(ADA, "slow", {"album": "Aja"})
    message = await interaction.message()
    assert (await interaction.answered())["type"] == 5
    assert texts(message) == ["Aja"]
    assert message["flags"] == V2 | 64
    assert len(interaction.edits) == len(interaction.history) == 1
    assert bot.seen[0].namespace.album == "Aja"
    assert not wire.problems


async def test_the_first_followup_fills_a_deferred_answer(wire: DiscordWire, bot: Bot) -> None:
    interaction = await wire.slash(ADA, "slow", {"album": "Aja", "followup": True})
    assert texts(await interaction.message()) == ["Aja"]
    more = await interaction.followup()
    assert texts(more) == ["and more"]
    assert more["id"] != interaction.original_id
    assert not wire.problems


async def test_autocomplete_brings_the_choices_to_the_member(wire: DiscordWire, bot: Bot) -> None:
    typing = await wire.autocomplete(ADA, "slow", "album", "Aj", {"followup": True})
    await typing.answered()
    assert [choice["name"] for choice in typing.choices] == ["Aj 0", "Aj 1", "Aj 2"]
    assert not wire.problems


async def test_subcommands_are_nested_as_discord_does_it(wire: DiscordWire, bot: Bot) -> None:
    interaction = await wire.slash(ADA, "club start", {"name": "Tuesday"})
    assert texts(await interaction.message()) == ["Tuesday in records"]


async def test_a_command_that_was_not_synced_cannot_be_used(wire: DiscordWire, bot: Bot) -> None:
    with pytest.raises(LookupError, match="nothing"):
        await wire.slash(ADA, "nothing")


async def test_a_press_edits_the_message_that_it_stands_on(wire: DiscordWire, bot: Bot) -> None:
    message = await (await wire.slash(ADA, "now")).message()
    first = await wire.press(BOB, "like:1", message, user_name="bob")
    assert texts(await first.message()) == ["bob likes it"]
    second = await wire.press(ADA, "like:2", message)
    newest = await second.message()
    assert [button["label"] for button in buttons(newest)] == ["3 likes", "Open"]
    assert newest["id"] == message["id"] == first.original_id
    assert wire.messages[message["id"]] == newest
    assert not wire.problems


async def test_a_direct_message_arrives_and_its_buttons_work(wire: DiscordWire, bot: Bot) -> None:
    deferred = await wire.slash(BOB, "whisper", {"member": str(ADA), "about": str(wire.CHANNEL)})
    message = await wire.direct_message(ADA)
    assert texts(message) == ["Psst, ada: records"]
    pressed = await wire.press(ADA, "like:1", message)
    assert pressed.payload["context"] == 1
    assert texts(await pressed.message()) == ["ada likes it"]
    assert texts(wire.direct_messages[ADA][0]) == ["ada likes it"]
    await asyncio.wait_for(bot.done.wait(), 3)
    assert deferred.deleted
    with pytest.raises(TimeoutError, match="no direct message"):
        await wire.direct_message(ADA, timeout=0.01)


async def test_a_member_can_refuse_direct_messages(wire: DiscordWire, bot: Bot) -> None:
    wire.refuses_direct_messages.add(ADA)
    deferred = await wire.slash(BOB, "whisper", {"member": str(ADA), "about": str(wire.CHANNEL)})
    await asyncio.wait_for(bot.done.wait(), 3)
    assert deferred.deleted
    assert [getattr(error, "code", None) for error in bot.errors] == [50007]
    assert wire.direct_messages == {}


async def test_an_attached_picture_arrives_with_its_bytes(wire: DiscordWire, bot: Bot) -> None:
    message = await (await wire.slash(ADA, "picture")).message()
    assert [attachment["filename"] for attachment in message["attachments"]] == ["sleeve.png"]
    assert wire.requests[-1].files == {"sleeve.png": b"PNG"}
    assert not wire.problems


async def test_the_bot_edits_and_deletes_its_own_channel_messages(wire: DiscordWire, bot: Bot) -> None:
    channel = bot.get_partial_messageable(wire.CHANNEL)
    sent = await channel.send(view=card("Round 1", 1))
    await channel.get_partial_message(sent.id).edit(view=card("Round 2", 1))
    assert [texts(message) for message in wire.channel_messages[wire.CHANNEL]] == [["Round 2"]]
    await channel.get_partial_message(sent.id).delete()
    with pytest.raises(discord.NotFound):
        await channel.get_partial_message(sent.id).delete()


@pytest.mark.parametrize("how", ["closed", "cut", "reconnect", "invalid but resumable"])
async def test_a_lost_gateway_is_resumed_and_what_was_missed_is_replayed(wire: DiscordWire, bot: Bot, how: str) -> None:
    if how == "reconnect":
        await wire.request_reconnect()
    elif how == "invalid but resumable":
        await wire.invalid_session(True)
    else:
        await wire.drop_gateway(4000 if how == "closed" else None)
    interaction = await wire.slash(ADA, "now")
    await asyncio.wait_for(wire.resumed.wait(), 3)
    assert texts(await interaction.message()) == ["Hello ada"]
    assert len(wire.identifies) == 1
    assert len(bot.seen) == 1


@pytest.mark.parametrize("how", ["op 9", "refused resume"])
async def test_a_forgotten_session_makes_the_bot_identify_anew(wire: DiscordWire, bot: Bot, how: str) -> None:
    if how == "op 9":
        await wire.invalid_session(False)
    else:
        await wire.drop_gateway(4000, forget=True)
    await asyncio.wait_for(wire.identified.wait(), 3)
    assert texts(await (await wire.slash(ADA, "now")).message()) == ["Hello ada"]
    assert len(wire.identifies) == 2


async def test_a_429_is_retried_by_discord_py(wire: DiscordWire, bot: Bot) -> None:
    wire.fault("POST", "/interactions/*/callback", status=429, times=2)
    interaction = await wire.slash(ADA, "now")
    assert texts(await interaction.message()) == ["Hello ada"]
    callbacks = [request for request in wire.requests if request.path.endswith("/callback")]
    assert [request.status for request in callbacks] == [429, 429, 200]
    assert wire.invalid_requests == 2


async def test_a_429_without_via_is_taken_for_a_ban(wire: DiscordWire, bot: Bot) -> None:
    wire.fault("POST", "/channels/*/messages", status=429, headers={"Via": ""})
    with pytest.raises(discord.HTTPException):
        await bot.get_partial_messageable(wire.CHANNEL).send("hello")
    assert wire.requests[-1].status == 429


async def test_an_answer_after_three_seconds_is_refused_and_recorded(wire: DiscordWire, bot: Bot) -> None:
    interaction = await wire.slash(ADA, "late", {"wait_s": 4})
    await asyncio.wait_for(bot.done.wait(), 3)
    assert [getattr(error, "code", None) for error in bot.errors] == [10062]
    assert wire.problems == ["10062 /late answered after 4.0 s"]
    assert interaction.answered_at is None


async def test_a_token_dies_after_fifteen_minutes(wire: DiscordWire, bot: Bot) -> None:
    await wire.slash(ADA, "late", {"wait_s": 901})
    await asyncio.wait_for(bot.done.wait(), 3)
    assert [(getattr(e, "status", None), getattr(e, "code", None)) for e in bot.errors] == [(401, 50027)]
    assert wire.problems == ["50027 token of /late used after 901 s"]


async def test_a_wrong_token_does_not_log_in(wire: DiscordWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.http.Route, "BASE", wire.api_url)
    async with Bot(Clock()) as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login("another")


async def test_the_wire_knows_every_secret_that_a_log_must_not_hold(
    wire: DiscordWire, bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    interaction = await wire.slash(ADA, "now")
    await interaction.message()
    assert {TOKEN, interaction.token} <= wire.secrets
    assert not [secret for secret in wire.secrets if secret in caplog.text]
    assert interaction.token not in repr(interaction)


# ---------------------------------------------------------------- with plain aiohttp


def text(content: str = "x") -> dict[str, Any]:
    return {"type": 10, "content": content}


def button(**more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 2, "label": "Save", "custom_id": "save:1"} | more


def row(*children: Any) -> dict[str, Any]:
    return {"type": 1, "components": list(children)}


def section(*children: Any, **more: Any) -> dict[str, Any]:
    return {"type": 9, "components": list(children)} | more


def link(url: str) -> dict[str, Any]:
    return {"type": 2, "style": 5, "label": "Open", "url": url}


THUMBNAIL = {"type": 11, "media": {"url": "https://example.org/1.png"}}
SELECT: dict[str, Any] = {"type": 3, "custom_id": "pick", "options": [{"label": "1", "value": "1"}]}
LONGEST_LINK = "https://example.org/" + "x" * 492

FITS = {
    "40 components": [{"type": 17, "components": [text() for _ in range(39)]}],
    "4000 characters": [text("x" * 2000), text("y" * 2000)],
    "the longest button": [row(button(label="x" * 80, custom_id="y" * 100), link(LONGEST_LINK))],
    "5 buttons": [row(*[button(custom_id=f"save:{n}") for n in range(5)])],
    "3 texts": [section(text(), text(), text(), accessory=THUMBNAIL)],
    "a select": [row(SELECT)],
}
BREAKS = {
    "40 components are too many": [{"type": 17, "components": [text() for _ in range(40)]}],
    "accessories count": [section(text(), accessory=THUMBNAIL) for _ in range(14)],
    "4001 characters": [text("x" * 2000), {"type": 17, "components": [text("y" * 2001)]}],
    "an empty text": [text("")],
    "a label of 81": [row(button(label="x" * 81))],
    "a custom_id of 101": [row(button(custom_id="x" * 101))],
    "a link of 513": [row(link(LONGEST_LINK + "x"))],
    "a link that is none": [row(link("javascript:alert(1)"))],
    "a link button with a custom_id": [row(link("https://example.org/") | {"custom_id": "x"})],
    "a button without words": [row(button(label=None))],
    "6 buttons": [row(*[button(custom_id=f"save:{n}") for n in range(6)])],
    "an empty row": [row()],
    "a select beside a button": [row(SELECT, button())],
    "26 options": [row(SELECT | {"options": [{"label": "1", "value": str(place)} for place in range(26)]})],
    "one value twice": [row(SELECT | {"options": SELECT["options"] * 2})],
    "more chosen than there are": [row(SELECT | {"max_values": 2})],
    "no options": [row(SELECT | {"options": []})],
    "4 texts": [section(text(), text(), text(), text(), accessory=THUMBNAIL)],
    "no text": [section(accessory=THUMBNAIL)],
    "no accessory": [section(text())],
    "a row as accessory": [section(text(), accessory=row(button()))],
    "a button without a row": [{"type": 17, "components": [button()]}],
    "a container in a container": [{"type": 17, "components": [{"type": 17, "components": [text()]}]}],
    "one custom_id twice": [row(button(), button())],
}


@pytest.mark.parametrize("components", FITS.values(), ids=FITS)
async def test_a_layout_within_the_limits_is_taken(plain: Plain, components: list[Any]) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    answer = await plain.answer(interaction, 4, {"flags": V2, "components": components})
    assert (answer.status, plain.wire.problems) == (200, [])
    shown = answer.json["resource"]["message"]
    assert texts(shown) == texts({"components": components})
    assert buttons({"components": components}) == [
        {key: value for key, value in one.items() if key != "id"} for one in buttons(shown)
    ]


@pytest.mark.parametrize("components", BREAKS.values(), ids=BREAKS)
async def test_a_layout_beyond_the_limits_is_refused_and_recorded(plain: Plain, components: list[Any]) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    answer = await plain.answer(interaction, 4, {"flags": V2, "components": components})
    assert (answer.status, answer.json["code"]) == (400, 50035)
    assert len(plain.wire.problems) == 1
    assert plain.wire.problems[0].startswith("50035 /any: ")
    with pytest.raises(TimeoutError, match="refused: 50035"):
        await interaction.message(timeout=0.01)


@pytest.mark.parametrize(
    "data",
    [
        {"flags": V2, "components": [text()], "content": "too"},
        {"flags": V2, "components": [text()], "embeds": [{"title": "too"}]},
        {"components": [text()]},
        {"content": "x" * 2001},
        {"content": "x", "flags": 1 << 4},
    ],
    ids=["content", "embeds", "no flag", "2001 characters", "a strange flag"],
)
async def test_what_does_not_go_together_is_refused(plain: Plain, data: Any) -> None:
    answer = await plain.answer(await plain.wire.slash(ADA, "any"), 4, data)
    assert (answer.status, answer.json["code"]) == (400, 50035)
    assert len(plain.wire.problems) == 1


async def test_a_refused_answer_can_be_given_again(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    assert (await plain.answer(interaction, 4, {"content": ""})).json["code"] == 50006
    assert (await plain.answer(interaction, 4, {"content": "x"})).status == 200


async def test_an_edit_is_checked_together_with_what_stands_there(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    await plain.answer(interaction, 4, {"content": "old"})
    path = f"/webhooks/{APP}/{interaction.token}/messages/@original"
    assert (await plain.send("PATCH", path, {"flags": V2, "components": [text()]})).status == 400
    assert "beside Components V2" in plain.wire.problems[0]
    new = {"flags": V2, "components": [text("new")], "content": None}
    assert (await plain.send("PATCH", path.replace("@", "%40"), new)).status == 200
    assert texts(await interaction.message(version=2)) == ["new"]
    assert [texts(version) for version in interaction.history] == [["old"], ["new"]]


async def test_components_get_the_ids_that_the_bot_left_out(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    components = [text(), {"type": 10, "content": "mine", "id": 1}, row(button())]
    message = (await plain.answer(interaction, 4, {"flags": V2, "components": components})).json["resource"]
    assert [part["id"] for part in message["message"]["components"]] == [2, 1, 3]
    assert buttons(message["message"])[0]["id"] == 4
    assert "id" not in plain.wire.requests[-1].body["data"]["components"][0]


async def test_a_second_answer_is_refused(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    assert (await plain.answer(interaction, 5)).status == 200
    answer = await plain.answer(interaction, 4, {"content": "again"})
    assert (answer.status, answer.json["code"]) == (400, 40060)
    assert plain.wire.problems == ["40060 /any answered twice"]


async def test_an_unknown_token_is_refused(plain: Plain) -> None:
    answer = await plain.send("POST", "/interactions/1/nothing/callback", {"type": 5})
    assert (answer.status, answer.json["code"]) == (404, 10062)
    answer = await plain.send("PATCH", f"/webhooks/{APP}/nothing/messages/@original", {"content": "x"})
    assert (answer.status, answer.json["code"]) == (401, 50027)
    assert [problem[:5] for problem in plain.wire.problems] == ["10062", "50027"]


async def test_of_a_defer_only_the_ephemeral_flag_is_kept(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    await plain.answer(interaction, 5, {"flags": 64 | V2, "content": "lost"})
    path = f"/webhooks/{APP}/{interaction.token}/messages/@original"
    original = (await plain.send("GET", path)).json
    assert (original["flags"], original["content"]) == (64 | 128, "")
    await plain.send("PATCH", path, {"content": "public, please", "flags": 0})
    assert (await interaction.message())["flags"] == 64


async def test_nothing_can_be_edited_before_the_answer_and_after_the_deletion(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    path = f"/webhooks/{APP}/{interaction.token}/messages/@original"
    assert (await plain.send("PATCH", path, {"content": "x"})).json["code"] == 10015
    await plain.answer(interaction, 4, {"content": "x"})
    assert (await plain.send("DELETE", path)).status == 204
    assert (await plain.send("PATCH", path, {"content": "y"})).json["code"] == 10008
    assert interaction.deleted


async def test_each_kind_of_interaction_takes_only_its_own_answers(plain: Plain) -> None:
    assert (await plain.answer(await plain.wire.slash(ADA, "any"), 7, {"content": "x"})).status == 400
    assert (await plain.answer(await plain.wire.slash(ADA, "any"), 8, {"choices": []})).status == 400
    typing = await plain.wire.autocomplete(ADA, "any", "album", "a")
    assert (await plain.answer(typing, 4, {"content": "x"})).status == 400
    assert (await plain.answer(typing, 8, {"choices": []})).status == 200


@pytest.mark.parametrize(
    "choices",
    [
        [(f"n{number}", f"v{number}") for number in range(26)],
        [("", "v")],
        [("n" * 101, "v")],
        [("n", "v" * 101)],
        [("n", "v"), ("m", "v")],
        [("n", "v"), ("n", "w")],
    ],
    ids=["26", "no name", "long name", "long value", "same value", "same name"],
)
async def test_bad_choices_are_refused(plain: Plain, choices: list[tuple[str, str]]) -> None:
    typing = await plain.wire.autocomplete(ADA, "any", "album", "a")
    offered = [{"name": name, "value": value} for name, value in choices]
    assert (await plain.answer(typing, 8, {"choices": offered})).json["code"] == 50035
    assert len(plain.wire.problems) == len(list(choice_flaws(offered))) == 1
    assert typing.choices == []


async def test_without_with_response_a_callback_is_answered_with_nothing(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    assert (await plain.send("POST", path, {"type": 4, "data": {"content": "x"}})).status == 204
    assert (await interaction.message())["content"] == "x"


async def test_the_answer_can_be_lost_although_it_was_carried_out(plain: Plain) -> None:
    plain.wire.fault("POST", "/interactions/*/callback", status=0, applied=True)
    interaction = await plain.wire.slash(ADA, "any")
    with pytest.raises(aiohttp.ClientError):
        await plain.answer(interaction, 4, {"content": "x"})
    assert (await interaction.message())["content"] == "x"
    assert (await plain.answer(interaction, 4, {"content": "x"})).json["code"] == 40060


async def test_a_fault_can_be_meant_for_one_member_alone(plain: Plain) -> None:
    plain.wire.fault("POST", "/interactions/*/callback", status=503, user_id=ADA)
    theirs, hers = await plain.wire.slash(ADA + 1, "any"), await plain.wire.slash(ADA, "any")
    assert (await plain.answer(theirs, 4, {"content": "x"})).status == 200
    assert (await plain.answer(hers, 4, {"content": "x"})).status == 503
    assert (await plain.answer(hers, 4, {"content": "x"})).status == 200


async def test_a_fault_can_only_be_late(plain: Plain) -> None:
    plain.wire.fault("GET", "/gateway", delay_s=0.01, times=2)
    before = asyncio.get_running_loop().time()
    assert (await plain.send("GET", "/gateway")).json == {"url": plain.wire.gateway_url}
    assert asyncio.get_running_loop().time() - before >= 0.01


async def test_what_the_wire_does_not_know_is_answered_404_and_recorded(plain: Plain) -> None:
    bot = {"Authorization": f"Bot {TOKEN}"}
    answer = await plain.send("GET", "/guilds/1", headers=bot)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert [request.path for request in plain.wire.unknown] == ["/guilds/1"]
    assert (await plain.send("GET", "/gateway/bot")).status == 401


async def test_a_malformed_body_is_refused_and_recorded(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    answer = await plain.answer(interaction, 4, {"flags": V2, "components": ["text"]})
    assert (answer.status, answer.json["code"]) == (400, 50035)
    assert "malformed" in plain.wire.problems[0]


@pytest.mark.parametrize(
    ("identify", "code"),
    [({"token": "another", "intents": 0}, 4004), ({"token": TOKEN, "intents": 1 << 15}, 4014)],
    ids=["token", "privileged intent"],
)
async def test_the_gateway_turns_away(wire: DiscordWire, identify: Any, code: int) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(wire.gateway_url) as socket:
        assert (await socket.receive_json())["op"] == 10
        await socket.send_json({"op": 2, "d": identify})
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == code


async def test_servers_reach_their_shard_and_direct_messages_the_first(wire: DiscordWire) -> None:
    wire.shards = 2
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(wire.gateway_url) as first,
        http.ws_connect(wire.gateway_url) as second,
    ):
        for shard, socket in enumerate((first, second)):
            await socket.receive()
            await socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": 0, "shard": [shard, 2]}})
            assert (await socket.receive_json())["d"]["shard"] == [shard, 2]
        await wire.slash(ADA, "any", guild_id=1 << 22)
        assert (await second.receive_json())["d"]["guild_id"] == str(1 << 22)
        await wire.slash(ADA, "any", context=1)
        assert (await first.receive_json())["d"]["user"]["id"] == str(ADA)


async def test_an_oauth_code_tells_once_who_agreed(wire: DiscordWire) -> None:
    back = "https://gatefold.example/link/discord"
    code = wire.oauth_code(ADA, back, user_name="ada")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    basic = {"Authorization": aiohttp.encode_basic_auth(str(APP), "wire-client-secret")}
    async with aiohttp.ClientSession() as http:
        plain = Plain(wire, http)
        wrong = {**form, "client_id": str(APP), "client_secret": "no"}
        assert (await plain.send("POST", "/oauth2/token", data=wrong)).status == 401
        token = (await plain.send("POST", "/oauth2/token", data=form, headers=basic)).json
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        assert (await plain.send("GET", "/users/@me", headers=bearer)).json["id"] == str(ADA)
        again = await plain.send("POST", "/oauth2/token", data=form, headers=basic)
        assert (again.status, again.json["error"]) == (400, "invalid_grant")
        other = {**form, "code": wire.oauth_code(ADA, "https://elsewhere.example/")}
        assert (await plain.send("POST", "/oauth2/token", data=other, headers=basic)).status == 400
    assert {code, token["access_token"]} <= wire.secrets


async def test_ids_only_grow(wire: DiscordWire) -> None:
    ids = [wire.snowflake() for _ in range(1000)]
    assert ids == sorted(set(ids))
    made = discord.utils.snowflake_time(ids[0])
    assert abs((discord.utils.utcnow() - made).total_seconds()) < 5


async def test_after_an_outage_the_same_port_still_knows_its_messages(clock: Clock) -> None:
    wire = DiscordWire(APP, TOKEN, clock=clock)
    async with aiohttp.ClientSession() as http:
        async with wire.running():
            channel = Plain(wire, http)
            bot = {"Authorization": f"Bot {TOKEN}"}
            sent = await channel.send("POST", "/channels/7/messages", {"content": "x"}, headers=bot)
            port = yarl.URL(wire.api_url).port
        assert port is not None
        with pytest.raises(aiohttp.ClientConnectorError):
            await channel.send("GET", "/gateway")
        async with wire.running(port=port):
            path = f"/channels/7/messages/{sent.json['id']}"
            assert (await channel.send("GET", path, headers=bot)).json == sent.json


async def test_a_soak_can_forget_what_was_recorded(plain: Plain) -> None:
    interaction = await plain.wire.slash(ADA, "any")
    await plain.answer(interaction, 4, {"content": "x"})
    plain.wire.forget()
    assert not plain.wire.requests
    assert not plain.wire.messages
    assert interaction.token not in plain.wire.secrets
    assert TOKEN in plain.wire.secrets
    assert (await plain.answer(interaction, 4, {"content": "x"})).json["code"] == 10062
