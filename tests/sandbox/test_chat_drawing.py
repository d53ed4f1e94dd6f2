"""How `make pictures` draws what the bot sends."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from bot.albums import Album, AlbumId
from bot.caller import MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section
from bot.chat.components import CustomId
from bot.chat.words import Words, plain
from bot.sandbox.reading import Reader
from bot.text import texts
from tests.world import FIRST

COVER = "https://i.scdn.co/image/cover"
NOW = datetime(2026, 12, 1, 19, 0, tzinfo=UTC)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of `.ci/`, which is no package."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / ".ci"))
    return importlib.import_module("chat_drawing")


def drawn(drawing: ModuleType, card: Card, **options: str) -> str:
    reader = Reader({7: "Ada"}, NOW)
    return str(drawing.Drawing(reader, {COVER: b"png"}, "<svg/>").message(card.to_components(), **options))


def card(title: str, *lines: str) -> Card:
    album = Album(AlbumId(FIRST), title, ("The Lantern Ferry",), "2011", COVER)
    words = Words(texts("en"), {}, "")
    buttons = parts.row(
        parts.button("Undo", CustomId("unlink", MemberId(7))),
        parts.link_button("https://open.spotify.com/", "Open in Spotify"),
    )
    return Card(album_section(words, album), parts.text("\n".join(lines)), buttons, kind=Kind.CLUB)


def test_a_card_is_drawn_with_its_cover_its_colour_and_its_buttons(drawing: ModuleType) -> None:
    html = drawn(drawing, card("Slow Harbour", "**4** from <@7>", "-# small", "> quoted"), pressed="Undo")
    assert '<a href="#">Slow Harbour</a>' in html
    assert 'src="data:image/png;base64,cG5n"' in html
    assert f"--accent:#{Kind.CLUB.value:06x}" in html
    assert '<b>4</b> from <span class="mention">@Ada</span>' in html
    assert '<p class="small">small</p><p class="quote">quoted</p>' in html
    assert '<span class="button pressed">Undo</span>' in html
    assert '<span class="button link">Open in Spotify</span>' in html


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "**not** <b>bold</b>", "5 * 3 * 2 & <@7>"])
def test_a_title_is_drawn_as_text(drawing: ModuleType, title: str) -> None:
    html = drawn(drawing, card(title, plain(title)))
    for wrong in ("<script", "<b>", '"mention"'):
        assert wrong not in html
    assert html.count("&lt;" if "<" in title else "&amp;") >= 2
