"""The floor: a bare discord.py bot that makes the same calls and sends the same card, and nothing else.

It stores nothing, retries nothing, checks nothing and imports nothing of Gatefold's. It is as quick as we could
make it: what a card says of an album is put together once.
`python -m bench.bare` reads its addresses and tokens as JSON from standard input.
"""

from __future__ import annotations

import gc

gc.disable()  # as Gatefold does while it loads: see bot/__main__.py

import asyncio
import json
import sys
from typing import Any, NamedTuple

import aiohttp
import discord
from discord import app_commands, ui
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL


class Known(NamedTuple):
    """What the card says of an album."""

    header: str
    cover: str
    alt: str
    saved: str
    url: str
    source: str


class Card(ui.LayoutView):
    """Not stored by discord.py, which would keep it for ever."""

    def is_finished(self) -> bool:
        return True


class Ballot(ui.Modal, title="Vote"):
    """Three ranks of five albums. Not stored by discord.py either."""

    def __init__(self) -> None:
        super().__init__(custom_id="ballot", timeout=None)
        for rank in ("first", "second", "third"):
            options = [discord.SelectOption(label=f"Album {number}", value=str(number)) for number in range(5)]
            self.add_item(ui.Label(text=rank, component=ui.Select(custom_id=rank, options=options)))

    def is_finished(self) -> bool:
        return True


def _change() -> ui.Button[Any]:
    return ui.Button(label="Change my vote", custom_id="club-vote")


class BareBot(discord.Client):
    """One command, each member's token, one card."""

    def __init__(self, api_url: str, tokens: dict[int, str]) -> None:
        super().__init__(
            intents=discord.Intents.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.0,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.api_url = api_url
        self.contains_url = URL(f"{api_url}/me/albums/contains")
        self.write_url = URL(f"{api_url}/me/albums")
        self.headers = {member: {"Authorization": f"Bearer {token}"} for member, token in tokens.items()}
        self.known: dict[str, Known] = {}
        self.session: aiohttp.ClientSession
        self.tree = app_commands.CommandTree(self)

        @self.tree.command(name="save", description="Save albums")
        async def save(interaction: discord.Interaction[Any], albums: str) -> None:
            await self.save(interaction, albums)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """A ballot: its button opens the form, and the form gets a receipt."""
        if interaction.type is discord.InteractionType.component:
            await interaction.response.send_modal(Ballot())
        elif interaction.type is discord.InteractionType.modal_submit:
            view = Card(timeout=None)
            view.add_item(ui.Container(ui.TextDisplay("Your vote is in."), ui.ActionRow(_change())))
            await interaction.response.send_message(view=view, ephemeral=True)

    async def setup_hook(self) -> None:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        await self.tree.sync()

    async def close(self) -> None:
        await self.session.close()
        await super().close()

    async def save(self, interaction: discord.Interaction[Any], album_id: str) -> None:
        """contains and, where the name is unknown, the look-up beside it; the write; the card."""
        headers = self.headers[interaction.user.id]
        contains = self._get(self.contains_url.with_query(ids=album_id), headers)
        if (album := self.known.get(album_id)) is None:
            _, found = await asyncio.gather(contains, self._get(URL(f"{self.api_url}/albums/{album_id}"), headers))
            album = self.known[album_id] = _known(found)
        else:
            await contains
        async with self.session.put(self.write_url, json={"ids": [album_id]}, headers=headers) as response:
            await response.read()
        await interaction.response.send_message(view=_card(interaction.id, album), ephemeral=True)

    async def _get(self, url: URL, headers: dict[str, str]) -> Any:
        async with self.session.get(url, headers=headers) as response:
            return json.loads(await response.read())


def _known(album: dict[str, Any]) -> Known:
    artists = ", ".join(artist["name"] for artist in album["artists"])
    title, year, url = album["name"], album["release_date"][:4], f"https://open.spotify.com/album/{album['id']}"
    return Known(
        header=f"### [{title}]({url})\n{artists} · {year}",
        cover=album["images"][1]["url"],
        alt=f"Cover of {title} by {artists}",
        saved="Saved to your library.",
        url=url,
        source=f"-# [on Spotify]({url})",
    )


def _card(interaction_id: int, album: Known) -> Card:
    view = Card(timeout=None)
    view.add_item(
        ui.Container(
            ui.Section(album.header, accessory=ui.Thumbnail(album.cover, description=album.alt)),
            ui.TextDisplay(album.saved),
            ui.ActionRow(
                ui.Button(label="Undo", custom_id=f"undo:{interaction_id}"),
                ui.Button(label="Show that I kept this", custom_id=f"keep:{album.url.rpartition('/')[2]}"),
            ),
            ui.TextDisplay(album.source),
            accent_colour=0x5B6EE1,
        )
    )
    return view


async def run(given: dict[str, Any]) -> None:
    """Run until the process is stopped."""
    Route.BASE = given["discord_api_url"]
    DiscordWebSocket.DEFAULT_GATEWAY = URL(given["discord_gateway_url"])
    tokens = {int(member): token for member, token in given["tokens"].items()}
    async with BareBot(given["spotify_api_url"], tokens) as client:
        await client.start(given["discord_token"])


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    asyncio.run(run(json.load(sys.stdin)))
