"""Voting: the Vote button, `/club vote`, and the private ballot."""

from __future__ import annotations

from collections.abc import Sequence

from bot.albums import AlbumId
from bot.caller import Caller
from bot.chat import editions
from bot.chat.cards import Card, text_card
from bot.chat.club.answering import Answering, NoClub, WhichClub, sentence
from bot.chat.club.dates import until_club_hour
from bot.chat.club.fields import APPROVED, RANKS
from bot.chat.club.names import Albums, name_of
from bot.chat.components import CustomId, Form, read_field
from bot.chat.menus import Choice
from bot.chat.modals import Modal, select_input
from bot.chat.parts import button
from bot.chat.reply import Interaction, caller_of
from bot.chat.words import Words
from bot.clubs import NoSuchClub
from bot.curation.ballots import Ballot, Method, ballot_from
from bot.curation.club import State
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import StoredClub

NAMES_S = 1.2
"""A modal must be the first answer, within 3 s: names that are not known by then are shown as "an album on Spotify"."""


class Voting:
    """Opens ballots and takes them."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def open_here(self, interaction: Interaction, named: str | None) -> None:
        """`/club vote`."""
        try:
            stored = await self._answering.club(interaction, named)
        except (NoClub, WhichClub):
            await self._say_why_not(interaction, named)
            return
        await self._open(interaction, stored, stored.club.coming.number)

    async def _say_why_not(self, interaction: Interaction, named: str | None) -> None:
        async def make(words: Words) -> Sequence[Card]:
            await self._answering.club(interaction, named)
            return []

        await self._answering(interaction, make, name="club vote")

    async def press(self, interaction: Interaction, caller: Caller, club_id: ClubId, number: RoundNumber) -> None:
        """The Vote button."""
        try:
            stored = await self._answering.clubs.get(club_id)
        except NoSuchClub:
            stored = None
        if stored is None or stored.guild_id != caller.guild_id:

            async def make(words: Words) -> Sequence[Card]:
                raise NoSuchClub

            await self._answering(interaction, make, name="button club-vote")
            return
        await self._open(interaction, stored, number)

    async def _open(self, interaction: Interaction, stored: StoredClub, number: RoundNumber) -> None:
        caller = caller_of(interaction)
        coming = stored.club.coming
        if coming.number != number or coming.state is not State.VOTING or coming.method is None:

            async def make(words: Words) -> Sequence[Card]:
                return [text_card(sentence(words, Refused(Reason.NOT_VOTING), stored, ""))]

            await self._answering(interaction, make, name="club vote")
            return
        words = self._answering.reply.words(caller.locale)
        part = await self._answering.clubs.own_part(stored.id, caller.member_id)
        albums = await self._answering.names.of(coming.lot, seconds=NAMES_S)
        modal = ballot_modal(words, stored, albums, part.ballot or ())
        await self._answering.reply.show(interaction, modal, name="club vote")

    async def submit(
        self, interaction: Interaction, caller: Caller, club_id: ClubId, number: RoundNumber, form: Form
    ) -> None:
        """A filled-in ballot."""

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.own_club(caller, club_id)
            ballot = ballot_of(form)
            refused = await self._answering.clubs.vote(club_id, number, caller.member_id, ballot)
            again = button(words.t("Change my vote"), CustomId("club-vote", club_id, number))
            if refused is not None:
                said = sentence(words, refused, stored, "")
                buttons = [again] if refused.reason in (Reason.BAD_BALLOT, Reason.OWN_FIRST) else []
                return [text_card(said, *buttons)]
            albums = await self._answering.names.of(ballot)
            return [text_card(receipt(words, stored, ballot, albums), again)]

        await self._answering(interaction, make, name="modal club-ballot")


def ballot_modal(words: Words, stored: StoredClub, albums: Albums, ballot: Ballot) -> Modal:
    """A ballot: one select per rank, or one for all with approval. What the member chose before is chosen in it."""
    t, coming = words.t, stored.club.coming
    custom_id = CustomId("club-ballot", stored.id, coming.number)
    title = t("Vote: {club}", club=stored.name)

    offered = editions.choices(words.t, albums, coming.lot)

    def choices(chosen: Sequence[AlbumId]) -> list[Choice]:
        return [choice._replace(is_chosen=choice.value in chosen) for choice in offered]

    if coming.method is Method.APPROVAL:
        label = t("Every album that you would like")
        most = min(Method.APPROVAL.max_choices, len(coming.lot))
        return Modal(custom_id, title, select_input(APPROVED, label, choices(ballot), most=most))
    labels = [t("First choice"), t("Second choice"), t("Third choice"), t("Fourth choice"), t("Fifth choice")]
    ranks = min((coming.method or Method.RANKED_CHOICE).max_choices, len(coming.lot))
    inputs = [
        select_input(RANKS[rank], labels[rank], choices(ballot[rank : rank + 1]), is_required=rank == 0)
        for rank in range(ranks)
    ]
    return Modal(custom_id, title, *inputs)


def ballot_of(form: Form) -> Ballot:
    """The ballot in a form. What is no album's id is left out, as nothing else was offered."""

    def album(text: str) -> AlbumId | None:
        read = read_field(text, AlbumId)
        return None if read is None else AlbumId(str(read))

    approved = form.choices(APPROVED)
    return ballot_from(album(text) for text in (approved or [form.text(rank) for rank in RANKS]))


def receipt(words: Words, stored: StoredClub, ballot: Ballot, albums: Albums) -> str:
    """What was voted, for the member alone."""
    t, coming = words.t, stored.club.coming
    ordered = coming.method is not Method.APPROVAL
    lines = [t("Your vote is in. Only you can see it.")]
    apart = editions.told_apart(t, albums.values())
    lines += [
        f"{place}. {name_of(words, apart, id_)}" if ordered else f"- {name_of(words, apart, id_)}"
        for place, id_ in enumerate(ballot, 1)
    ]
    lines.append(until_club_hour(words, stored.club))
    return "\n".join(lines)
