"""`/club nominate` and `/club nominations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.albums import Album, AlbumId
from bot.caller import Caller, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, text_card
from bot.chat.club.answering import Answering, cancel_button, sentence
from bot.chat.club.dates import paused, until_voting_opens, voting_opens
from bot.chat.club.fields import NOTE_MOST
from bot.chat.club.names import Albums, name_of, note_of, paged
from bot.chat.components import CustomId
from bot.chat.editions import told_apart
from bot.chat.parts import button
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, plain
from bot.curation.club import Nomination, Pick, Round, State
from bot.curation.ids import ClubId
from bot.curation.participation import withdraw
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import StoredClub

NOTES_KEPT = 500


class Nominating:
    """Takes nominations, asks before one replaces another, and shows them."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        # Notes of nominations that wait for a confirmation: a custom id has no space for one.
        self._notes: dict[tuple[ClubId, MemberId, AlbumId], str] = {}

    async def nominate(self, interaction: Interaction, text: str, note: str | None, named: str | None) -> None:
        """`/club nominate`."""
        caller = caller_of(interaction)

        async def make(words: Words) -> Sequence[Card] | Beside:
            stored = await self._answering.club(interaction, named)
            album = await self._answering.album(caller.member_id, text)
            return await self._nominate(words, stored, caller.member_id, album, (note or "").strip()[:NOTE_MOST])

        await self._answering(interaction, make, name="club nominate", album=text)

    async def replace(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, new: AlbumId, old: AlbumId
    ) -> None:
        """The member confirms that a nomination takes the place of another one."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            stored = await self._answering.own_club(caller, club_id)
            album = await self._answering.finder.album(owner, new)
            note = self._notes.pop((club_id, owner, new), "")
            return await self._nominate(words, stored, owner, album, note, replacing=old)

        await self._answering(interaction, make, name="button club-replace", edits=True)

    async def take_back(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, album: AlbumId
    ) -> None:
        """The button that takes a nomination back."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            outcome = await self._answering.clubs.apply(
                club_id, lambda c, stored, facts: withdraw(stored.club, owner, album)
            )
            if isinstance(outcome, Refused):
                stored = await self._answering.clubs.get(club_id)
                return Beside([await self._answering.refused(words, outcome, stored, album)])
            albums = await self._answering.names.of([album])
            said = words.t("You took back {album}.", album=name_of(words, albums, album))
            return [text_card(said)]

        await self._answering(interaction, make, name="button club-withdraw", edits=True)

    async def _nominate(
        self,
        words: Words,
        stored: StoredClub,
        member: MemberId,
        album: Album,
        note: str,
        *,
        replacing: AlbumId | None = None,
    ) -> Sequence[Card] | Beside:
        nomination = Nomination(album.id, member, note, self._answering.now())
        year = int(album.year) if album.year.isdecimal() else None
        outcome = await self._answering.clubs.nominate(stored.id, nomination, year=year, replacing=replacing)
        if not isinstance(outcome, Refused):
            return [receipt(words, stored, member, album, note, self._answering.now())]
        if outcome.reason is not Reason.CONFIRM_REPLACING:
            return Beside([await self._answering.refused(words, outcome, stored, album.id)])
        while len(self._notes) >= NOTES_KEPT:
            del self._notes[next(iter(self._notes))]
        self._notes[stored.id, member, album.id] = note
        return [await self._ask(words, stored, member, album, outcome)]

    async def _ask(self, words: Words, stored: StoredClub, member: MemberId, album: Album, refused: Refused) -> Card:
        t = words.t
        albums = await self._answering.names.of([one.album_id for one in refused.own])
        own = t.list([name_of(words, albums, one.album_id) for one in refused.own])
        text = t(
            "You have nominated {own}. Do you want to nominate {album} in its place?",
            own=own,
            album=words.album(album, 60),
        )
        if len(refused.own) == 1:
            labels = [t("Replace it")]
        else:
            labels = [
                t("Replace {title}", title=albums[one.album_id].title[:60] if one.album_id in albums else str(place))
                for place, one in enumerate(refused.own, 1)
            ]
        buttons = [
            button(label, CustomId("club-replace", member, stored.id, album.id, one.album_id))
            for label, one in zip(labels, refused.own, strict=True)
        ]
        all_ = [*buttons, cancel_button(words)]
        rows = [parts.row(*all_[at : at + 5]) for at in range(0, len(all_), 5)]  # a row takes 5
        return Card(parts.text(text), *rows, kind=Kind.PRIVATE)

    async def show(self, interaction: Interaction, named: str | None) -> None:
        """`/club nominations`."""
        caller = caller_of(interaction)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            coming = stored.club.coming
            albums = await self._answering.names.of([one.album_id for one in coming.nominations])
            return nominations_cards(words, stored, coming, albums, caller.member_id, self._answering.now())

        await self._answering(interaction, make, name="club nominations")


def receipt(words: Words, stored: StoredClub, member: MemberId, album: Album, note: str, now: datetime) -> Card:
    """What was nominated, for the member alone."""
    t = words.t
    lines = [
        t("You nominated this album for round {number}.", number=t.number(stored.club.coming.number)),
        until_voting_opens(words, stored.club, now),
    ]
    if stored.club.coming.sealed:
        lines.append(t("Your name is shown only with the result."))
    if quoted := note_of(note):
        lines.append(quoted)
    take_back = button(t("Take back"), CustomId("club-withdraw", member, stored.id, album.id))
    return Card(
        album_section(words, album),
        parts.text("\n".join(lines)),
        parts.row(take_back),
        *attribution(words, [album]),
        kind=Kind.PRIVATE,
    )


def nominations_cards(
    words: Words, stored: StoredClub, coming: Round, albums: Albums, reader: MemberId, now: datetime
) -> list[Card]:
    """What is nominated. Who nominated it is shown, unless the club keeps that for the result; notes are shown."""
    t = words.t
    heading = t("{club}, round {number}", club=plain(stored.name, 60), number=t.number(coming.number))
    lines = [f"### {heading}"]
    if coming.pick is not Pick.VOTE:
        lines.append(sentence(words, Refused(Reason.NOT_BY_VOTE), stored, ""))
    elif not coming.nominations:
        lines.append(
            t("Nothing is nominated yet. Suggest an album with {command}.", command=words.command("club nominate"))
        )
    apart = told_apart(t, albums.values())
    for one in coming.nominations:
        lines.append(f"- {_nominated(words, one, name_of(words, apart, one.album_id, 40), reader, coming)}")
        if note := note_of(one.note, 200):
            lines.append(note)
    if coming.state is State.SKIPPED:
        lines.append(t("This round is skipped."))
    if coming.pick is Pick.VOTE and coming.state is State.NOMINATING:
        lines.append(paused(words) if stored.club.paused_at is not None else voting_opens(words, stored.club, now))
    shown = attribution(words, [*albums.values()])
    return [Card(parts.text("\n".join(page)), *shown, kind=Kind.PRIVATE) for page in paged(lines)]


def _nominated(words: Words, one: Nomination, name: str, reader: MemberId, coming: Round) -> str:
    if one.member_id == reader:
        return words.t("{album}, nominated by you", album=name)
    if coming.sealed or one.member_id is None:
        return name
    return words.t("{album}, nominated by {member}", album=name, member=f"<@{one.member_id}>")
