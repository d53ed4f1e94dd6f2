"""Rating: `/club rate`, the Rate button, and its form."""

from __future__ import annotations

from collections.abc import Sequence

from bot.caller import Caller, MemberId
from bot.chat.cards import Card, text_card
from bot.chat.club.answering import Answering, sentence
from bot.chat.club.fields import NAMED, REVIEW, REVIEW_MOST, SCORE
from bot.chat.club.names import name_of, points
from bot.chat.components import CustomId, Form
from bot.chat.menus import Choice
from bot.chat.modals import Modal, select_input, text_input
from bot.chat.parts import button
from bot.chat.reply import Interaction, caller_of
from bot.chat.words import Words, date, plain
from bot.clubs import NoSuchClub
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Scale, Score, ScoreProblem, parse_score
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import StoredClub
from bot.storage.ratings import Rating


class RatingAlbums:
    """Takes ratings."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def command(self, interaction: Interaction, score: str, review: str | None, named: str | None) -> None:
        """`/club rate`: the review's author is not named, as no one asked for that here."""

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            if stored.club.listening is None:
                now = words.command("club now")
                return [text_card(words.t("There is no album to rate now. Look at {command}.", command=now))]
            number, member = stored.club.listening.number, caller_of(interaction).member_id
            part = await self._answering.clubs.own_part(stored.id, member)
            before = part.rating
            kept = before.review if before is not None and review is None else review or ""
            is_named = before is not None and before.is_named
            return await self._rate(words, stored, number, member, score, kept, is_named=is_named)

        await self._answering(interaction, make, name="club rate")

    async def press(self, interaction: Interaction, caller: Caller, club_id: ClubId, number: RoundNumber) -> None:
        """The Rate button opens the form."""
        words = self._answering.reply.words(caller.locale)
        try:
            stored: StoredClub | None = await self._answering.clubs.get(club_id)
        except NoSuchClub:
            stored = None
        listening = stored.club.listening if stored is not None else None
        if stored is None or stored.guild_id != caller.guild_id or listening is None or listening.number != number:

            async def make(words: Words) -> Sequence[Card]:
                if stored is None or stored.guild_id != caller.guild_id:
                    raise NoSuchClub
                return [text_card(sentence(words, Refused(Reason.NOT_RATING), stored, ""))]

            await self._answering(interaction, make, name="button club-rate")
            return
        part = await self._answering.clubs.own_part(club_id, caller.member_id)
        await self._answering.reply.show(interaction, rating_modal(words, stored, part.rating), name="button club-rate")

    async def submit(
        self, interaction: Interaction, caller: Caller, club_id: ClubId, number: RoundNumber, form: Form
    ) -> None:
        """A filled-in form."""

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.own_club(caller, club_id)
            is_named = form.text(NAMED) == "yes"
            return await self._rate(
                words, stored, number, caller.member_id, form.text(SCORE), form.text(REVIEW), is_named=is_named
            )

        await self._answering(interaction, make, name="modal club-rating")

    async def _rate(
        self,
        words: Words,
        stored: StoredClub,
        number: RoundNumber,
        member: MemberId,
        typed: str,
        review: str,
        *,
        is_named: bool,
    ) -> Sequence[Card]:
        listening = stored.club.listening
        scale = listening.scale if listening is not None and listening.scale else stored.club.settings.scale
        score = parse_score(typed, scale)
        again = button(words.t("Change my rating"), CustomId("club-rate", stored.id, number))
        if isinstance(score, ScoreProblem):
            rate = button(words.t.context("button", "Rate"), CustomId("club-rate", stored.id, number))
            return [text_card(not_a_score(words, typed, score, scale), rate)]
        review = review.strip()[:REVIEW_MOST]
        refused = await self._answering.clubs.rate(stored.id, number, member, score, review, is_named=is_named)
        if refused is not None or listening is None or listening.album_id is None:
            return [text_card(sentence(words, refused or Refused(Reason.NOT_RATING), stored, ""))]
        albums = await self._answering.names.of([listening.album_id])
        name = name_of(words, albums, listening.album_id)
        return [text_card(rated(words, stored, name, score, review, is_named=is_named), again)]


def rating_modal(words: Words, stored: StoredClub, before: Rating | None) -> Modal:
    """The form, with what the member said before."""
    t, listening = words.t, stored.club.listening
    assert listening is not None
    scale = listening.scale or stored.club.settings.scale
    scores = [Score(scale, steps) for steps in reversed(scale.steps)]
    chosen = str(before.score) if before is not None and before.score.scale is scale else None
    is_named = before is not None and before.is_named
    return Modal(
        CustomId("club-rating", stored.id, listening.number),
        t("Rate: {club}", club=stored.name),
        select_input(
            SCORE,
            t("Score"),
            [
                Choice(
                    str(score),
                    t("{score} of {top}", score=points(words, score.on(scale)), top=t.number(scale.top)),
                    None,
                    str(score) == chosen,
                )
                for score in scores
            ],
        ),
        text_input(
            REVIEW,
            t("Review"),
            description=t("Shown in the summary."),
            text=before.review if before is not None and before.review else None,
            is_required=False,
            is_long=True,
            most=REVIEW_MOST,
        ),
        select_input(
            NAMED,
            t("Who wrote the review"),
            [
                Choice("no", t("A member"), t("Your name is not shown."), not is_named),
                Choice("yes", t("My name"), None, is_named),
            ],
        ),
    )


def rated(words: Words, stored: StoredClub, album: str, score: Score, review: str, *, is_named: bool) -> str:
    """What was stored, for the member alone."""
    t = words.t
    lines = [
        t(
            "You gave {album} {score} of {top}.",
            album=album,
            score=f"**{points(words, score.on(score.scale))}**",
            top=t.number(score.scale.top),
        )
    ]
    if review:
        lines.append(f"> {plain(review, 300)}")
        lines.append(
            t("Your review is shown with your name.") if is_named else t("Your review is shown without your name.")
        )
    if stored.club.paused_at is not None:
        lines.append(t("Ratings stay hidden until the summary, and you can change yours until then."))
    else:
        until = date(stored.club.club_hour_at)
        lines.append(t("Ratings stay hidden until {until}, and you can change yours until then.", until=until))
    return "\n".join(lines)


def not_a_score(words: Words, typed: str, problem: ScoreProblem, scale: Scale) -> str:
    """What a score looks like."""
    t, shown = words.t, plain(typed, 40)
    if problem is ScoreProblem.NOT_A_NUMBER:
        first = t("I can't read “{typed}” as a score.", typed=shown)
    else:
        first = t("“{typed}” is not on this club's scale.", typed=shown)
    scales = {
        Scale.HALVES: t("Give a score from 1 to 5, in halves: 3.5, for example."),
        Scale.TEN: t("Give a whole number from 1 to 10."),
    }
    return t.sentences([first, scales[scale]])
