"""Pictures of the bot and of the sandbox's members, drawn by us. Pure."""

from __future__ import annotations

from bot.sandbox.canvas import SIZE, Canvas, Colour, Disc, Polygon, Shape

_Layer = tuple[Shape, Colour]

_EYES: tuple[_Layer, ...] = (
    (Disc(128, 142, 7), (38, 30, 28)),
    (Disc(172, 142, 7), (38, 30, 28)),
)


def _mouth(colour: Colour, y: float = 166) -> _Layer:
    """The lower half of a disc: a smile."""
    return Disc(150, y, 17, (0, y + 2, SIZE, SIZE)), colour


def _ada() -> Canvas:
    """Dark hair with a straight fringe, and a rust pullover."""
    canvas = Canvas((247, 221, 178), (240, 200, 148))
    skin, hair = (233, 187, 152), (58, 38, 34)
    _paint(
        canvas,
        (Disc(150, 128, 88), hair),
        (Polygon(((62, 128), (238, 128), (238, 222), (62, 222))), hair),
        (Disc(150, 346, 122), (152, 64, 31)),
        (Polygon(((128, 190), (172, 190), (176, 246), (124, 246))), (214, 164, 128)),
        (Disc(150, 144, 60), skin),
        (Disc(150, 122, 64, (82, 50, 218, 118)), hair),
        *_EYES,
        _mouth((170, 72, 60)),
    )
    return canvas


def _ben() -> Canvas:
    """A red beard, a blue woollen hat, and a green coat."""
    canvas = Canvas((196, 221, 226), (160, 198, 208))
    skin, beard, wool = (244, 208, 180), (176, 88, 46), (38, 70, 104)
    _paint(
        canvas,
        (Disc(150, 352, 128), (62, 92, 72)),
        (Polygon(((126, 196), (174, 196), (178, 250), (122, 250))), (222, 180, 150)),
        (Disc(150, 146, 62), skin),
        (Disc(150, 152, 64, (0, 152, SIZE, SIZE)), beard),
        (Disc(150, 150, 34, (0, 150, SIZE, 168)), skin),
        (Disc(150, 112, 70, (0, 40, SIZE, 112)), wool),
        (Polygon(((76, 104), (224, 104), (224, 126), (76, 126))), (58, 98, 138)),
        (Disc(150, 44, 16), (58, 98, 138)),
        *_EYES,
        _mouth((120, 48, 40), 172),
    )
    return canvas


def _chloe() -> Canvas:
    """Grey curls, round glasses, and a violet scarf."""
    canvas = Canvas((222, 214, 240), (196, 184, 224))
    skin, curls, frame = (142, 92, 66), (206, 200, 196), (40, 34, 52)
    glasses = tuple(
        layer for x in (126, 174) for layer in ((Disc(x, 142, 25), frame), (Disc(x, 142, 20), (168, 118, 92)))
    )
    _paint(
        canvas,
        *((Disc(x, y, radius), curls) for x, y, radius in _CURLS),
        (Disc(150, 350, 124), (70, 58, 98)),
        (Polygon(((126, 190), (174, 190), (178, 240), (122, 240))), (122, 76, 54)),
        (Disc(150, 146, 60), skin),
        *((Disc(x, 88, 27), curls) for x in (106, 150, 194)),
        *glasses,
        (Polygon(((148, 138), (152, 138), (152, 144), (148, 144))), frame),
        (Disc(126, 142, 7), (30, 22, 22)),
        (Disc(174, 142, 7), (30, 22, 22)),
        _mouth((236, 214, 206), 172),
        (Disc(150, 236, 46, (0, 216, SIZE, 250)), (128, 84, 160)),
    )
    return canvas


_CURLS = (
    (150, 84, 52),
    (98, 100, 40),
    (202, 100, 40),
    (78, 140, 36),
    (222, 140, 36),
    (82, 182, 32),
    (218, 182, 32),
)


def _gatefold() -> Canvas:
    """The mark: a gatefold sleeve, two squares hinged in the middle."""
    canvas = Canvas((250, 245, 236), (241, 231, 214))
    _paint(
        canvas,
        (Polygon(((146, 102), (42, 78), (42, 222), (146, 198))), (180, 81, 46)),
        (Polygon(((154, 102), (258, 78), (258, 222), (154, 198))), (217, 135, 92)),
        (Disc(206, 150, 30), (250, 245, 236)),
        (Disc(206, 150, 24), (42, 35, 29)),
        (Disc(206, 150, 8), (217, 135, 92)),
    )
    return canvas


def _paint(canvas: Canvas, *layers: _Layer) -> None:
    for shape, colour in layers:
        canvas.paint(shape, colour)


BOT = "Gatefold"
_DRAWN = {"Ada": _ada, "Ben": _ben, "Chloe": _chloe, BOT: _gatefold}


def portrait(name: str) -> bytes:
    """The picture of a member or of the bot as PNG, 300 by 300. KeyError for others."""
    return _DRAWN[name]().png()
