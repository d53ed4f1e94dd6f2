"""Long lines on a narrow terminal."""

from __future__ import annotations

import io

import pytest

from bot.admin.wrapping import counted, fitted, wrapped

ADDRESS = "https://discord.com/oauth2/authorize?client_id=1100000000000000001&scope=bot+applications.commands"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_a_line_is_broken_between_words_and_nothing_is_lost(columns: int) -> None:
    line = f"failed   discord-redirect   {ADDRESS} is not registered at Discord, so nobody can link."
    lines = wrapped(line, columns, 28).splitlines()
    assert " ".join(lines).split() == line.split()
    assert [part for part in lines if len(part) >= columns and ADDRESS not in part] == []
    assert any(ADDRESS in part for part in lines)


def test_further_lines_begin_below_the_sentence_or_near_the_margin_where_there_is_little_room() -> None:
    line = "ok       settings           All settings can be read, and this goes on for a while, word after word."
    assert wrapped(line, 80, 28).splitlines()[1].startswith(" " * 28 + "while")
    assert wrapped(line, 50, 28).splitlines()[1].startswith("  read, and")


def test_one_thing_is_one_thing() -> None:
    assert [counted(n, "record") for n in (0, 1, 2, 2000)] == ["0 records", "1 record", "2 records", "2,000 records"]


def test_files_and_pipes_get_lines_as_they_are() -> None:
    assert fitted("word " * 100, io.StringIO()) == "word " * 100
