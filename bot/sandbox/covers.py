"""Covers for invented albums: abstract, drawn by us from the album's id, the same on every machine. Pure."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from functools import lru_cache

from bot.sandbox.canvas import SIZE, Canvas, Colour, Disc, Polygon, mixed

# Five colours each: two for the ground, three that stand on it.
_PALETTES = (
    "f4e9d8 e8d3b0 d1495b 30638e 003d5b",
    "14213d 22345c fca311 e5e5e5 e76f51",
    "264653 1d3540 e9c46a f4a261 2a9d8f",
    "fdf0d5 f5dcae c1121f 780000 669bbc",
    "2d1e2f 45304a f7b32b fcf6b1 a9e5bb",
    "e0fbfc c2dfe3 ee6c4d 3d5a80 293241",
    "1b1b3a 2e2e5c f64c72 99738e eec6ca",
    "faf3dd c8d5b9 4a7c59 68b0ab e07a5f",
    "3a0ca3 240a70 f72585 4cc9f0 ffd166",
    "f8edeb fec5bb 9d8189 457b9d 1d3557",
    "0b3c49 072a33 f0f3bd ff9b71 731963",
    "fff8f0 f2d0a4 8b2635 2e3532 d3a588",
    "31263e 221a2c 44355b ee5622 eca72c",
    "dde5b6 adc178 6c584c a98467 f0ead2",
    "10002b 240046 c77dff e0aaff ff9e00",
    "eae2b7 fcbf49 d62828 003049 f77f00",
)

_Draw = Callable[[Canvas, random.Random, list[Colour]], None]


@lru_cache(maxsize=4096)
def draw(album_id: str) -> bytes:
    """The cover of an album as PNG, 300 by 300. About 15 ms the first time, then from memory."""
    chance = random.Random(int.from_bytes(hashlib.sha256(f"cover:{album_id}".encode()).digest(), "big"))
    ground, under, *rest = (_colour(text) for text in chance.choice(_PALETTES).split())
    chance.shuffle(rest)
    canvas = Canvas(ground, under)
    chance.choice(_COMPOSITIONS)(canvas, chance, [ground, *rest])
    return canvas.png()


def _colour(text: str) -> Colour:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def _rings(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Rings around a point off the middle."""
    x, y = chance.uniform(70, 230), chance.uniform(90, 210)
    count = chance.choice((4, 5, 6))
    widest = chance.uniform(120, 190)
    order = [*colours[1:], colours[0]]
    for number in range(count):
        canvas.paint(Disc(x, y, widest * (count - number) / count), order[number % len(order)])


def _hills(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """A sun over rolling hills, the nearer the deeper in colour."""
    ground, sun, hill, near = colours
    x, y, radius = chance.uniform(80, 220), chance.uniform(85, 140), chance.uniform(38, 66)
    canvas.paint(Disc(x, y, radius * 1.5), sun, 0.22)
    canvas.paint(Disc(x, y, radius), sun)
    layers = 4
    for number in range(layers):
        reach = chance.uniform(330, 620)
        crest = 160 + 36 * number + chance.uniform(-10, 10)
        middle = chance.choice((chance.uniform(-40, 90), chance.uniform(210, 340)))
        shade = mixed(mixed(ground, hill, 0.55), near, number / (layers - 1))
        canvas.paint(Disc(middle, crest + reach, reach), shade)


def _tiles(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Quarter discs, half discs and dots in a grid."""
    count = chance.choice((3, 4))
    side = SIZE / count
    for row in range(count):
        for column in range(count):
            left, top = column * side, row * side
            cell = (left, top, left + side, top + side)
            back, front = chance.sample(colours, 2)
            canvas.block(*cell, back)
            match chance.randrange(5):
                case 0 | 1 | 2:
                    corner = chance.choice(((left, top), (cell[2], top), (left, cell[3]), (cell[2], cell[3])))
                    canvas.paint(Disc(*corner, side, cell), front)
                case 3:
                    canvas.paint(Disc(left + side / 2, top, side / 2, cell), front)
                    canvas.paint(Disc(left + side / 2, cell[3], side / 2, cell), front)
                case _:
                    canvas.paint(Disc(left + side / 2, top + side / 2, side * 0.32), front)


def _bands(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Slanted bands behind a disc of glass."""
    angle = math.radians(chance.choice((-40, -28, 28, 40, 55)))
    along = (math.cos(angle) * 400, math.sin(angle) * 400)
    across = (-math.sin(angle), math.cos(angle))
    at = -110.0
    for number in range(5):
        width = chance.uniform(22, 52)
        a = (150 + across[0] * at, 150 + across[1] * at)
        b = (150 + across[0] * (at + width), 150 + across[1] * (at + width))
        canvas.paint(
            Polygon(
                (
                    (a[0] - along[0], a[1] - along[1]),
                    (a[0] + along[0], a[1] + along[1]),
                    (b[0] + along[0], b[1] + along[1]),
                    (b[0] - along[0], b[1] - along[1]),
                )
            ),
            colours[1 + number % 3],
        )
        at += width + chance.uniform(6, 20)
    canvas.paint(Disc(chance.uniform(110, 190), chance.uniform(110, 190), chance.uniform(62, 88)), colours[0], 0.86)


def _arches(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Arches within arches, standing on the lower edge."""
    feet = chance.choice(((150.0,), (82.0, 218.0), (110.0, 250.0)))
    for foot in feet:
        widest = 128.0 if len(feet) == 1 else 76.0
        rise = SIZE - chance.randrange(60, 120)
        for number in range(5):
            radius = widest * (5 - number) / 5
            colour = colours[1 + number % 3] if number < 4 else colours[0]
            canvas.paint(Disc(foot, rise, radius, (0, 0, SIZE, rise)), colour)
            canvas.block(foot - radius, rise, foot + radius, SIZE, colour)


def _peaks(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Mountains with a lit side, and a moon."""
    ground, moon, near, light = colours
    canvas.paint(Disc(chance.uniform(60, 240), chance.uniform(60, 100), chance.uniform(22, 44)), moon)
    for number in range(3):
        x, y = 40 + 110 * number + chance.uniform(-30, 30), chance.uniform(90, 165)
        reach = chance.uniform(120, 170)
        body = mixed(ground, near, 0.5 + number * 0.25)
        ridge = x + chance.uniform(-14, 22)
        canvas.paint(Polygon(((x, y), (x + reach, SIZE), (x - reach, SIZE))), body)
        canvas.paint(Polygon(((x, y), (ridge, SIZE), (x - reach, SIZE))), mixed(body, light, 0.35))
    canvas.paint(Disc(150, 620, 360), near)


def _lenses(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Discs of glass that overlap."""
    turn = chance.uniform(0, math.tau)
    count = chance.choice((3, 4))
    radius = chance.uniform(78, 96)
    for number in range(count):
        angle = turn + math.tau * number / count
        x, y = 150 + 56 * math.cos(angle), 150 + 56 * math.sin(angle)
        canvas.paint(Disc(x, y, radius), colours[1 + number % 3], 0.74)


def _columns(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Round-topped columns, like a skyline or a sound."""
    count = chance.choice((5, 6, 7))
    side = SIZE / count
    radius = side * 0.36
    for number in range(count):
        x = side * (number + 0.5)
        top = chance.randrange(50, 190)
        bottom = chance.randrange(top + 60, 262)
        colour = colours[1 + (number + chance.randrange(2)) % 3]
        canvas.paint(Disc(x, top, radius, (0, 0, SIZE, top)), colour)
        canvas.block(x - radius, top, x + radius, bottom, colour)
        canvas.paint(Disc(x, bottom, radius, (0, bottom, SIZE, SIZE)), colour)


def _hinge(canvas: Canvas, chance: random.Random, colours: list[Colour]) -> None:
    """Two halves of one disc that slipped past each other along a fold."""
    slip = chance.choice((-1, 1)) * chance.uniform(26, 58)
    radius = chance.uniform(88, 112)
    canvas.block(150, 0, SIZE, SIZE, colours[1])
    canvas.paint(Disc(150, 150 - slip, radius, (0, 0, 150, SIZE)), colours[2])
    canvas.paint(Disc(150, 150 + slip, radius, (150, 0, SIZE, SIZE)), colours[0])
    canvas.paint(Disc(150, 150 - slip, radius * 0.45, (0, 0, 150, SIZE)), colours[3])
    canvas.paint(Disc(150, 150 + slip, radius * 0.45, (150, 0, SIZE, SIZE)), colours[3])


_COMPOSITIONS: tuple[_Draw, ...] = (
    _rings,
    _hills,
    _tiles,
    _bands,
    _arches,
    _peaks,
    _lenses,
    _columns,
    _hinge,
)
