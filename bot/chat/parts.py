"""What a card is made of: Discord's components, as the JSON objects that it takes.

discord.py's classes for them are made to be changed, nested and listened to. A card is sent once, and what comes back
is found by its custom id (`bot/chat/components.py`), so that it needs none of that: building those objects took a
twentieth of the time of a `/save`. Modals are still made of them, since only discord.py opens one.
https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from discord import ButtonStyle, ComponentType

from bot.chat.components import CustomId

Part = dict[str, Any]
"""A component. `custom_id`: of one that a member can use."""

ROW = ComponentType.action_row.value
BUTTON = ComponentType.button.value
MENU = ComponentType.string_select.value
SECTION = ComponentType.section.value
TEXT = ComponentType.text_display.value
COVER = ComponentType.thumbnail.value
GALLERY = ComponentType.media_gallery.value
FILE = ComponentType.file.value
CONTAINER = ComponentType.container.value
_LINK = ButtonStyle.link.value


def text(content: str) -> Part:
    """Text in Discord's Markdown."""
    return {"type": TEXT, "content": content}


def row(*parts: Part) -> Part:
    """Up to five buttons, or one menu."""
    return {"type": ROW, "components": [*parts]}


def section(content: str, accessory: Part) -> Part:
    """Text with a button or a cover beside it."""
    return {"type": SECTION, "components": [text(content)], "accessory": accessory}


def cover(url: str, description: str) -> Part:
    """A picture for a section. `description`: what is on it, for whoever does not see it; at most 256 characters."""
    return {"type": COVER, "media": {"url": url}, "description": description}


def gallery(pictures: Iterable[tuple[str, str]]) -> Part:
    """Up to ten pictures side by side: their addresses and descriptions."""
    return {"type": GALLERY, "items": [{"media": {"url": url}, "description": said} for url, said in pictures]}


def file(name: str) -> Part:
    """A file of the message, to download."""
    return {"type": FILE, "file": {"url": f"attachment://{name}"}}


def button(label: str, custom_id: CustomId, style: ButtonStyle = ButtonStyle.secondary) -> Part:
    """A button; `custom_id` holds all that its handler needs. A label is cut at Discord's 80 characters."""
    return {"type": BUTTON, "style": style.value, "label": label[:80], "custom_id": custom_id.text}


def link_button(url: str, label: str) -> Part:
    """A button that opens an address."""
    return {"type": BUTTON, "style": _LINK, "label": label, "url": url}
