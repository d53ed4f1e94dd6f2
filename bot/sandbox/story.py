"""The story of the sandbox, played without a person: each step is printed with what is read, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import click

from bot import logs
from bot.sandbox.components import flatten
from bot.sandbox.reading import Reader, wrapped
from bot.sandbox.stage import Stage, set_up
from bot.sandbox.transcript import PRIVATE, PUBLIC, WIDTH

ALBUM = "4aawyAB9vmqN3uQ7FjRGTy"


class StoryFailed(Exception):
    """A step did not go as the story tells."""


async def play() -> int:
    """Play the story; 0 when every step went as told."""
    logs.configure("WARNING", "console", ())
    async with set_up() as stage:
        try:
            await _Story(stage).play()
        except StoryFailed as failure:
            click.echo(f"✗ {failure}", err=True)
            return 1
    click.echo("The story is over, and everything went as told.")
    return 0


class _Story:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._names = {member.id: name for name, member in stage.members.items()}

    async def play(self) -> None:
        stage = self._stage
        ada, ben, chloe = (stage.members[name] for name in ("Ada", "Ben", "Chloe"))
        saved_by = {name: account.saved for name, account in stage.spotify.accounts.items()}

        link = await ada.slash(stage.channel, "link")
        self._tell("Ada runs /link.", link.response, "Link your Spotify account")
        page = await follow(_button(link.response, "Link Spotify")["url"], ada.id, "ada")
        _expect("Linked. You can go back to Discord." in page, "the page says that she is linked")
        await until(lambda: "Linked as" in self._text(link.response), "the private message changes")
        self._tell("She says who she is, and agrees at Spotify. Her message changes.", link.response, "Linked as")

        choices = await ada.autocomplete(stage.channel, "save", "albums", "the")
        _expect(bool(choices), "autocomplete offers albums")
        self._say("Ada types /save the, and is offered:", [choice["name"] for choice in choices[:3]])
        picked = choices[0]["value"].removeprefix("spotify:album:")
        saved = await ada.slash(stage.channel, "save", albums=choices[0]["value"])
        self._tell("She picks the first.", saved.response, "Saved to your library.")
        _expect(list(saved_by["ada"]) == [picked], "the album is in Ada's library")
        assert saved.response is not None
        undone = await ada.click(saved.response.message, label="Undo")
        self._tell("She presses Undo.", undone.response, "Undone: removed")
        _expect(not saved_by["ada"], "the album is out of Ada's library again")

        again = await ada.slash(stage.channel, "save", albums=f"https://open.spotify.com/album/{ALBUM}?si=abc")
        self._tell("She pastes a link into /save.", again.response, "Saved to your library.")
        removed = await ada.slash(stage.channel, "unsave", albums=ALBUM)
        self._tell("She runs /unsave with its id.", removed.response, "Removed from your library.")
        _expect(not saved_by["ada"], "Ada's library is as it was")

        asked = await ben.slash(stage.channel, "save", albums=ALBUM)
        self._tell("Ben runs /save without a linked account.", asked.response, "Link your Spotify account once")
        await follow(_button(asked.response, "Link Spotify")["url"], ben.id, "ben")
        await until(lambda: ALBUM in saved_by["ben"], "Ben's change is carried out after linking")
        await until(lambda: "Saved" in self._text(asked.response), "Ben's message says so")
        self._tell("He links, and his album is saved right after.", asked.response, "Saved to your library.")
        _expect(not saved_by["ada"], "and nobody else's library changed")

        shared = await chloe.slash(stage.channel, "share", album=ALBUM, note="For the train home.")
        self._tell("Chloe shares an album with everybody.", shared.response, "Shared by", PUBLIC)
        assert shared.response is not None
        kept = await ada.click(shared.response.message, label="Save")
        self._tell("Ada presses Save on that card.", kept.response, "Saved to your library.")
        _expect(list(saved_by["ada"]) == [ALBUM], "the shared album is in Ada's library")

    def _tell(self, step: str, response: Any, holds: str, margin: str = PRIVATE) -> None:
        text = self._text(response)
        _expect(holds in text, f"{step} The answer holds “{holds}”, but it is “{text}”")
        self._say(step, text.splitlines(), margin)

    def _say(self, step: str, lines: Sequence[str], margin: str = PRIVATE) -> None:
        click.echo(f"· {step}")
        for line in wrapped([line for line in lines if line], WIDTH, margin):
            click.echo(line)

    def _text(self, response: Any) -> str:
        return "\n".join(Reader(self._names, self._stage.clock.now()).lines(response.components))


async def follow(url: str, user: int, account: str) -> str:
    """Go through the consent pages as a browser of one's own; the last page's text."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(url) as consent:
            discord = consent.url
        async with browser.post(discord, data={"user": str(user)}) as consent:
            spotify = consent.url
        async with browser.post(spotify, data={"account": account, "decision": "agree"}) as page:
            return await page.text()


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise StoryFailed(f"This should be so, and is not: {what}")


async def until(holds: Any, what: str) -> None:
    try:
        async with asyncio.timeout(60):
            while not holds():  # noqa: ASYNC110 - the stand-ins have no event for it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise StoryFailed(f"This should come, and did not: {what}") from None


def _button(response: Any, label: str) -> Mapping[str, Any]:
    for part in flatten(response.components):
        if part.get("label") == label:
            return part
    raise StoryFailed(f"There is no button {label}")
