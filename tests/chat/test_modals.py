"""Modals on the wire: opened as a first answer, submitted to the component that serves them, kept nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.caller import Caller, MemberId
from bot.chat.cards import Card, text_card
from bot.chat.components import Audience, Component, CustomId, Form
from bot.chat.features import Feature
from bot.chat.menus import Choice
from bot.chat.modals import Modal, select_input, text_input
from bot.chat.reply import Interaction, Reply, Visibility
from tests.chat.reading import said
from tests.chat.stage import Stage, card, connected
from tests.world import ADA, BEN

LONG = "a label that is much longer than what Discord takes in its modals, by far"


def features(reply: Reply) -> list[Feature]:
    """A button that opens a modal, and the modal."""

    async def open_(interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        days = [Choice("mon", "Monday", "The first day"), Choice("tue", LONG * 2, is_chosen=True)]
        inputs = (text_input("title", LONG, text="before", most=50), select_input("days", "Days", days, most=2))
        modal = Modal(CustomId("rename", owner), LONG, *inputs)
        await reply.show(interaction, modal, name="button open")

    async def rename(interaction: Interaction, caller: Caller, owner: MemberId, form: Form) -> None:
        async def work() -> Sequence[Card]:
            return [text_card(f"{caller.member_id}: {form.text('title')}, {'+'.join(form.choices('days'))}")]

        await reply(interaction, work(), name="modal rename", visibility=Visibility.PRIVATE)

    components = (
        Component("open", (MemberId,), open_),
        Component("rename", (MemberId,), rename, Audience.OWNER, inputs=("title", "days")),
    )
    return [Feature("test", components=components)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with connected(tmp_path, features) as stage:
        yield stage


async def test_what_is_filled_into_a_modal_reaches_its_handler(stage: Stage) -> None:
    button = await stage.wire.press(ADA, f"open:{ADA}", card())
    assert (await button.answered())["type"] == 9
    submitted = await stage.wire.submit(ADA, button, {"title": "Slow Harbour", "days": ["mon", "tue"]})
    assert await said(submitted) == f"{ADA}: Slow Harbour, mon+tue"


async def test_a_modal_is_kept_nowhere_so_that_two_people_never_collide(stage: Stage) -> None:
    buttons = {member: await stage.wire.press(member, f"open:{member}", card()) for member in (ADA, BEN)}
    for button in buttons.values():
        await button.answered()
    assert stage.client._connection._view_store._modals == {}
    for member, button in buttons.items():
        submitted = await stage.wire.submit(member, button, {"title": "x"})
        assert await said(submitted) == f"{member}: x, "


async def test_a_modal_that_belongs_to_another_member_is_refused(stage: Stage) -> None:
    button = await stage.wire.press(ADA, f"open:{ADA}", card())
    await button.answered()
    assert "belongs to somebody else" in await said(await stage.wire.submit(BEN, button, {"title": "x"}))


def test_a_modal_has_one_to_five_inputs() -> None:
    inputs = [text_input(f"input{number}", "Label") for number in range(6)]
    for count in (0, 6):
        with pytest.raises(ValueError, match=f"{count} inputs"):
            Modal(CustomId("rename", 7), "Title", *inputs[:count])
