"""The story of the sandbox, played without a person: each step is printed, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import click

from bot import logs
from bot.sandbox.components import flatten
from bot.sandbox.stage import Stage, set_up

ALBUM = "4aawyAB9vmqN3uQ7FjRGTy"


class StoryFailed(Exception):
    """A step did not go as the story tells."""


async def play() -> int:
    """Play the story; 0 when every step went as told."""
    logs.configure("WARNING", "console", ())
    async with set_up() as stage:
        try:
            await _play(stage)
        except StoryFailed as failure:
            click.echo(f"✗ {failure}", err=True)
            return 1
    click.echo("The story is over, and everything went as told.")
    return 0


async def _play(stage: Stage) -> None:
    ada, ben = stage.members["Ada"], stage.members["Ben"]
    shelf = stage.spotify.accounts["ada"].saved

    link = await ada.slash(stage.channel, "link")
    _tell("Ada runs /link", link.response, "Link your Spotify account")
    page = await follow(_button(link.response, "Link Spotify")["url"], ada.id, "ada")
    _expect("Linked. You can go back to Discord." in page, "the page says that she is linked")
    click.echo("· She says who she is, agrees at Spotify, and the page says: Linked. You can go back to Discord.")
    await until(lambda: "Linked as" in _text(link.response), "the private message changes")
    _tell("Her private message has changed", link.response, "Linked as")

    choices = await ada.autocomplete(stage.channel, "save", "albums", "the")
    _expect(bool(choices), "autocomplete offers albums")
    click.echo(f"· Ada types /save the… and is offered {len(choices)} albums, first: {choices[0]['name']}")

    saved = await ada.slash(stage.channel, "save", albums=choices[0]["value"])
    picked = choices[0]["value"].removeprefix("spotify:album:")
    _tell("She picks the first", saved.response, "Saved")
    _expect(list(shelf) == [picked], "the album is in Ada's library")
    assert saved.response is not None
    undone = await ada.click(saved.response.message, label="Undo")
    _tell("She presses Undo", undone.response, "Undone: removed")
    _expect(not shelf, "the album is out of Ada's library again")

    again = await ada.slash(stage.channel, "save", albums=f"https://open.spotify.com/album/{ALBUM}?si=abc")
    _tell("She pastes a link into /save", again.response, "Saved")
    removed = await ada.slash(stage.channel, "unsave", albums=ALBUM)
    _tell("She runs /unsave with its id", removed.response, "Removed")
    _expect(not shelf, "Ada's library is as it was")

    asked = await ben.slash(stage.channel, "save", albums=ALBUM)
    _tell("Ben runs /save without a linked account", asked.response, "Link your Spotify account once")
    await follow(_button(asked.response, "Link Spotify")["url"], ben.id, "ben")
    await until(lambda: ALBUM in stage.spotify.accounts["ben"].saved, "Ben's change is carried out after linking")
    await until(lambda: "Saved" in _text(asked.response), "Ben's message says so")
    _tell("He links, and his album is saved right after", asked.response, "Saved")
    _expect(ALBUM not in shelf, "and nobody else's library changed")


async def follow(url: str, user: int, account: str) -> str:
    """Go through the consent pages as a browser of one's own; the last page's text."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(url) as consent:
            discord = consent.url
        async with browser.post(discord, data={"user": str(user)}) as consent:
            spotify = consent.url
        async with browser.post(spotify, data={"account": account, "decision": "agree"}) as page:
            return await page.text()


def _tell(step: str, response: Any, holds: str) -> None:
    text = _text(response)
    _expect(holds in text, f"{step}: the answer holds “{holds}”, but it is “{text}”")
    first = next((line for line in text.splitlines() if holds in line), "")
    click.echo(f"· {step}: {first}")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise StoryFailed(f"This should be so, and is not: {what}")


async def until(holds: Any, what: str) -> None:
    try:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - the stand-ins have no event for it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise StoryFailed(f"This should come, and did not: {what}") from None


def _text(response: Any) -> str:
    return "\n".join(str(part["content"]) for part in flatten(response.components) if "content" in part)


def _button(response: Any, label: str) -> Mapping[str, Any]:
    for part in flatten(response.components):
        if part.get("label") == label:
            return part
    raise StoryFailed(f"There is no button {label}")
