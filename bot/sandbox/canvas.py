"""A small rasteriser for covers: convex shapes with smooth edges, written out as a PNG. Pure.

Only the standard library. A shape is anything that can say, for one horizontal line, from where to where
it reaches; that is enough for everything convex, and makes the inside of a shape one slice per row.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Colour = tuple[int, int, int]
Point = tuple[float, float]
Span = tuple[float, float]

SIZE = 300
_LINES = (0.125, 0.375, 0.625, 0.875)  # where a row of pixels is probed, for smooth edges


class Shape(Protocol):
    """Something convex. `top` and `bottom` bound it; `span` tells its reach on one horizontal line."""

    @property
    def top(self) -> float: ...
    @property
    def bottom(self) -> float: ...
    def span(self, y: float) -> Span | None: ...


@dataclass(frozen=True, slots=True)
class Disc:
    """A disc, or the part of it inside a box: half and quarter discs are discs in a box."""

    x: float
    y: float
    radius: float
    box: tuple[float, float, float, float] = (0, 0, SIZE, SIZE)

    @property
    def top(self) -> float:
        return max(self.y - self.radius, self.box[1])

    @property
    def bottom(self) -> float:
        return min(self.y + self.radius, self.box[3])

    def span(self, y: float) -> Span | None:
        """The chord on this line, cut to the box."""
        left, top, right, bottom = self.box
        square = self.radius * self.radius - (y - self.y) ** 2
        if square <= 0 or not top <= y < bottom:
            return None
        half = math.sqrt(square)
        start, end = max(self.x - half, left), min(self.x + half, right)
        return (start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A convex polygon, its corners in order, either way round."""

    corners: Sequence[Point]

    @property
    def top(self) -> float:
        return min(y for _, y in self.corners)

    @property
    def bottom(self) -> float:
        return max(y for _, y in self.corners)

    def span(self, y: float) -> Span | None:
        """Between the two edges that this line crosses."""
        crossed = []
        x0, y0 = self.corners[-1]
        for x1, y1 in self.corners:
            if (y0 <= y) != (y1 <= y):
                crossed.append(x0 + (y - y0) * (x1 - x0) / (y1 - y0))
            x0, y0 = x1, y1
        return (min(crossed), max(crossed)) if len(crossed) == 2 else None


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the first, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


class Canvas:
    """A square picture, kept as three planes so that a row of one colour is one slice."""

    def __init__(self, top: Colour, bottom: Colour | None = None) -> None:
        """Begin with one colour, or a gradient from top to bottom."""
        end = bottom or top
        self._planes = tuple(
            bytearray().join(bytes((a + (b - a) * y // (SIZE - 1),)) * SIZE for y in range(SIZE))
            for a, b in zip(top, end, strict=True)
        )

    def block(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """An upright rectangle, to whole pixels."""
        start, end = max(0, round(left)), min(SIZE, round(right))
        for plane, value in zip(self._planes, colour, strict=True):
            line = bytes((value,)) * (end - start)
            for y in range(max(0, round(top)), min(SIZE, round(bottom))):
                plane[y * SIZE + start : y * SIZE + end] = line

    def paint(self, shape: Shape, colour: Colour, opacity: float = 1.0) -> None:
        """Lay a shape over what is there."""
        lines = [bytes((value,)) * SIZE for value in colour]
        glass = None if opacity >= 1 else [_glass(value, opacity) for value in colour]
        first, last = max(0, math.floor(shape.top)), min(SIZE, math.ceil(shape.bottom))
        above = _clipped(shape.span(first))
        for y in range(first, last):
            below = _clipped(shape.span(y + 1))
            if above is None or below is None:  # the shape begins or ends inside this row
                self._tip(y, shape, colour, opacity)
                above = below
                continue
            begin = y * SIZE
            inner, outer = math.ceil(max(above[0], below[0])), math.floor(min(above[1], below[1]))
            if inner < outer:
                for number, plane in enumerate(self._planes):
                    if glass is None:
                        plane[begin + inner : begin + outer] = lines[number][: outer - inner]
                    else:
                        part = plane[begin + inner : begin + outer]
                        plane[begin + inner : begin + outer] = part.translate(glass[number])
            else:
                outer = inner
            for x in range(math.floor(min(above[0], below[0])), inner):
                share = _left_of(x + 1, above[0], below[0]) - _left_of(x, above[0], below[0])
                if x + 1 > min(above[1], below[1]):
                    share -= _left_of(x + 1, above[1], below[1]) - _left_of(x, above[1], below[1])
                self._blend(begin + x, colour, share * opacity)
            for x in range(outer, math.ceil(max(above[1], below[1]))):
                share = 1 - _left_of(x + 1, above[1], below[1]) + _left_of(x, above[1], below[1])
                self._blend(begin + x, colour, share * opacity)
            above = below

    def _tip(self, y: int, shape: Shape, colour: Colour, opacity: float) -> None:
        """A row that the shape covers only in part: probed on four lines."""
        spans = [span for part in _LINES if (span := _clipped(shape.span(y + part))) is not None]
        if not spans:
            return
        for x in range(math.floor(min(s[0] for s in spans)), math.ceil(max(s[1] for s in spans))):
            covered = sum(max(0.0, min(right, x + 1) - max(left, x)) for left, right in spans)
            self._blend(y * SIZE + x, colour, covered * opacity / len(_LINES))

    def _blend(self, at: int, colour: Colour, share: float) -> None:
        red, green, blue = self._planes
        red[at] += int((colour[0] - red[at]) * share)
        green[at] += int((colour[1] - green[at]) * share)
        blue[at] += int((colour[2] - blue[at]) * share)

    def png(self) -> bytes:
        """The picture as a PNG file, 8 bits a channel, no alpha."""
        pixels = bytearray(3 * SIZE * SIZE)
        for number, plane in enumerate(self._planes):
            pixels[number::3] = plane
        width = 3 * SIZE
        # Filter 0 before every row: flat shapes pack well as they are.
        rows = b"".join(b"\x00" + pixels[y * width : (y + 1) * width] for y in range(SIZE))
        header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
        return b"".join(
            (
                b"\x89PNG\r\n\x1a\n",
                _chunk(b"IHDR", header),
                _chunk(b"IDAT", zlib.compress(rows, 6)),
                _chunk(b"IEND", b""),
            )
        )


def _clipped(span: Span | None) -> Span | None:
    return span and (min(max(0.0, span[0]), float(SIZE)), min(max(0.0, span[1]), float(SIZE)))


def _left_of(x: float, one: float, other: float) -> float:
    """How much of a row, up to `x`, lies right of an edge that runs from `one` above to `other` below."""
    near, far = (one, other) if one < other else (other, one)
    if x <= near:
        return 0.0
    if x >= far:
        return x - (near + far) / 2
    return (x - near) ** 2 / (2 * (far - near))


def _glass(value: int, opacity: float) -> bytes:
    """The table that turns what is below a translucent colour into what is seen."""
    return bytes(old + round((value - old) * opacity) for old in range(256))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
