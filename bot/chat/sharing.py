"""`/share`, the buttons of a shared card, and the message commands that find albums in anybody's message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import discord
import structlog
from discord import app_commands

from bot.albums import Album, AlbumId, AlbumRef, Reference, ShortLink, TrackRef
from bot.caller import Caller, MemberId
from bot.changes import Action
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, text_card
from bot.chat.components import Component, CustomId
from bot.chat.crate_commands import AlbumText, Choices, Note, guild_of
from bot.chat.crates import CrateCards
from bot.chat.features import Feature, describe
from bot.chat.parts import Part, button, link_button
from bot.chat.reply import MESSAGES, Beside, Interaction, Reply, Visibility, Work, caller_of
from bot.chat.saving import Saving
from bot.chat.words import Words, plain
from bot.library.finder import AlbumFinder, NotFound
from bot.pasted_text import read
from bot.text import command_name, msg

SHARED, SAVE_POSTED = "crate-add", "save-posted"
"""The verbs of the buttons that name who shared an album: **Add to crate** on a card, **Save** on a one-line reply."""
READ_MOST = 20_000
"""Characters of a message, with all that is embedded, that are read for links."""
CARDS_MOST = 5
"""Cards that one message becomes."""
ADD_MOST = 100
"""Albums of one message that go into a crate at once: a message holds fewer links."""
_TEXTS = ("content", "url", "title", "description", "value", "name", "text")

_log = structlog.get_logger("gatefold.chat")


class Sharing:
    """Shows albums to everybody in a channel, and does for one member what they want with an album of a message."""

    def __init__(self, finder: AlbumFinder, crates: CrateCards, saving: Saving, reply: Reply) -> None:
        self._finder = finder
        self._crates = crates
        self._saving = saving
        self._reply = reply

    async def share(self, caller: Caller, text: str, note: str) -> Sequence[Card] | Beside:
        """The public card of the album that `text` means."""
        found = await self._finder.find(caller.member_id, text)
        if isinstance(found, NotFound):
            return Beside([text_card(self._reply.words(caller.locale).not_found(found))])
        return [share_card(self._reply.public_words(caller), found, caller.member_id, note)]

    async def share_message(self, caller: Caller, message: Mapping[str, Any]) -> Sequence[Card] | Beside:
        """A card for each of the first albums of a message."""
        named = albums_in(message)
        albums = await self._albums(caller, named[:CARDS_MOST])
        if not albums:
            return Beside([text_card(_nothing(self._reply.words(caller.locale)))])
        words = self._reply.public_words(caller)
        left = len(named) - CARDS_MOST
        rest = [""] * (len(albums) - 1) + [_rest(words, message, caller, left) if left > 0 else ""]
        return [
            share_card(words, album, caller.member_id, "", below) for album, below in zip(albums, rest, strict=True)
        ]

    async def add(self, interaction: Interaction, caller: Caller, album_id: AlbumId, _: MemberId) -> None:
        """**Add to crate** on a card."""

        async def work() -> Sequence[Card]:
            if interaction.guild_id is None:
                return [text_card(_only_in_servers(self._reply.words(caller.locale)))]
            album = await self._finder.album(caller.member_id, album_id)
            return await self._crates.add_album(caller, guild_of(interaction), album, "", None)

        await self.answer(interaction, work(), "button add to crate")

    async def save(self, interaction: Interaction, caller: Caller, album_id: AlbumId, _: MemberId) -> None:
        """**Save** beside a post."""
        await self._saving.save_album(interaction, caller, album_id)

    async def add_message(self, interaction: Interaction, caller: Caller, message: Mapping[str, Any]) -> Sequence[Card]:
        """Put the albums of a message into the server's first crate."""
        words = self._reply.words(caller.locale)
        if interaction.guild_id is None:
            return [text_card(_only_in_servers(words))]
        named = albums_in(message)
        albums = await self._albums(caller, named[:ADD_MOST])
        if not albums:
            return [text_card(_nothing(words))]
        if len(albums) == 1:
            return await self._crates.add_album(caller, guild_of(interaction), albums[0], "", None)
        left = max(len(named) - ADD_MOST, 0)
        return await self._crates.add_albums(caller, guild_of(interaction), albums, left=left)

    async def save_message(self, interaction: Interaction, caller: Caller, message: Mapping[str, Any]) -> None:
        """Save the albums of a message, in the fewest writes."""
        found = albums_in(message)
        if not found:
            await self.answer(interaction, self._say(caller), "message save albums")
            return
        text = " ".join(map(as_text, found))
        await self._saving.save_text(interaction, caller, text, "message save albums")

    async def remove(self, interaction: Interaction, caller: Caller, message: discord.Message) -> Sequence[Card]:
        """Take a shared card back: by who shared it, or by whoever may manage messages."""
        t = self._reply.words(caller.locale).t
        target = target_of(interaction)
        sharer = sharer_of(target)
        is_ours = str((target.get("author") or {}).get("id")) == str(interaction.application_id)
        if sharer is None or not is_ours:
            return [text_card(t("That is not a shared card of mine. Use this on a card that somebody shared."))]
        if sharer != caller.member_id and not interaction.permissions.manage_messages:
            return [
                text_card(
                    t("Only the member who shared this card, or somebody who manages messages here, can remove it.")
                )
            ]
        try:
            await message.delete()
        except discord.NotFound:
            pass
        except discord.HTTPException as error:
            _log.warning("a card was not removed", error=error.code)
            return [text_card(t("Discord did not let me remove the card. Someone who manages messages can."))]
        return [text_card(t("The card is removed."))]

    async def answer(self, interaction: Interaction, work: Work, name: str) -> None:
        """Answer the member alone."""
        await self._reply(interaction, work, name=name, visibility=Visibility.PRIVATE)

    async def answer_all(self, interaction: Interaction, work: Work, name: str, album: str = "") -> None:
        """Answer for everybody in the channel."""
        await self._reply(interaction, work, name=name, visibility=Visibility.PUBLIC, album=album)

    async def _say(self, caller: Caller) -> Sequence[Card]:
        return [text_card(_nothing(self._reply.words(caller.locale)))]

    async def _albums(self, caller: Caller, references: Sequence[Reference]) -> list[Album]:
        found = [await self._finder.find(caller.member_id, as_text(reference)) for reference in references]
        return [*{album.id: album for album in found if isinstance(album, Album)}.values()]


def share_line(words: Words, album: Album, sharer: MemberId) -> Part:
    """An album in one line with its Save button, for a reply to the message that named it."""
    t = words.t
    line = f"[{plain(album.title)}]({album.url}) · {plain(album.by)} · {t('on Spotify')}"
    label = t.context("button", "Save")
    save = button(label, CustomId(SAVE_POSTED, album.id, sharer), discord.ButtonStyle.primary)
    return parts.section(line, save)


def _rest(words: Words, message: Mapping[str, Any], caller: Caller, left: int) -> str:
    """How many albums of a message have no card, with a link to it."""
    where = f"https://discord.com/channels/{caller.guild_id or '@me'}/{message.get('channel_id')}/{message.get('id')}"
    return words.t.plural(
        "[The message]({url}) names {count} more album.",
        "[The message]({url}) names {count} more albums.",
        left,
        url=where,
    )


def share_card(words: Words, album: Album, sharer: MemberId, note: str, below: str = "") -> Card:
    """The public card of an album. Its buttons hold all that they need, so that they work for years."""
    t = words.t
    text = t("Shared by {member}", member=f"<@{sharer}>")
    if note:
        text += f"\n> {plain(note, 300)}"
    if below:
        text += f"\n-# {below}"
    buttons = (
        button(t.context("button", "Save"), CustomId("save", album.id), discord.ButtonStyle.primary),
        button(t("Add to crate"), CustomId("crate-add", album.id, sharer)),
        link_button(album.url, t("Open in Spotify")),
    )
    return Card(
        album_section(words, album),
        parts.text(text),
        parts.row(*buttons),
        *attribution(words, [album], has_button=True),
        kind=Kind.PUBLIC,
    )


def albums_in(message: Mapping[str, Any]) -> list[Reference]:
    """The links to albums and tracks in a message's text, embeds, cards and poll, each once.

    Not the 22 letters that may be an id or a word: in a message they are a word.
    """
    text = " ".join(_texts(message))[:READ_MOST]
    found = (one for one in read(text) if isinstance(one, AlbumRef | TrackRef | ShortLink))
    return [one for one in dict.fromkeys(found) if not (isinstance(one, AlbumRef) and one.words)]


def _texts(part: object) -> Iterator[str]:
    """Every text of a message as Discord sends it, however deep."""
    pending = [part]
    while pending:
        current = pending.pop(0)
        if isinstance(current, Mapping):
            for name in _TEXTS:
                if isinstance(value := current.get(name), str):
                    yield value
            below = (
                "components",
                "component",
                "accessory",
                "embeds",
                "fields",
                "author",
                "footer",
                "message_snapshots",
                "poll",
                "question",
                "answers",
                "poll_media",
            )
            pending += [current[name] for name in (*below, "message") if name in current]
        elif isinstance(current, list):
            pending += current


def sharer_of(message: Mapping[str, Any]) -> MemberId | None:
    """Who shared a card, as its **Add to crate** says; None: it is no shared card."""
    pending: list[object] = [message.get("components")]
    while pending:
        current = pending.pop()
        if isinstance(current, Mapping):
            custom_id = CustomId.read(current.get("custom_id"))
            is_ours = custom_id is not None and custom_id.verb in (SHARED, SAVE_POSTED)
            if custom_id is not None and is_ours and custom_id.fields[-1].isdecimal():
                return MemberId(int(custom_id.fields[-1]))
            pending += [current.get("components"), current.get("accessory")]
        elif isinstance(current, list):
            pending += current
    return None


def target_of(interaction: Interaction) -> Mapping[str, Any]:
    """The message that a message command was used on, as Discord sent it."""
    data = cast(Mapping[str, Any], interaction.data or {})
    messages = interaction.extras.get(MESSAGES) or {}
    return cast(Mapping[str, Any], messages.get(str(data.get("target_id"))) or {})


def as_text(reference: Reference) -> str:
    """A reference to an album as a text that names it."""
    match reference:
        case AlbumRef(id_):
            return f"spotify:album:{id_}"
        case TrackRef(id_):
            return f"spotify:track:{id_}"
        case ShortLink(host, path):
            return f"https://{host}{path}"
    raise AssertionError(reference)


def _only_in_servers(words: Words) -> str:
    return words.t("Crates belong to servers. Use this on a message in a server.")


def _nothing(words: Words) -> str:
    return words.t(
        "I found no album in this message. I can read links to albums and tracks on open.spotify.com, "
        "spotify: addresses, and short links."
    )


def feature(sharing: Sharing, saving: Saving) -> Feature:
    """The commands and buttons of this module."""

    @app_commands.command(name=command_name("share"), description=msg("Show an album to everybody in this channel"))
    @app_commands.rename(album=command_name("album"), note=command_name("note"))
    @describe(album=msg("A link, or a title: pick from the suggestions"), note=msg("Why this album; shown on the card"))
    async def share(interaction: Interaction, album: AlbumText, note: Note | None = None) -> None:
        caller = caller_of(interaction)
        await sharing.answer_all(interaction, sharing.share(caller, album, note or ""), "share", album)

    @share.autocomplete("album")
    async def albums(interaction: Interaction, text: str) -> Choices:
        return await saving.suggest(interaction, Action.SAVE, text)

    async def save_albums(interaction: Interaction, message: discord.Message) -> None:
        await sharing.save_message(interaction, caller_of(interaction), target_of(interaction))

    async def add_to_crate(interaction: Interaction, message: discord.Message) -> None:
        work = sharing.add_message(interaction, caller_of(interaction), target_of(interaction))
        await sharing.answer(interaction, work, "message add to crate")

    async def share_as_card(interaction: Interaction, message: discord.Message) -> None:
        work = sharing.share_message(caller_of(interaction), target_of(interaction))
        await sharing.answer_all(interaction, work, "message share as card")

    async def remove_card(interaction: Interaction, message: discord.Message) -> None:
        work = sharing.remove(interaction, caller_of(interaction), message)
        await sharing.answer(interaction, work, "message remove card")

    menus = (
        app_commands.ContextMenu(name=msg("Save albums"), callback=save_albums),
        app_commands.ContextMenu(name=msg("Add to crate"), callback=add_to_crate),
        app_commands.ContextMenu(name=msg("Share as card"), callback=share_as_card),
        app_commands.ContextMenu(name=msg("Remove card"), callback=remove_card),
    )
    components = (
        Component(SHARED, (AlbumId, MemberId), sharing.add),
        Component(SAVE_POSTED, (AlbumId, MemberId), sharing.save),
    )
    return Feature("sharing", (share, *menus), components)
