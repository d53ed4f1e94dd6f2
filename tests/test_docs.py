"""What the documents claim: the settings, the commands, the links, the two commands that begin everything."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import click
import discord
import pytest
from discord import app_commands

from bot.admin.doctor import examine
from bot.chat import delivery
from bot.chat.groups import commands_of
from bot.cli import main as program
from bot.library import imports, library
from bot.settings import Settings
from bot.storage import attempts, club_imports, guilds, seats, watches
from tests.chat.features import every_feature
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAPERS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FIELDS = {name.upper(): field for name, field in attrs.fields_dict(Settings).items()}


def is_required(name: str) -> bool:
    return FIELDS[name].default is attrs.NOTHING


def default(name: str) -> str | None:
    """A setting's default as one writes it; None when there is none."""
    value = FIELDS[name].default
    if value is attrs.NOTHING or value in (None, "", ()):
        return None
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def rows(heading: str, text: str = README) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_env_example_names_exactly_the_settings_with_their_defaults() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = [match.groups() for line in lines if (match := re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line))]
    assert sorted(name for _, name, _ in found) == sorted(FIELDS)
    for commented, name, value in found:
        assert value == (default(name) or ""), name
        assert commented or not value, f"{name}: a default is shown behind a #"


def test_env_example_has_what_is_required_first() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    required, rest = text.split("- usual\n", 1)
    for name in FIELDS:
        must = is_required(name) or name in ("TOKEN_KEYS", "TOKEN_KEYS_FILE")
        assert f"{name}=" in (required if must else rest)


def test_the_page_of_settings_lists_exactly_the_settings_with_their_defaults() -> None:
    table = rows(
        "Settings", (ROOT / "docs/settings.md").read_text(encoding="utf-8").replace("# Settings", "\n## Settings")
    )
    shown = {cells[0].strip("`"): cells[1] for cells in table}
    expected = {
        name: "required" if is_required(name) else f"`{default(name)}`" if default(name) else "empty" for name in FIELDS
    }
    assert shown == expected


def test_the_reference_lists_exactly_the_programs_commands() -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    shown = {cells[0].strip("`"): cells[2] == "yes" for cells in rows("Commands", text)}
    context = click.Context(program)
    commands = {name: program.get_command(context, name) for name in program.list_commands(context)}
    expected = {
        f"gatefold {name}": command is not None and any("--json" in option.opts for option in command.params)
        for name, command in commands.items()
    }
    assert shown == expected


async def test_the_reference_lists_exactly_the_checks_of_the_doctor(world: World) -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    shown = {cells[0].strip("`") for cells in rows("Checks of the doctor", text)}
    found = {result.name async for result in examine(lambda: world.settings, None)}
    assert shown == found | {"settings-ignored"}


async def test_readme_lists_exactly_the_commands() -> None:
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    for command in commands_of(every_feature()):
        tree.add_command(command)
    commands = [command for command in tree.walk_commands() if isinstance(command, app_commands.Command)]
    expected = {
        " ".join([f"/{command.qualified_name}", *(f"{parameter.display_name}:" for parameter in command.parameters)])
        for command in commands
    }
    assert len(expected) == len(commands)
    listed = [*rows("What it can do"), *rows("An album club")]
    assert {cells[0].strip("`") for cells in listed} == expected


def anchors(text: str) -> set[str]:
    """What a `#` may name in a document, as GitHub makes it of the headings: a later one of the same gets a number."""
    outside_blocks = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", outside_blocks, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        found.add(next(name for n in range(100) if (name := f"{slug}-{n}" if n else slug) not in found))
    return found


def test_anchors_are_made_as_github_makes_them() -> None:
    text = "# With `systemd`, and more\n```sh\n# no heading\n```\n## The [Key](x.md): *lost*?\n## A - b_c\n## A - b_c\n"
    assert anchors(text) == {"with-systemd-and-more", "the-key-lost", "a---b_c", "a---b_c-1"}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_to_a_heading_that_is_there(paper: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", paper.read_text(encoding="utf-8"))
    missing = []
    for link in (link for link in links if not re.match(r"[a-z]+:", link)):
        if workflow := re.fullmatch(r"\.\./\.\./actions/workflows/(\w+\.yml)(?:/badge\.svg)?", link):
            # GitHub's own page about a workflow, wherever the repository is
            if not (ROOT / ".github/workflows" / workflow[1]).exists():
                missing.append(link)
            continue
        name, _, anchor = link.partition("#")
        file = paper.parent / name if name else paper
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            missing.append(link)
    assert missing == []


def test_the_two_commands_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) | set(re.findall(r"`make ([a-z-]+)", README))
    assert {"demo", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    ("kept", "days", "says"),
    [
        (guilds.KEPT, 30, "the data of its crates and clubs is deleted after 30 days"),
        (delivery.KEPT, 30, "The bot remembers for 30 days that it has"),
        (timedelta(seconds=library.UNDO_S), 30, "It is deleted 30 days after it was done"),
        (timedelta(seconds=library.GIVE_UP_S), 7, "is given up after 7 days"),
        (timedelta(seconds=library.GIVE_UP_WAITING_S), 30, "or after 30 days if it waits for you to link again"),
        (imports.UNANSWERED, 1, "after a day if you do not answer"),
        (club_imports.FILE_KEPT, 1, "The file itself is deleted a day after the import at the latest"),
        (seats.REQUEST_LIFE, 14, "and after 14 days at the latest"),
        (watches.ONCE_IN, 1, "For a day the bot also remembers that it answered an album"),
        (watches.TAKEN_BACK_WITHIN, 1 / 24, "If you delete the message within an hour"),
        (timedelta(seconds=attempts.LIFE_S), 10 / 1440, "works for 10 minutes"),
    ],
)
def test_what_is_kept_for_a_time_is_kept_for_as_long_as_the_privacy_page_says(
    kept: timedelta, days: float, says: str
) -> None:
    assert kept == timedelta(days=days)
    assert says in (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs/pictures").glob("*.png"))
    assert pictures
    assert all(picture.stat().st_size < 400_000 for picture in pictures)


def test_no_two_decisions_have_the_same_number_and_references_to_them_are_right() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch("[0-9]{4}", number) for number in numbers)
    sources = [*ROOT.joinpath("bot").rglob("*.py"), *ROOT.joinpath("tests").rglob("*.py"), ROOT / "pyproject.toml"]
    for source in sources:
        for number in re.findall(r"docs/decisions/([0-9]{4})", source.read_text(encoding="utf-8")):
            assert number in numbers, f"{source.name} names decision {number}"


def test_every_picture_has_a_text_and_is_shown_and_all_are_small() -> None:
    shown = dict(re.findall(r"!\[([^\]]*)\]\((docs/pictures/[^)]+)\)", README))
    pictures = sorted((ROOT / "docs/pictures").iterdir())
    assert {ROOT / path for path in shown.values()} == {*pictures}
    assert all(len(text) > 20 for text in shown)
    assert sum(path.stat().st_size for path in pictures) < 2_000_000
