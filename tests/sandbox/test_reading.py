"""What a person reads of a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from discord import ui

from bot.chat.words import plain
from bot.sandbox.reading import Reader, wrapped

NOW = datetime(2026, 12, 1, 19, 0, tzinfo=UTC)
READER = Reader({7: "Ada", 8: "album-club", 9: "Listeners"}, NOW, ZoneInfo("Europe/Berlin"))
AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("### Tuesday Club, round 1", "Tuesday Club, round 1"),
        ("-# [on Spotify](https://open.spotify.com/album/x)", "on Spotify"),
        ("**4** from <@7>", "4 from @Ada"),
        ("<@&9> in <#8>, and <@1>", "@Listeners in #album-club, and @somebody"),
        ("Vote with </club vote:123>.", "Vote with /club vote."),
        (f"Until <t:{AT}:f>", "Until Tue 1 Dec, 20:00"),
        (f"On <t:{AT}:d> at <t:{AT}:t>", "On 1 Dec 2026 at 20:00"),
        (f"It ends <t:{AT + 86_400}:R>", "It ends in 1 day"),
        (f"It ended <t:{AT - 7200}:R>", "It ended 2 hours ago"),
        (f"It ends <t:{AT + 20}:R>", "It ends now"),
        ("snake_case * 2", "snake_case * 2"),
    ],
)
def test_markup_is_read_as_discord_shows_it(markdown: str, read: str) -> None:
    assert READER.text(markdown) == read


@pytest.mark.parametrize("title", ["Songs [for] *Brackets* & _Underscores_", r"\\ and `code`", "@everyone", "# <@7>"])
def test_what_the_bot_escapes_is_read_as_it_was(title: str) -> None:
    assert READER.text(f"- **{plain(title)}**") == f"- {title}"
    assert READER.text(f"[{plain(title)}](https://open.spotify.com/album/x)") == title


def test_a_message_is_read_from_top_to_bottom() -> None:
    view = ui.LayoutView()
    cover: ui.Thumbnail[ui.LayoutView] = ui.Thumbnail("https://i.scdn.co/image/x")
    section: ui.Section[ui.LayoutView] = ui.Section("### [Home](https://x.y)\nOrla · 1993", accessory=cover)
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow(ui.Button(label="Save"), ui.Button(label="Rate"))
    view.add_item(ui.Container(section, ui.TextDisplay("```\n5 ▇\n```"), row))
    assert READER.lines(view.to_components()) == ["Home · Orla · 1993", "5 ▇", "[Save] [Rate]"]


def test_long_lines_are_broken_between_words_and_hang_below_their_mark() -> None:
    assert [*wrapped(["- one two three", "", "four"], 12, "  | ")] == [
        "  | - one",
        "  |   two",
        "  |   three",
        "  |",
        "  | four",
    ]


def test_dates_are_those_of_the_time_zone() -> None:
    assert READER.when(NOW + timedelta(hours=4)) == "Wed 2 Dec, 00:00"
