"""Clubs that take turns: `/club join`, `leave`, `pick`, `pass` and `swap`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.caller import Caller, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, text_card
from bot.chat.club.answering import Answering, sentence
from bot.chat.club.names import note_of
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, date
from bot.clubs import NoSuchClub
from bot.clubs.album_clubs import Swap
from bot.curation import turns
from bot.curation.club import Club, Nomination, Outcome, Pick
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import StoredClub

Change = Callable[[Club, MemberId], Outcome | Refused]
NAMED_MOST = 25
"""How many members the order names."""


class Turns:
    """The order of those who pick."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def join(self, interaction: Interaction, named: str | None) -> None:
        """`/club join`."""
        await self._change(interaction, named, turns.join, "club join")

    async def leave(self, interaction: Interaction, named: str | None) -> None:
        """`/club leave`."""
        await self._change(interaction, named, turns.leave, "club leave")

    async def pass_turn(self, interaction: Interaction, named: str | None) -> None:
        """`/club pass`."""
        await self._change(interaction, named, turns.pass_turn, "club pass")

    async def _change(self, interaction: Interaction, named: str | None, change: Change, name: str) -> None:
        member = caller_of(interaction).member_id

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            if not takes_turns(stored.club):
                return [text_card(sentence(words, Refused(Reason.NOT_BY_TURNS), stored, ""))]
            outcome = await self._answering.clubs.apply(stored.id, lambda c, now, facts: change(now.club, member))
            if isinstance(outcome, Refused):
                return [await self._answering.refused(words, outcome, stored)]
            return [text_card(f"{_done(words, name)}\n{order_line(words, outcome.club)}")]

        await self._answering(interaction, make, name=name)

    async def pick(self, interaction: Interaction, text: str, note: str | None, named: str | None) -> None:
        """`/club pick`."""
        member = caller_of(interaction).member_id

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            if not takes_turns(stored.club):
                return [text_card(sentence(words, Refused(Reason.NOT_BY_TURNS), stored, ""))]
            album = await self._answering.album(member, text)
            year = int(album.year) if album.year.isdecimal() else None
            choice = Nomination(album.id, member, (note or "").strip()[:500], self._answering.now())
            outcome = await self._answering.clubs.pick(stored.id, choice, year=year)
            if isinstance(outcome, Refused):
                return [await self._answering.refused(words, outcome, stored, album.id)]
            said = t(
                "This is your pick for your next turn. Nobody else sees it before it is announced, and you can change it until then."
            )
            if note_said := note_of(choice.note, 300):
                said = f"{said}\n{note_said}"
            return [
                Card(album_section(words, album), parts.text(said), *attribution(words, [album]), kind=Kind.PRIVATE)
            ]

        await self._answering(interaction, make, name="club pick", album=text)

    async def swap(self, interaction: Interaction, other: MemberId, named: str | None) -> None:
        """`/club swap`: the other member is asked by direct message."""
        caller = caller_of(interaction)

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            club = stored.club
            refused = turns.swap(club, club.coming.number, caller.member_id, other)
            if not takes_turns(club):
                refused = Refused(Reason.NOT_BY_TURNS)
            elif other == caller.member_id:
                return [text_card(t("Choose another member to swap places with."))]
            if isinstance(refused, Refused):
                return [await self._answering.refused(words, refused, stored)]
            question = Swap(caller.member_id, other, club.coming.number)
            if (asked := await self._answering.clubs.ask_to_swap(stored, question)) is not None:
                return [await self._answering.refused(words, asked, stored)]
            return [
                text_card(
                    t(
                        "I asked {member} by direct message. Your places are swapped when they accept.",
                        member=f"<@{other}>",
                    )
                )
            ]

        await self._answering(interaction, make, name="club swap")

    async def accept_swap(
        self,
        interaction: Interaction,
        caller: Caller,
        owner: MemberId,
        club_id: ClubId,
        asked_in: RoundNumber,
        asker: MemberId,
    ) -> None:
        """The other member accepts, in the direct message that asked them."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            question = Swap(asker, owner, asked_in)
            stored = await self._asked_club(club_id, question)
            outcome = await self._answering.clubs.swap(club_id, question)
            if isinstance(outcome, Refused):
                return Beside([await self._answering.refused(words, outcome, stored)])
            said = words.t("You swapped places with {member}.", member=f"<@{question.asker}>")
            return [text_card(f"{said}\n{order_line(words, outcome.club)}", kind=Kind.CLUB)]

        await self._answering(interaction, make, name="button club-swap", edits=True)

    async def decline_swap(
        self,
        interaction: Interaction,
        caller: Caller,
        owner: MemberId,
        club_id: ClubId,
        asked_in: RoundNumber,
        asker: MemberId,
    ) -> None:
        """The other member keeps their place."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            question = Swap(asker, owner, asked_in)
            stored = await self._asked_club(club_id, question)
            refused = await self._answering.clubs.decline_swap(club_id, question)
            if refused is not None:
                return Beside([await self._answering.refused(words, refused, stored)])
            said = words.t("You keep your place, and I told {member}.", member=f"<@{question.asker}>")
            return [text_card(said, kind=Kind.CLUB)]

        await self._answering(interaction, make, name="button club-decline", edits=True)

    async def _asked_club(self, club_id: ClubId, question: Swap) -> StoredClub:
        stored = await self._answering.clubs.get(club_id)
        if not await self._answering.clubs.was_asked_to_swap(club_id, question):
            raise NoSuchClub
        return stored


def takes_turns(club: Club) -> bool:
    """Whether the club takes turns, now or from the next round on."""
    return Pick.TURNS in (club.settings.pick, club.coming.pick)


def order_line(words: Words, club: Club) -> str:
    """Who picks when."""
    t = words.t
    if not club.order:
        return t("Nobody takes turns now.")
    names = t.list([f"<@{member}>" for member in club.order[:NAMED_MOST]])
    if club.paused_at is not None:
        line = t("The order is {members}.", members=names)
    else:
        line = t("Next club hour: {when}. The order is {members}.", when=date(club.club_hour_at), members=names)
    if (more := len(club.order) - NAMED_MOST) <= 0:
        return line
    after = t.plural("{count} more member comes after them.", "{count} more members come after them.", more)
    return t.sentences([line, after])


def _done(words: Words, name: str) -> str:
    t = words.t
    match name:
        case "club join":
            return t("You take turns in this club now.")
        case "club leave":
            return t("You no longer take turns in this club.")
    return t("You passed your turn and are last in the order now.")
