"""`/club now`, `history`, `standings`, `result`, `remind` and `catchup`: what a member looks at, privately."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

import discord
import structlog

from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import Caller, MemberId
from bot.chat import editions, parts
from bot.chat.cards import Card, Kind, attribution, text_card
from bot.chat.club.answering import Answering
from bot.chat.club.dates import next_club_hour, paused, voting_opens
from bot.chat.club.names import Albums, fitting, name_of, paged, points
from bot.chat.club.posts import album_buttons, album_item, chosen, picker, voters
from bot.chat.club.summary import count_lines
from bot.chat.club.turns import order_line, takes_turns
from bot.chat.components import CustomId
from bot.chat.crates import kept_by
from bot.chat.menus import menu
from bot.chat.parts import Part, button
from bot.chat.reply import Interaction, caller_of
from bot.chat.words import Words, date, day, plain
from bot.clubs import RoundView
from bot.clubs.public_pages import PublicPages
from bot.curation.club import Pick, Round, State
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import (
    RatedRound,
    Standing,
    by_decade,
    by_mean,
    by_picker,
    most_divisive,
)
from bot.spotify.app import Access
from bot.spotify.client import Spotify
from bot.storage.clubs import StoredClub
from bot.storage.crates import Crates

HISTORY_PAGE = 12
BEST_MOST = 10
CATCH_UP_PAGE = 25
_log = structlog.get_logger("gatefold.chat")


class Looking:
    """Shows members what there is."""

    def __init__(
        self, answering: Answering, pages: PublicPages, spotify: Spotify, tokens: Tokens, crates: Crates
    ) -> None:
        self._answering = answering
        self._crates = crates
        self._pages = pages
        self._spotify = spotify
        self._tokens = tokens

    async def now(self, interaction: Interaction, named: str | None) -> None:
        """`/club now`."""

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            club = stored.club
            coming = await self._answering.clubs.view(stored.id, club.coming.number)
            assert coming is not None
            lines = now_lines(words, coming, self._answering.now())
            if (url := await self._pages.book_url(stored.id)) is not None:
                lines.append(words.t("[The club book]({url}) has all rounds.", url=url))
            items: list[Part] = [parts.text(f"### {plain(stored.name, 80)}")]
            listening = None
            if club.listening is not None and club.listening.album_id is not None:
                listening = await self._answering.clubs.view(stored.id, club.listening.number)
            albums: Albums = {}
            if listening is not None and listening.round.album_id is not None:
                id_ = listening.round.album_id
                albums = await self._answering.names.of([id_])
                lines_of_it = [chosen(words, listening)]
                if club.paused_at is None:
                    lines_of_it.append(words.t("Listening until {until}.", until=date(club.club_hour_at)))
                items += [
                    album_item(words, albums, id_),
                    parts.text("\n".join(lines_of_it)),
                    parts.row(*album_buttons(words, listening, id_)),
                ]
            items.append(parts.text("\n".join(lines)))
            return [Card(*items, *attribution(words, [*albums.values()], has_button=True), kind=Kind.PRIVATE)]

        await self._answering(interaction, make, name="club now")

    async def history(self, interaction: Interaction, named: str | None) -> None:
        """`/club history`."""

        async def make(words: Words) -> Sequence[Card]:
            return [await self._history(words, await self._answering.club(interaction, named), 0)]

        await self._answering(interaction, make, name="club history")

    async def history_page(self, interaction: Interaction, caller: Caller, club_id: ClubId, number: int) -> None:
        """Another page of it."""

        async def make(words: Words) -> Sequence[Card]:
            return [await self._history(words, await self._answering.own_club(caller, club_id), number)]

        await self._answering(interaction, make, name="button club-history", edits=True)

    async def _history(self, words: Words, stored: StoredClub, number: int) -> Card:
        t, over = words.t, await self._answering.clubs.over(stored.id)
        if not over:
            return text_card(t("No round is over yet. The first summary comes after the first album."))
        last = (len(over) - 1) // HISTORY_PAGE
        number = min(number, last)
        shown = [*reversed(over)][number * HISTORY_PAGE : (number + 1) * HISTORY_PAGE]
        views = [view for one in shown if (view := await self._answering.clubs.view(stored.id, one.number))]
        ids = [one.album_id for one in shown if one.album_id is not None]
        albums = await self._answering.names.of(ids)
        kept = await self._crates.kept_by(stored.guild_id, ids)

        def line(view: RoundView, most: int) -> str:
            members = kept.get(view.round.album_id, ()) if view.round.album_id else ()
            below = f"\n-# {kept_by(t, members)}" if members else ""
            return f"{history_line(words, view, albums, most)}{below}"

        heading = t("{club}: rounds so far", club=plain(stored.name, 60))
        lines = fitting(lambda most: [line(view, most) for view in views])
        items: list[Part] = [parts.text("\n".join([f"### {heading}", *lines]))]
        items += _turns(words, number, last, lambda page: CustomId("club-history", stored.id, page))
        return Card(*items, *attribution(words, [*albums.values()]), kind=Kind.PRIVATE)

    async def standings(self, interaction: Interaction, named: str | None) -> None:
        """`/club standings`."""

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            over = await self._answering.clubs.over(stored.id)
            ratings = await self._answering.clubs.ratings(stored.id)
            albums = await self._answering.names.of([one.album_id for one in over[-60:]])
            rounds = [
                RatedRound(
                    one.number,
                    one.album_id,
                    one.chosen_by,
                    _year(albums, one.album_id),
                    tuple(rating.score for rating in ratings if rating.number == one.number),
                )
                for one in over
                if one.album_id is not None
            ]
            lines = standings_lines(words, stored, rounds, albums)
            if not lines:
                return [text_card(t("No album is rated yet."))]
            return _listed(words, t("{club}: standings", club=plain(stored.name, 60)), lines, albums)

        await self._answering(interaction, make, name="club standings")

    async def result(self, interaction: Interaction, round_: int | None, export: bool, named: str | None) -> None:
        """`/club result`: the count of a vote, step by step, and its ballots without names."""
        exported: str | None = None

        async def make(words: Words) -> Sequence[Card]:
            nonlocal exported
            t, stored = words.t, await self._answering.club(interaction, named)
            view = await self._result_view(stored, round_)
            if view is None:
                return [text_card(t("There is no result yet. Results are shown when a vote is over."))]
            facts = {"club": plain(stored.name, 60), "number": t.number(view.round.number)}
            heading, count = t("{club}: vote of round {number}", **facts), view.count
            if count is None:
                heading = t("{club}, round {number}", **facts)
                albums = await self._answering.names.of([view.round.album_id])
                how = chosen(words, view) or t("This round had no album.")
                return _listed(words, heading, [how], albums)
            albums = editions.told_apart(t, (await self._answering.names.of(count.lot)).values())
            lines = [*count_lines(words, count, albums), *nominated_lines(words, view.round, albums)]
            if export:
                exported = json.dumps(count.export(), indent=2)
            return _listed(words, heading, lines, albums)

        await self._answering(interaction, make, name="club result")
        if exported is not None:
            await _attach(interaction, exported)

    async def _result_view(self, stored: StoredClub, round_: int | None) -> RoundView | None:
        """The round that was asked for, or the latest whose album was found."""
        club = stored.club
        if round_ is None:
            over = await self._answering.clubs.over(stored.id)
            numbers = [one.number for one in over if one.imported_at is None]
            latest = club.listening.number if club.listening else max(numbers, default=None)
            if latest is None:
                return None
            round_ = latest
        view = await self._answering.clubs.view(stored.id, RoundNumber(round_))
        if view is None or view.round.state in (State.NOMINATING, State.VOTING):
            return None
        return view

    async def remind(self, interaction: Interaction, is_on: bool, named: str | None) -> None:
        """`/club remind`."""
        caller = caller_of(interaction)

        async def make(words: Words) -> Sequence[Card]:
            t, stored = words.t, await self._answering.club(interaction, named)
            await self._answering.clubs.remind(stored.id, caller.member_id, caller.locale, is_on=is_on)
            if is_on:
                return [
                    text_card(t("I will message you a day before a step ends, if you have not taken part by then."))
                ]
            return [text_card(t("I will not remind you any more."))]

        await self._answering(interaction, make, name="club remind")

    async def catch_up(self, interaction: Interaction, named: str | None) -> None:
        """`/club catchup`: the club's albums that are not in the member's library."""
        member = caller_of(interaction).member_id

        async def make(words: Words) -> Sequence[Card]:
            return [await self._catch_up(words, member, await self._answering.club(interaction, named), 0)]

        await self._answering(interaction, make, name="club catchup")

    async def catch_up_page(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, number: int
    ) -> None:
        """Another page of it."""

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.own_club(caller, club_id)
            return [await self._catch_up(words, caller.member_id, stored, number)]

        await self._answering(interaction, make, name="button club-catchup", edits=True)

    async def _catch_up(self, words: Words, member: MemberId, stored: StoredClub, number: int) -> Card:
        t, over = words.t, await self._answering.clubs.over(stored.id)
        had = [*over, *([stored.club.listening] if stored.club.listening else [])]
        ids = [*dict.fromkeys(one.album_id for one in reversed(had) if one.album_id is not None)]
        if not ids:
            return text_card(t("The club has had no album yet."))
        access = await self._tokens.access(member)
        missing = await self._missing(access, ids)
        if not missing:
            return text_card(t("Every album of this club is in your library."))
        last = (len(missing) - 1) // CATCH_UP_PAGE
        number = min(number, last)
        shown = missing[number * CATCH_UP_PAGE : (number + 1) * CATCH_UP_PAGE]
        albums = await self._answering.names.of(shown)
        choices = editions.choices(words.t, albums, shown)
        said = t.plural(
            "{count} album of this club is not in your library. Choose what to save.",
            "{count} albums of this club are not in your library. Choose what to save.",
            len(missing),
        )
        items: list[Part] = [parts.text(said)]
        items.append(menu(CustomId("save-chosen"), t("Albums to save"), choices, most=len(choices)))
        items += _turns(words, number, last, lambda page: CustomId("club-catchup", member, stored.id, page))
        return Card(*items, *attribution(words, [*albums.values()]), kind=Kind.PRIVATE)

    async def _missing(self, access: Access, ids: Sequence[AlbumId]) -> list[AlbumId]:
        missing: list[AlbumId] = []
        for begin in range(0, len(ids), CONTAINS_MOST):
            part = ids[begin : begin + CONTAINS_MOST]
            saved = await self._spotify.contains(access, part)
            missing += [id_ for id_ in part if not saved.get(id_, False)]
        return missing


def _turns(words: Words, number: int, last: int, page_id: Callable[[int], CustomId]) -> list[Part]:
    """Which page it is, and buttons for the next ones; nothing where there is only one."""
    if not last:
        return []
    t = words.t
    figures = {"page": t.number(number + 1), "pages": t.number(last + 1)}
    turns = [(t("Newer"), number - 1), (t("Older"), number + 1)]
    buttons = [button(label, page_id(page)) for label, page in turns if 0 <= page <= last]
    return [parts.text(f"-# {t('Page {page} of {pages}', **figures)}"), parts.row(*buttons)]


CONTAINS_MOST = 20
"""Albums in one call, of the endpoint that takes fewer."""


def now_lines(words: Words, view: RoundView, now: datetime) -> list[str]:
    """What is open in the coming round, and when what happens."""
    t, club, coming = words.t, view.stored.club, view.round
    lines = [f"**{t('Round {number}', number=t.number(coming.number))}**"]
    if view.theme:
        lines.append(t("Theme: {theme}", theme=plain(view.theme, 200)))
    is_paused = club.paused_at is not None
    if is_paused:
        lines.append(paused(words))
    match coming.state:
        case State.SKIPPED:
            lines.append(t("This round is skipped."))
        case State.VOTING if is_paused:
            lines.append(t("Voting is open. Vote with {command}.", command=words.command("club vote")))
        case State.VOTING:
            lines.append(
                t(
                    "Voting is open until {until}. Vote with {command}.",
                    until=date(club.club_hour_at),
                    command=words.command("club vote"),
                )
            )
        case State.NOMINATING if coming.pick is Pick.VOTE:
            lines.append(
                t("Nominations are open. Suggest an album with {command}.", command=words.command("club nominate"))
            )
            if count := len(coming.nominations):
                lines.append(t.plural("{count} album is nominated.", "{count} albums are nominated.", count))
            if not is_paused:
                lines.append(voting_opens(words, club, now))
        case State.NOMINATING if coming.pick is Pick.CRATE:
            lines.append(t("The album is drawn from the crate."))
        case State.NOMINATING if club.order:
            picker = f"<@{club.order[0]}>"
            lines.append(
                t("{member} picks the next album with {command}.", member=picker, command=words.command("club pick"))
            )
        case State.NOMINATING:
            lines.append(t("Nobody takes turns yet. Join with {command}.", command=words.command("club join")))
    if coming.state is State.VOTING and view.voters:
        lines.append(voters(words, view.voters))
    if takes_turns(club) and club.order:
        lines.append(order_line(words, club))
    else:
        lines += next_club_hour(words, club)
    return lines


def history_line(words: Words, view: RoundView, albums: Albums, most: int) -> str:
    """A round that is over, in one line. `most`: characters of each name."""
    t, one = words.t, view.round
    if one.album_id is None:
        return t("Round {number}: skipped", number=t.number(one.number))
    name = name_of(words, albums, one.album_id, most)
    summary = view.summary
    if one.imported_at is not None:
        return _imported_line(words, view, one.imported_at, name, most)
    if summary is None:
        return t("Round {number}: {album}, not rated", number=t.number(one.number), album=name)
    return t.plural(
        "Round {number}: {album}, {mean} of {top}, {count} rating",
        "Round {number}: {album}, {mean} of {top}, {count} ratings",
        summary.ratings,
        number=t.number(one.number),
        album=name,
        mean=points(words, summary.mean),
        top=t.number(view.scale.top),
    )


def _imported_line(words: Words, view: RoundView, at: datetime, name: str, most: int) -> str:
    t, summary = words.t, view.summary
    facts = {"when": day(at), "album": name, "member": picker(words, view.round, most)}
    is_picked = view.round.choice is not None
    if summary is None and is_picked:
        return t("{when}: {album}, picked by {member}, not rated", **facts)
    if summary is None:
        return t("{when}: {album}, not rated", **facts)
    if not is_picked:
        return t.plural(
            "{when}: {album}, {mean} of {top}, {count} rating",
            "{when}: {album}, {mean} of {top}, {count} ratings",
            summary.ratings,
            mean=points(words, summary.mean),
            top=t.number(view.scale.top),
            **facts,
        )
    return t.plural(
        "{when}: {album}, picked by {member}, {mean} of {top}, {count} rating",
        "{when}: {album}, picked by {member}, {mean} of {top}, {count} ratings",
        summary.ratings,
        mean=points(words, summary.mean),
        top=t.number(view.scale.top),
        **facts,
    )


def standings_lines(words: Words, stored: StoredClub, rounds: Sequence[RatedRound], albums: Albums) -> list[str]:
    """The best albums, the most divisive, and by picker and decade. Empty: nothing is rated."""
    t, scale = words.t, stored.club.settings.scale
    ids = {one.number: one.album_id for one in rounds}

    def album(standing: Standing[RoundNumber]) -> str:
        return name_of(words, albums, ids[standing.key], 40)

    best = [
        f"{place}. {album(one)}: {points(words, one.summary.mean)}"
        for place, one in enumerate(by_mean(rounds, scale)[:BEST_MOST], 1)
    ]
    if not best:
        return []
    lines = [t("**Best rated**, of {top}", top=t.number(scale.top)), *best]
    if divisive := most_divisive(rounds, scale)[:3]:
        lines.append(t("**Most divisive**, by spread"))
        lines += [f"- {album(one)}: {t.number(round(one.summary.spread, 1))}" for one in divisive]
    if pickers := by_picker(rounds, scale)[:BEST_MOST]:
        lines.append(t("**By picker**"))
        lines += [f"- <@{one.key}>: {points(words, one.summary.mean)}" for one in pickers]
    if decades := by_decade(rounds, scale)[:BEST_MOST]:
        lines.append(t("**By decade**"))
        lines += [f"- {t('{year}s', year=str(one.key))}: {points(words, one.summary.mean)}" for one in decades]
    return lines


def nominated_lines(words: Words, one: Round, albums: Albums) -> list[str]:
    """Who nominated what, which a sealed round shows with its result."""
    t = words.t
    named = [nomination for nomination in one.nominations if nomination.member_id is not None]
    if not named:
        return []
    return [
        f"**{t('Nominated by')}**",
        *(f"- {name_of(words, albums, each.album_id, 40)}: <@{each.member_id}>" for each in named),
    ]


def _year(albums: Albums, id_: AlbumId | None) -> int | None:
    album = albums.get(id_) if id_ is not None else None
    return int(album.year) if album is not None and album.year.isdecimal() else None


def _listed(words: Words, heading: str, lines: Sequence[str], albums: Albums) -> list[Card]:
    """A list under a heading, in as few messages as it fits."""
    source = attribution(words, [*albums.values()])
    return [Card(parts.text("\n".join([f"### {heading}", *page])), *source, kind=Kind.PRIVATE) for page in paged(lines)]


async def _attach(interaction: Interaction, text: str) -> None:
    """Send the ballots as a file, privately."""
    name = "ballots.json"
    card = Card(parts.file(name), kind=Kind.PRIVATE, attachment=(name, text.encode()))
    try:
        await interaction.followup.send(view=card.view(), files=card.uploads(), ephemeral=True)
    except discord.HTTPException as error:
        _log.warning("ballots were not attached", error=error.code)
