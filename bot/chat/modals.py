"""Modals: short forms. A modal opens as the first answer to a command or a button, and its submission is a Component.

Nothing is kept of an open modal: its custom id says what it is about, and its inputs come back by their names.
https://discord.com/developers/docs/components/reference#label
"""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import ui

from bot.chat.components import CustomId
from bot.chat.menus import Choice, cut, options

TITLE_MOST, LABEL_MOST, INPUTS_MOST, TEXT_MOST = 45, 45, 5, 4000


class Modal(ui.Modal):
    """A form with up to five inputs. A longer title than Discord takes is cut; ValueError: more inputs."""

    def __init__(self, custom_id: CustomId, title: str, *inputs: ui.Label[ui.Modal]) -> None:
        if not 1 <= len(inputs) <= INPUTS_MOST:
            raise ValueError(f"a modal with {len(inputs)} inputs")
        super().__init__(title=cut(title, TITLE_MOST), custom_id=str(custom_id))
        for item in inputs:
            self.add_item(item)

    def is_finished(self) -> bool:
        """Yes: submissions come to `chat/features.py`. discord.py would keep every modal that nobody submits."""
        return True


def text_input(
    name: str,
    label: str,
    *,
    description: str | None = None,
    text: str | None = None,
    is_required: bool = True,
    is_long: bool = False,
    most: int = TEXT_MOST,
) -> ui.Label[ui.Modal]:
    """A text to type; `text`: what is in it before, `most`: characters."""
    component: ui.TextInput[ui.Modal] = ui.TextInput(
        custom_id=name,
        style=discord.TextStyle.paragraph if is_long else discord.TextStyle.short,
        default=text,
        required=is_required,
        max_length=most,
    )
    return ui.Label(text=cut(label, LABEL_MOST), description=description and cut(description, 100), component=component)


def select_input(
    name: str,
    label: str,
    choices: Sequence[Choice],
    *,
    most: int = 1,
    is_required: bool = True,
) -> ui.Label[ui.Modal]:
    """A choice, of which up to `most` may be chosen. ValueError: of more than 25."""
    component: ui.Select[ui.Modal] = ui.Select(
        custom_id=name,
        options=options(choices),
        min_values=1 if is_required else 0,
        max_values=min(most, len(choices)),
        required=is_required,
    )
    return ui.Label(text=cut(label, LABEL_MOST), component=component)
