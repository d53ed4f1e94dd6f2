"""The table of hostile input in SECURITY.md: every row names tests that hold it; those that were missing are here."""

from __future__ import annotations

import ast
import asyncio
import re
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.pasted_text import read
from bot.sandbox.catalogue import Artist, synthetic
from tests.discord_wire import WireInteraction, buttons, flatten, texts
from tests.web.stage import MIA, NOAH, TOKEN_CALL, Browser, Stage, changed
from tests.world import ADA, BEN, FIRST, World

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("## Hostile input", 1)[1].split("\n## ", 1)[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
NAMED = re.compile(r"`(test_\w+)` \(\[(?P<file>[\w/]+\.py)\]\((?P<target>[^)]+)\)\)")
EVIL = "@everyone @here <@1> **bold** [click](https://evil.example) `code` ||x|| </save:1> # " + "\u202e" + "x" * 10_000


def named_in(path: Path) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name for node in functions if node.name.startswith("test_")}


# -- the table


def test_the_table_has_every_row() -> None:
    assert len(ROWS) == 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_every_row_names_tests_that_exist(row: str) -> None:
    named = list(NAMED.finditer(row))
    assert named
    assert row.count("test_") == 3 * len(named), "each as `name` ([file](file))"
    for match in named:
        assert match["file"] == match["target"]
        assert match[1] in named_in(ROOT / match["file"])


# -- a state that does not fit


@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_of_50_callbacks_from_two_browsers_at_once_at_most_one_is_heard(
    stage: Stage, browser: Browser, other: Browser, provider: str
) -> None:
    """Who steals the way back and runs can spoil a link, and never gets it."""
    await other.open(await stage.ask(NOAH))  # the thief has a cookie of their own
    link = await stage.ask(MIA)
    if provider == "discord":
        callback = await browser.be(MIA, await browser.open(link))
    else:
        callback = await browser.to_last_callback(link)
    before = stage.identifications
    pages = await asyncio.gather(*((other, browser)[number % 2].get(callback) for number in range(50)))
    statuses = sorted(page.status for page in pages)
    assert statuses in ([303] + [400] * 49, [200] + [400] * 49, [400] * 49 + [403])
    assert all(pages[number].status >= 400 for number in range(0, 50, 2))
    assert stage.identifications - before <= 1
    assert stage.calls(TOKEN_CALL) <= 1


async def test_an_unknown_a_used_and_a_foreign_state_take_the_same_way_through_the_database(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    """So that neither the page nor the time that it takes tells one from the other."""
    ran: list[str] = []
    used = await browser.to_last_callback(await stage.ask())
    cookie = stage.cookie(browser)
    await browser.get(used)
    to_discord = await browser.be(MIA, await browser.open(await stage.ask()))
    foreign = to_discord.replace("/callback/discord", "/callback/spotify")
    unknown = changed(used, state="A" * 43)
    await stage.storage.database.read(lambda c: c.set_trace_callback(ran.append))
    seen = []
    for callback in (unknown, used, foreign):
        ran.clear()
        page = await browser.get(callback, headers=cookie)
        seen.append((page.status, page.text, [re.sub(r"[Xx]'[0-9A-Fa-f]*'|\d+", "?", statement) for statement in ran]))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0][2]) >= 3  # begin, delete, commit
    # and the same for the links themselves
    links = []
    for link in (f"/link/{'A' * 32}", await stage.ask()):
        stage.clock.ahead = timedelta(minutes=11)  # the second one is too old
        ran.clear()
        page = await other.get(link)
        links.append((page.status, page.text, len(ran)))
    assert links[0] == links[1]
    await stage.storage.database.read(lambda c: c.set_trace_callback(None))


# -- what is pasted


async def message_of(interaction: WireInteraction) -> dict[str, Any]:
    return await interaction.message(5.0)


@pytest.mark.parametrize(
    "text",
    [
        ("https://open.spotify.com/album/" + FIRST + " ") * 200,
        " ".join(f"https://spotify.link/{number:05d}" for number in range(300)),
        "spotify:album:../../x " * 300,
        "all the words there are " * 300,
        "(" * 6_000,
        "[](" * 2_000,
        "\u202e" * 6_000,
    ],
    ids=["one link", "short links", "broken links", "words", "round", "masked", "direction"],
)
async def test_6000_characters_of_anything_are_answered_in_time(world: World, text: str) -> None:
    await world.link(ADA)
    interaction = await world.save(text[:6_000])
    await interaction.answered()
    assert interaction.answered_at is not None
    assert interaction.answered_at - interaction.sent_at < 2.5
    await message_of(interaction)
    await world.idle()


def test_10000_ids_are_read_in_little_memory() -> None:
    text = " ".join(f"{number:022d}" for number in range(10_000))
    read(text)
    tracemalloc.start()
    found = read(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 10_000
    assert peak < 10_000_000


async def test_words_reach_spotify_as_one_parameter_whatever_they_hold(world: World) -> None:
    await world.link(ADA)
    words = "a&type=track&limit=50#b?c=%26 ../me +\u2603 q=x"
    await message_of(await world.save(words))
    (search,) = [call for call in world.spotify.calls if call.path == "/v1/search"]
    query = dict(search.query)
    assert query["q"] == words
    assert query["type"] == "album"
    assert len(query) == len(search.query)


# -- what stands in names


async def test_hostile_names_are_shown_as_text_and_ping_nobody(world: World) -> None:
    """A title, an artist, an account and a member that try everything, in every answer that shows them."""
    albums = [replace(album, title=EVIL, artists=(Artist("a" * 22, EVIL),)) for album in synthetic(3)]
    world.spotify.catalogue.add(albums)
    await world.link(ADA, name=EVIL[:2_000])
    first, *others = [album.id for album in albums]
    asked = [
        await world.save(first, user_name=EVIL[:100]),
        await world.save(" ".join([*others, EVIL[:60]])),
        await world.save("@everyone **bold** <@1>"),
        await world.discord.slash(ADA, "account", {}),
        await world.discord.slash(ADA, "unlink", {}),
        await world.discord.slash(ADA, "link", {}),
    ]
    shown = [await message_of(interaction) for interaction in asked]
    typed = await world.discord.autocomplete(ADA, "save", "albums", "everyone bold")
    await typed.answered()
    assert typed.choices
    assert any("bold" in text for message in shown for text in texts(message))
    for message in shown:
        for text in texts(message):
            # what begins markup or a mention is either ours or has a backslash before it
            assert not re.search(r"@(?:everyone|here)", text)
            assert not re.search(r"(?<!\\)<@", text)
            assert "**bold**" not in text
            assert not re.search(r"(?<!\\)\[click", text)
            assert "](https://evil" not in text
            assert not re.search(r"https?://evil", text)
            assert not re.search(r"(?<!\\)\|\|", text)
            assert not re.search(r"(?<!\\)</save:1>", text)
        links = [part["url"] for part in flatten(message["components"]) if part.get("url")]
        assert [link for link in links if "evil" in link] == []
        assert len(buttons(message)) <= 4
    sent = [request.body for request in world.discord.requests if isinstance(request.body, dict)]
    answers = [body.get("data") or body for body in sent]
    drawn = [body for body in answers if isinstance(body, dict) and body.get("components")]
    assert len(drawn) >= len(asked)
    assert all(body["allowed_mentions"] == {"parse": []} for body in drawn)


# -- presses


async def test_a_press_of_ben_reaches_bens_library_alone(world: World) -> None:
    """A card's button holds the album, and whoever presses changes their own library."""
    await world.link(ADA)
    await world.link(BEN, "ben")
    saving = await world.save(FIRST)
    message = await message_of(saving)
    await message_of(await world.discord.press(BEN, f"unsave:{FIRST}", message))
    assert (world.saved(), world.saved("ben")) == ([FIRST], [])
    await message_of(await world.discord.press(BEN, f"save:{FIRST}", message))
    await world.idle(BEN)
    assert (world.saved(), world.saved("ben")) == ([FIRST], [FIRST])
