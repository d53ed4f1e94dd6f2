"""The components of a Discord message as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]


def flatten(components: Sequence[Json]) -> Iterator[Json]:
    """Yield every component in reading order, nested ones and accessories included."""
    for part in components:
        yield part
        yield from flatten(part.get("components") or ())
        if part.get("accessory"):
            yield part["accessory"]
