"""Every `custom_id`, and interactions of odd shapes, by the way that real ones take: one private answer to each."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.chat.components import Audience, Component, CustomId, Source
from tests.chat.features import every_feature
from tests.discord_wire import AUTOCOMPLETE, COMMAND, COMPONENT, EPHEMERAL, MODAL, WireInteraction, texts
from tests.world import ADA, BEN, FIRST, World

ELSEWHERE = 777_000_000_000_000_001
"""A server that never invited the bot: a member brought it along."""
BROKE = ("a command broke", "an event broke", "Traceback", "Ignoring exception")

COMPONENTS = [component for feature in every_feature() for component in feature.components]
OWNED = [component for component in COMPONENTS if component.audience is Audience.OWNER]
verbs = st.one_of(
    st.sampled_from(sorted(component.verb for component in COMPONENTS)),
    st.sampled_from(["SAVE", "save ", "s\u0430ve", "undo\x00", "unlinked", ""]),
)
arguments = st.one_of(
    st.text(max_size=60),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["0", "00", "-1", "+1", "1e9", "1_000", " 1", "1\n", "\u0661\u0662", "\uff11", "9" * 19, "9" * 90, "NaN"]
    ),
    st.sampled_from(
        [FIRST[:-1], FIRST + "x", FIRST[:-1] + "\u00e9", "../../me/albums?ids=" + FIRST[:2], "\uff14" + FIRST[1:]]
    ),
    st.sampled_from([str(ADA), f"0{ADA}", f"{ADA} ", f"{ADA}:{BEN}", f"{BEN}:{ADA}"]),
)
forged = st.one_of(
    st.text(min_size=1, max_size=100),
    st.tuples(verbs, arguments).map(":".join),
    st.tuples(verbs, st.sampled_from(["save", "remove", "SAVE"]), arguments).map(":".join),
    st.tuples(verbs, arguments, arguments).map(":".join),
).map(lambda text: text[:100] or "x")


async def answered_once(interaction: WireInteraction) -> str:
    """The one private answer to it, in words."""
    message = await interaction.message(5.0)
    assert message["flags"] & EPHEMERAL
    assert interaction.refusals == []
    assert interaction.followups == []
    return "\n".join(texts(message))


def unharmed(capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr()
    assert [line for line in (said.out + said.err).splitlines() if any(word in line for word in BROKE)] == []


@pytest.fixture
async def card(world: World) -> dict[str, Any]:
    """A message of the bot, to Ada, who has one album; Ben is linked and has none."""
    await world.link(ADA)
    await world.link(BEN, "ben")
    saving = await world.save(FIRST)
    message = await saving.message()
    await world.idle()
    return message


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(custom_id=forged)
async def test_a_forged_button_is_answered_once_in_private_and_reaches_nobody_elses_things(
    world: World, card: dict[str, Any], capsys: pytest.CaptureFixture[str], custom_id: str
) -> None:
    """Ben presses; whatever he writes there, Ada keeps her link, her album and her Undo."""
    await answered_once(await world.discord.press(BEN, custom_id, card))
    unharmed(capsys)
    assert world.saved("ada") == [FIRST]
    assert await world.bot.tokens.account(MemberId(ADA)) is not None


def made_up(kind: Any) -> str:
    """A field, or a value of a menu, that can be read."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return next(iter(kind))
    return FIRST if kind is AlbumId else "1"


async def use(world: World, member: int, component: Component, card: dict[str, Any]) -> WireInteraction:
    """A member uses what is Ada's; its other fields are made up."""
    others = map(made_up, component.fields[1:])
    data: dict[str, Any] = {"custom_id": str(CustomId(component.verb, ADA, *others))}
    if component.source is Source.MODAL:
        return await world.discord.interact(MODAL, data | {"components": []}, member, component.verb, card)
    data |= {"component_type": 2}
    if component.source is Source.MENU:
        data |= {"component_type": 3, "values": [made_up(component.values)]}
    return await world.discord.interact(COMPONENT, data, member, component.verb, card)


@pytest.mark.parametrize("component", OWNED, ids=lambda component: component.verb)
async def test_a_component_of_somebody_elses_is_refused_in_private(
    world: World, card: dict[str, Any], capsys: pytest.CaptureFixture[str], component: Component
) -> None:
    """Ben is refused, and Ada is not."""
    assert "belongs to somebody else" in await answered_once(await use(world, BEN, component, card))
    assert world.saved("ada") == [FIRST]
    assert await world.bot.tokens.account(MemberId(ADA)) is not None
    own = await use(world, ADA, component, card)
    await own.answered()
    assert not any("belongs to somebody else" in text for message in own.history for text in texts(message))
    unharmed(capsys)


async def test_an_undo_of_somebody_elses_is_refused_in_private(
    world: World, card: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """An Undo is by the number of the command, and the database knows whose that was."""
    undo = next(part["custom_id"] for part in parts(card) if str(part.get("custom_id", "")).startswith("undo:"))
    assert "belongs to somebody else" in await answered_once(await world.discord.press(BEN, undo, card))
    assert world.saved("ada") == [FIRST]
    assert "belongs to" not in await answered_once(await world.discord.press(ADA, undo, card))
    unharmed(capsys)


def parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    found = [message]
    for part in found:
        found += [*(part.get("components") or ()), *([part["accessory"]] if part.get("accessory") else ())]
    return found


# -- where the bot is not


@pytest.mark.parametrize(
    "where", [{"guild_id": ELSEWHERE, "user_install": True}, {"context": 2}], ids=["server", "group"]
)
async def test_commands_where_the_bot_is_not_serve_only_who_gives_them(
    world: World, capsys: pytest.CaptureFixture[str], where: dict[str, Any]
) -> None:
    """Discord names the member as the one who brought it (`authorizing_integration_owners`), and no server."""
    await world.link(ADA)
    saving = await world.save(FIRST, **where)
    assert "Saved" in await answered_once(saving)
    assert saving.payload["authorizing_integration_owners"] == {"1": str(ADA)}
    stranger = await world.discord.slash(BEN, "account", {}, **where)
    assert "No Spotify account is linked" in await answered_once(stranger)
    undo = next(part["custom_id"] for part in parts(saving.history[-1]) if "undo" in str(part.get("custom_id")))
    refused = await world.discord.press(BEN, undo, saving.history[-1], **where)
    assert "belongs to somebody else" in await answered_once(refused)
    assert world.saved() == [FIRST]
    # the bot writes only in answers: it has no place in that server
    assert world.discord.channel_messages == {}
    unharmed(capsys)


# -- odd shapes


ODD_PRESSES = [
    {"custom_id": ""},
    {"custom_id": None},
    {"custom_id": 7},
    {"custom_id": "undo"},
    {"custom_id": "save:" + FIRST + "x", "component_type": 3, "values": ["x"] * 25},
    {"custom_id": "unlink", "component_type": 99},
]


@pytest.mark.parametrize("kind", [COMPONENT, MODAL], ids=["press", "form"])
@pytest.mark.parametrize("data", ODD_PRESSES, ids=str)
async def test_a_press_of_an_odd_shape_is_answered_once_in_private(
    world: World, card: dict[str, Any], capsys: pytest.CaptureFixture[str], kind: int, data: dict[str, Any]
) -> None:
    odd = {"component_type": 2, "components": [], **data}
    interaction = await world.discord.interact(kind, odd, BEN, "odd", card if kind == COMPONENT else None)
    assert "expired" in await answered_once(interaction)
    unharmed(capsys)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "forgotten", "type": 1}, "That command has changed. Reload Discord"),
        ({"name": "save", "type": 1}, "That command has changed. Reload Discord"),
        (
            {"name": "save", "type": 1, "options": [{"name": "albums", "type": 4, "value": 7}]},
            "Something broke on our side",
        ),
        (
            {"name": "save", "type": 1, "options": [{"name": "other", "type": 3, "value": "x"}]},
            "That command has changed. Reload Discord",
        ),
        ({"name": "save", "type": 3, "target_id": "1"}, "That command has changed. Reload Discord"),
    ],
    ids=["unknown", "no option", "a number", "another option", "on a message"],
)
async def test_a_command_that_cannot_be_read_is_answered_once_in_private(
    world: World, data: dict[str, Any], words: str
) -> None:
    interaction = await world.discord.interact(COMMAND, {"id": "1", **data}, ADA, "odd")
    assert words in await answered_once(interaction)
    # and the next one is served
    assert "No Spotify account" in await answered_once(await world.discord.slash(ADA, "account", {}))


async def test_what_nobody_can_read_ends_no_connection_and_the_next_one_is_served(
    world: World, card: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """discord.py trusts that every field is there, and one that is not ended the whole process."""
    odd: list[tuple[int, dict[str, Any]]] = [
        (COMPONENT, {"component_type": 2}),
        (COMPONENT, {"component_type": 2, "custom_id": ["save:" + FIRST]}),
        (COMPONENT, {"component_type": 2, "custom_id": {}}),
        (MODAL, {"custom_id": "x"}),
        (COMMAND, {}),
        (AUTOCOMPLETE, {"id": "1", "name": "forgotten", "type": 1}),
        (AUTOCOMPLETE, {"id": "1", "name": "save", "type": 1, "options": []}),
        (99, {}),
    ]
    asked = [await world.discord.interact(kind, data, ADA, "odd", card) for kind, data in odd]
    assert "You are linked as" in await answered_once(await world.discord.slash(ADA, "account", {}))
    said = capsys.readouterr()
    assert all(interaction.refusals == [] for interaction in asked)
    assert [interaction for interaction in asked if interaction.token in said.out + said.err] == []
    assert world.bot.client.is_connected


# -- at once


async def test_one_undo_that_is_pressed_many_times_at_once_is_done_once(world: World, card: dict[str, Any]) -> None:
    undo = next(part["custom_id"] for part in parts(card) if "undo" in str(part.get("custom_id")))
    presses = await asyncio.gather(*(world.discord.press(member, undo, card) for member in [ADA, BEN] * 10))
    said = [await answered_once(press) for press in presses]
    assert sum("Undone: removed" in text for text in said) == 1
    assert sum("belongs to somebody else" in text for text in said) == 10
    assert sum("lready" in text for text in said) == 9
    await world.idle()
    assert world.saved() == []
    assert sum(method == "DELETE" for method, _ in world.calls()) == 1
