"""What curators do beside settings: `/curate skip`, `pause`, `resume`, `next`, `extend`, `veto`, `theme` and `log`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.albums import AlbumId
from bot.caller import Caller
from bot.chat import parts
from bot.chat.cards import Card, Kind, text_card
from bot.chat.club.answering import Answering, cancel_button
from bot.chat.club.fields import THEME_MOST
from bot.chat.club.names import name_of, paged
from bot.chat.club.settings import topics
from bot.chat.components import CustomId
from bot.chat.parts import button
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, date, plain
from bot.clubs.album_clubs import Event
from bot.clubs.channels import Curator
from bot.curation import curators
from bot.curation.club import Club, Pick, State
from bot.curation.curators import Seen
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import LogEntry, StoredClub

LOG_MOST = 20

Said = Callable[[Words, Club], str]


class Curating:
    """Takes curators' commands, and logs what they do."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def _do(
        self,
        interaction: Interaction,
        named: str | None,
        did: str,
        event: Callable[[StoredClub], Event],
        said: Said,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            curator = Curator(caller.member_id, did, facts or {})
            outcome = await self._answering.clubs.apply(stored.id, event(stored), curator=curator)
            if isinstance(outcome, Refused):
                return [await self._answering.refused(words, outcome, stored)]
            return [text_card(said(words, outcome.club))]

        await self._answering(interaction, make, name=f"curate {did}")

    async def skip(self, interaction: Interaction, named: str | None) -> None:
        """`/curate skip`."""
        await self._do(
            interaction,
            named,
            "skip",
            lambda seen: lambda c, stored, facts: curators.skip_round(stored.club, facts.now, Seen.of(seen.club)),
            lambda words, club: words.t(
                "This round is skipped, and the club is told. The next one begins {when}.", when=date(club.club_hour_at)
            ),
        )

    async def pause(self, interaction: Interaction, named: str | None) -> None:
        """`/curate pause`."""
        await self._do(
            interaction,
            named,
            "pause",
            lambda seen: lambda c, stored, facts: curators.pause(stored.club, facts.now),
            lambda words, club: words.t(
                "The club is paused. Members can still nominate, vote and rate. Go on with {command}.",
                command=words.command("curate resume"),
            ),
        )

    async def resume(self, interaction: Interaction, named: str | None) -> None:
        """`/curate resume`."""
        await self._do(
            interaction,
            named,
            "resume",
            lambda seen: lambda c, stored, facts: curators.resume(stored.club, facts.now),
            lambda words, club: words.t("The club goes on. Next club hour: {when}.", when=date(club.club_hour_at)),
        )

    async def next(self, interaction: Interaction, named: str | None) -> None:
        """`/curate next` asks first: ending a step early cannot be undone."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            club = stored.club
            if club.paused_at is not None:
                return [await self._answering.refused(words, Refused(Reason.PAUSED), stored)]
            seen = (stored.id, club.coming.number, club.coming.state, int(club.club_hour_at.timestamp()))
            yes = button(words.t("End it now"), CustomId("curate-next", *seen))
            return [text_card(_next_question(words, club), yes, cancel_button(words))]

        await self._answering(interaction, make, name="curate next")

    async def end_step(
        self,
        interaction: Interaction,
        caller: Caller,
        club_id: ClubId,
        number: RoundNumber,
        state: State,
        hour: int,
    ) -> None:
        """The button that ends a step."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            seen = Seen(number, state, datetime.fromtimestamp(hour, UTC))
            curator = Curator(caller.member_id, "next", {})
            outcome = await self._answering.clubs.apply(
                club_id, lambda c, now, facts: curators.end_step(now.club, facts, seen), curator=curator
            )
            if isinstance(outcome, Refused):
                return Beside([await self._answering.refused(words, outcome, stored)])
            return [text_card(words.t("Done. The club is told in its channel."))]

        await self._answering(interaction, make, name="button curate-next", edits=True)

    async def extend(self, interaction: Interaction, days: int, named: str | None) -> None:
        """`/curate extend`."""
        await self._do(
            interaction,
            named,
            "extend",
            lambda seen: (
                lambda c, stored, facts: curators.extend(stored.club, timedelta(days=days), Seen.of(seen.club))
            ),
            lambda words, club: words.t("Extended. Next club hour: {when}.", when=date(club.club_hour_at)),
            {"days": days},
        )

    async def veto(self, interaction: Interaction, text: str, named: str | None) -> None:
        """`/curate veto`."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            album = await self._answering.album(caller.member_id, text)
            lift = button(words.t("Allow it again"), CustomId("curate-unveto", stored.id, album.id))
            if album.id in stored.club.vetoed:
                said = words.t("{album} is already kept out of this club.", album=words.album(album, 60))
                return [text_card(said, lift)]
            curator = Curator(caller.member_id, "veto", {"album": album.id})
            await self._answering.clubs.apply(
                stored.id, lambda c, now, facts: curators.veto(now.club, album.id, facts.now), curator=curator
            )
            said = words.t(
                "{album} is kept out of this club. If a member nominated or picked it, they are told.",
                album=words.album(album, 60),
            )
            return [text_card(said, lift)]

        await self._answering(interaction, make, name="curate veto", album=text)

    async def lift_veto(self, interaction: Interaction, caller: Caller, club_id: ClubId, album: AlbumId) -> None:
        """The button that takes a veto back."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            curator = Curator(caller.member_id, "veto lifted", {"album": album})
            outcome = await self._answering.clubs.apply(
                club_id, lambda c, now, facts: curators.lift_veto(now.club, album), curator=curator
            )
            if isinstance(outcome, Refused):
                return Beside([await self._answering.refused(words, outcome, stored)])
            name = name_of(words, await self._answering.names.of([album]), album)
            return [text_card(words.t("{album} can be chosen in this club again.", album=name))]

        await self._answering(interaction, make, name="button curate-unveto", edits=True)

    async def theme(self, interaction: Interaction, text: str, round_: int | None, named: str | None) -> None:
        """`/curate theme`."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            coming = stored.club.coming.number
            number = RoundNumber(coming + 1 if round_ is None else round_)
            if number < coming:
                return [text_card(t("Round {number} is over. Give a later round.", number=t.number(number)))]
            theme = " ".join(text.split())[:THEME_MOST]
            curator = Curator(caller.member_id, "theme", {"round": number, "theme": theme})
            await self._answering.clubs.set_theme(stored.id, number, theme, curator)
            said = t(
                "Theme of round {number}: {theme}", number=t.number(number), theme=f"**{plain(theme, THEME_MOST)}**"
            )
            return [text_card(said)]

        await self._answering(interaction, make, name="curate theme")

    async def log(self, interaction: Interaction, named: str | None) -> None:
        """`/curate log`: what curators did, never who voted."""
        self._answering.curators.let_in(caller_of(interaction))

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            entries = await self._answering.clubs.log(stored.id, LOG_MOST)
            if not entries:
                return [text_card(t("No curator has changed anything in this club."))]
            ids = [AlbumId(entry.facts["album"]) for entry in entries if entry.facts.get("album")]
            albums = await self._answering.names.of(ids)
            lines = [f"### {t('{club}: what curators did', club=plain(stored.name, 60))}"]
            for entry in entries:
                what = did(words, entry, lambda id_: name_of(words, albums, id_, 40))
                who = f"<@{entry.member_id}>" if entry.member_id is not None else t("a former curator")
                lines.append(f"- {date(entry.did_at)} · {who} · {what}")
            return [Card(parts.text("\n".join(page)), kind=Kind.PRIVATE) for page in paged(lines)]

        await self._answering(interaction, make, name="curate log")


def did(words: Words, entry: LogEntry, album: Callable[[AlbumId], str]) -> str:
    """What a curator did, in a few words."""
    t, facts = words.t, entry.facts
    match entry.did:
        case "skip":
            return t("skipped a round")
        case "pause":
            return t("paused the club")
        case "resume":
            return t("let the club go on")
        case "next":
            return t("ended a step early")
        case "extend":
            return t.plural("extended a step by {count} day", "extended a step by {count} days", int(facts["days"]))
        case "veto":
            return t("kept out {album}", album=album(AlbumId(facts["album"])))
        case "veto lifted":
            return t("allowed {album} again", album=album(AlbumId(facts["album"])))
        case "taken out":
            return t("took a member out of the order")
        case "theme":
            return t("set the theme of round {number}", number=t.number(int(facts["round"])))
        case "stand-in":
            return t("set a stand-in")
        case "move":
            return t("moved the club to another channel")
        case "book on":
            return t("turned the club book on")
        case "book off":
            return t("turned the club book off")
        case "book renew":
            return t("gave the club book another address")
        case "clock":
            return t("changed when the club meets")
        case "import":
            return t.plural("imported {count} past round", "imported {count} past rounds", int(facts["rounds"]))
        case "import undone":
            return t.plural(
                "took back {count} imported round", "took back {count} imported rounds", int(facts["rounds"])
            )
    changed = next((topic.label for topic in topics(words) if topic.value == facts.get("topic")), "")
    return t("changed settings: {topic}", topic=changed) if changed else t("changed settings")


def _next_question(words: Words, club: Club) -> str:
    t, coming = words.t, club.coming
    if coming.state is State.NOMINATING and coming.pick is Pick.VOTE and len(coming.nominations) >= 2:
        return t("This closes the nominations and opens the vote now. It cannot be undone.")
    if coming.state is State.VOTING:
        return t("This closes the vote and announces the album now. It cannot be undone.")
    if coming.state is State.SKIPPED:
        return t("This ends the current round and calls for the next one now. It cannot be undone.")
    return t("This ends the current round and announces the next album now. It cannot be undone.")
