"""What the club says to one member by direct message: reminders, turns, and what the starter has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.chat.cards import Card, Kind, text_card
from bot.chat.club.names import Names, name_of
from bot.chat.club.turns import order_line
from bot.chat.components import CustomId
from bot.chat.parts import Part, button
from bot.chat.words import Words, date, plain, soon
from bot.clubs import AlbumClubs, NoSuchClub
from bot.curation.club import State, Step
from bot.curation.ids import ClubId
from bot.storage.clubs import StoredClub


class Notices:
    """Draws direct messages."""

    def __init__(self, clubs: AlbumClubs, names: Names) -> None:
        self._clubs = clubs
        self._names = names

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """The card of a notice; none where the club is gone."""
        try:
            stored = await self._clubs.get(ClubId(payload["club"]))
        except NoSuchClub:
            return []
        if payload["step"] == "swap":
            return [swap_card(words, stored, payload)]
        if payload["step"] == "swapped":
            said = words.t(
                "{club}: {member} swapped places with you.",
                club=f"**{plain(stored.name, 60)}**",
                member=f"<@{payload['other']}>",
            )
            return [text_card(f"{said}\n{order_line(words, stored.club)}", kind=Kind.CLUB)]
        if payload["step"] == "swap declined":
            said = words.t(
                "{club}: {member} would rather keep their place in the order.",
                club=f"**{plain(stored.name, 60)}**",
                member=f"<@{payload['other']}>",
            )
            return [text_card(said, kind=Kind.CLUB)]
        album = payload.get("album")
        albums = await self._names.of([AlbumId(album) if album else None])
        shown = name_of(words, albums, AlbumId(album)) if album else ""
        text = notice(words, stored, str(payload["step"]), shown)
        return [text_card(text, kind=Kind.CLUB)] if text else []


def notice(words: Words, stored: StoredClub, step: str, album: str) -> str:
    """What a notice says. Empty: it is of no use any more."""
    t, club = words.t, stored.club
    name, channel, hour = f"**{plain(stored.name, 60)}**", f"<#{stored.channel_id}>", soon(club.club_hour_at)
    match step:
        case "blocked":
            return t(
                "I can't post in {channel} for {club}: the channel is gone, or I need View Channel and Send Messages "
                "there. What I could not post goes out when it is possible again. You can move the club with "
                "{command} in another channel.",
                channel=channel,
                club=name,
                command=words.command("curate settings"),
            )
        case "removed":
            return t(
                "I was removed from the server of {club}. Its data is kept for 30 days. If I am invited again within "
                "that time, the club goes on.",
                club=name,
            )
        case "role gone":
            return t(
                "The role that {club} mentions in {channel} was deleted, so nobody is mentioned now. Choose another one "
                "with {command}.",
                club=name,
                channel=channel,
                command=words.command("curate settings"),
            )
        case "thread gone":
            return t(
                "The thread about the current album of {club} was deleted. The next announcement opens a new one, unless "
                "you turn threads off with {command}.",
                club=name,
                command=words.command("curate settings"),
            )
        case "thread":
            return t(
                "I can't open threads in {channel} for {club}. I need Create Public Threads and Send Messages in "
                "Threads there, or turn threads off with {command}.",
                channel=channel,
                club=name,
                command=words.command("curate settings"),
            )
        case "event":
            return t(
                "I can't make events on the server for {club}. I need Create Events, or turn events off with "
                "{command} in {channel}.",
                club=name,
                channel=channel,
                command=words.command("curate settings"),
            )
        case Step.REMIND_NOMINATE:
            return t(
                "{club}: voting opens {when}. You can nominate an album in {channel}.",
                club=name,
                when=soon(club.vote_at),
                channel=channel,
            )
        case Step.REMIND_VOTE:
            return t("{club}: voting ends {when}. You can vote in {channel}.", club=name, when=hour, channel=channel)
        case Step.REMIND_RATE:
            return t(
                "{club}: the summary comes {when}. You can rate the album in {channel}.",
                club=name,
                when=hour,
                channel=channel,
            )
        case Step.TELL_PICKER:
            return t(
                "{club}: it is your turn to pick the album that is announced {when}. Use {command} in {channel}, or pass "
                "your turn with {passing}.",
                club=name,
                when=date(club.club_hour_at),
                command=words.command("club pick"),
                channel=channel,
                passing=words.command("club pass"),
            )
        case Step.TELL_STANDBY:
            return t(
                "{club}: the member before you has not picked yet. If they don't, your pick is announced {when}. Use "
                "{command} in {channel}.",
                club=name,
                when=hour,
                command=words.command("club pick"),
                channel=channel,
            )
        case Step.TELL_REMOVED if club.coming.state is State.VOTING:
            return t(
                "{club}: {album} can no longer be chosen, since a curator keeps it out or the club has just had it.",
                club=name,
                album=album,
            )
        case Step.TELL_REMOVED:
            return t(
                "{club}: {album} can no longer be chosen, since a curator keeps it out or the club has just had it. "
                "You can choose another album in {channel}.",
                club=name,
                album=album,
                channel=channel,
            )
    return ""


def swap_card(words: Words, stored: StoredClub, payload: Mapping[str, Any]) -> Card:
    """Somebody wants to swap places. The buttons hold who may press them: the addressee."""
    t, asker = words.t, MemberId(payload["asker"])
    text = t(
        "{club}: {member} would like to swap places with you in the order.",
        club=f"**{plain(stored.name, 60)}**",
        member=f"<@{asker}>",
    )
    question = payload["other"], stored.id, payload["round"], asker
    accept: Part = button(t("Swap"), CustomId("club-swap", *question), discord.ButtonStyle.primary)
    decline: Part = button(t.context("button", "Decline"), CustomId("club-decline", *question))
    return text_card(text, accept, decline, kind=Kind.CLUB)
