"""Select menus: on a card, or in a modal. https://discord.com/developers/docs/components/reference#string-select"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import discord

from bot.chat import parts
from bot.chat.components import CustomId
from bot.chat.parts import Part

OPTIONS_MOST = 25


class Choice(NamedTuple):
    """One option of a select menu. `value`: at most 100 characters."""

    value: str
    label: str
    description: str | None = None
    is_chosen: bool = False


def menu(custom_id: CustomId, placeholder: str, choices: Sequence[Choice], *, least: int = 1, most: int = 1) -> Part:
    """A row of a card with a menu. Its component gets the values of those that are chosen. ValueError: too many."""
    return parts.row(
        {
            "type": parts.MENU,
            "custom_id": custom_id.text,
            "placeholder": cut(placeholder, 150),
            "options": [option.to_dict() for option in options(choices)],
            "min_values": least,
            "max_values": min(most, len(choices)),
        }
    )


def options(choices: Sequence[Choice]) -> list[discord.SelectOption]:
    """The options of a menu; what is too long for Discord is cut. ValueError: more than it takes."""
    if len(choices) > OPTIONS_MOST:
        raise ValueError(f"a menu with {len(choices)} choices")
    return [
        discord.SelectOption(
            value=value,
            label=cut(label, 100),
            description=cut(description, 100) if description else None,
            default=is_chosen,
        )
        for value, label, description, is_chosen in choices
    ]


def cut(text: str, most: int) -> str:
    """At most this many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
