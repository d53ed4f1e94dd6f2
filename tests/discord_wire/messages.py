"""Messages as Discord takes them: their parts, their limits, and what it would refuse. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bot.sandbox.components import flatten

Json = dict[str, Any]

COMPONENTS_V2 = 1 << 15
ROW, BUTTON, SELECT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, CONTAINER = 1, 2, 3, 9, 10, 11, 12, 13, 17
TEXT_INPUT, LABEL = 4, 18
IN_LABEL = {SELECT, TEXT_INPUT, 5, 6, 7, 8, 19, 21, 22, 23}
MODAL = (("title", 1, 45), ("custom_id", 1, 100), ("components", 1, 5))
BLOCKS = {ROW, SECTION, TEXT, GALLERY, FILE, 14}
INSIDE = {ROW: {BUTTON, SELECT, 5, 6, 7, 8}, SECTION: {TEXT}, CONTAINER: BLOCKS}
# (field, least, most): lengths of texts in any component, and of the lists in some.
LENGTHS = (("label", 0, 80), ("custom_id", 1, 100), ("url", 1, 512), ("content", 1, 4000))
LISTS = {
    ROW: ("components", 1, 5),
    SECTION: ("components", 1, 3),
    GALLERY: ("items", 1, 10),
    CONTAINER: ("components", 1, 40),
}

# fmt: off
MESSAGE: Json = {
    "type": 0, "content": "", "flags": 0, "edited_timestamp": None, "pinned": False, "tts": False,
    "components": [], "embeds": [], "attachments": [], "mentions": [], "mention_roles": [],
    "mention_everyone": False,
}
# fmt: on


def texts(message: Json) -> list[str]:
    """What a person reads: the content, if any, then every text display."""
    displays = [part["content"] for part in flatten(message["components"]) if part["type"] == TEXT]
    return [message["content"], *displays] if message.get("content") else displays


def buttons(message: Json) -> list[Json]:
    """Every button, in rows and beside sections."""
    return [part for part in flatten(message["components"]) if part["type"] == BUTTON]


def _outside(thing: Json, limits: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    for key, least, most in limits:
        if thing.get(key) is not None and not least <= len(thing[key]) <= most:
            yield f"{key} of length {len(thing[key])}, allowed {least} to {most}"


def message_flaws(message: Json) -> Iterator[str]:
    """What Discord would refuse in a message."""
    v2, parts = message["flags"] & COMPONENTS_V2, list(flatten(message["components"]))
    if v2 and (message["content"] or message["embeds"] or message.get("poll")):
        yield "content, embeds or a poll beside Components V2"
    if len(message["content"]) > 2000 or len(message["embeds"]) > 10:
        yield "content over 2000 characters, or more than 10 embeds"
    for part in message["components"]:
        if part["type"] not in (BLOCKS | {CONTAINER} if v2 else {ROW}):
            yield f"component of type {part['type']} at the top (Components V2: {bool(v2)})"
    for part in parts:
        kind, inside = part["type"], part.get("components") or ()
        yield from _outside(part, LENGTHS)
        if kind in LISTS:
            yield from _outside({LISTS[kind][0]: ()} | part, (LISTS[kind],))
        for child in inside:
            if child["type"] not in INSIDE.get(kind, ()):
                yield f"component of type {child['type']} in one of type {kind}"
        if kind == ROW and len(inside) > 1 and any(child["type"] != BUTTON for child in inside):
            yield "a select shares its row"
        if kind == SELECT:
            yield from _select_flaws(part)
        if kind == SECTION and (part.get("accessory") or {}).get("type") not in (BUTTON, THUMBNAIL):
            yield "section without an accessory"
        if kind == BUTTON:
            needed = {5: "url", 6: "sku_id"}.get(part["style"], "custom_id")
            if [key for key in ("custom_id", "url", "sku_id") if part.get(key) is not None] != [needed]:
                yield f"button of style {part['style']} needs {needed}, and nothing else like it"
            if part["style"] != 6 and not part.get("label") and not part.get("emoji"):
                yield "button without label and emoji"
            if part.get("url") and not part["url"].startswith(("https://", "http://", "discord://")):
                yield "button url is no link"
    if len(parts) > 40 or (not v2 and len(message["components"]) > 5):
        yield f"{len(parts)} components, allowed 40 (without Components V2: 5 rows)"
    if (characters := sum(len(part["content"]) for part in parts if part["type"] == TEXT)) > 4000:
        yield f"{characters} characters over all texts, allowed 4000"
    names = [part[key] for part in parts for key in ("custom_id", "id") if part.get(key)]
    if len(set(names)) < len(names):
        yield "two components share a custom_id or an id"


def modal_flaws(modal: Json) -> Iterator[str]:
    """What Discord would refuse in a modal."""
    yield from _outside({"title": "", "custom_id": "", "components": ()} | modal, MODAL)
    names = []
    for label in modal.get("components") or ():
        if label["type"] == TEXT:
            continue
        if label["type"] != LABEL:
            yield f"component of type {label['type']} in a modal"
            continue
        yield from _outside(label, (("label", 1, 45), ("description", 1, 100)))
        part = label.get("component") or {}
        if part.get("type") not in IN_LABEL:
            yield f"component of type {part.get('type')} in a label"
        if part.get("type") == TEXT_INPUT and part.get("label"):
            yield "a text input with a label of its own in a label"
        yield from _outside(part, (("custom_id", 1, 100), ("placeholder", 1, 150), ("value", 0, 4000)))
        if part.get("type") == SELECT:
            yield from _select_flaws(part)
        names.append(part.get("custom_id"))
    if len(set(names)) < len(names):
        yield "two inputs of a modal share a custom_id"


def _select_flaws(part: Json) -> Iterator[str]:
    yield from _outside(part, (("options", 1, 25), ("placeholder", 0, 150)))
    options = part.get("options") or ()
    for option in options:
        yield from _outside(option, (("label", 1, 100), ("value", 1, 100), ("description", 1, 100)))
    if len({option["value"] for option in options}) < len(options):
        yield "two options of a select share a value"
    if options and (part.get("max_values") or 1) > len(options):
        yield "a select lets more be chosen than it has"


def choice_flaws(choices: Sequence[Json]) -> Iterator[str]:
    """What Discord would refuse in an autocomplete answer."""
    if len(choices) > 25:
        yield f"{len(choices)} choices, allowed 25"
    if len({choice["value"] for choice in choices}) < len(choices):
        yield "two choices share a value"
    if len({choice["name"] for choice in choices}) < len(choices):
        yield "two choices read the same"
    for choice in choices:
        yield from _outside(choice | {"value": str(choice["value"])}, (("name", 1, 100), ("value", 0, 100)))


def numbered(parts: Sequence[Json], free: Iterator[int]) -> list[Json]:
    """A copy in which every component has an id: Discord fills in those that the bot left out."""
    copies = [part | {"id": part.get("id") or next(free)} for part in parts]
    for copy in copies:
        if copy.get("components"):
            copy["components"] = numbered(copy["components"], free)
        if copy.get("accessory"):
            copy["accessory"] = numbered([copy["accessory"]], free)[0]
    return copies
