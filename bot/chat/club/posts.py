"""What a club posts in its channel: calls, votes, announcements, summaries. From rows to cards at the time of sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.albums import AlbumId, album_url
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, covers
from bot.chat.club.dates import paused
from bot.chat.club.names import Albums, Names, fitting, name_of, note_of
from bot.chat.club.summary import summary_items
from bot.chat.components import CustomId
from bot.chat.editions import told_apart
from bot.chat.parts import Part, button, link_button
from bot.chat.words import Words, date, plain, soon
from bot.clubs import AlbumClubs, RoundView
from bot.clubs.choices import how_chosen
from bot.curation.ballots import Method
from bot.curation.club import Pick, Round, State, Step
from bot.curation.ids import ClubId, RoundNumber

LISTED_MOST = 25


class Posts:
    """Draws the posts of all clubs."""

    def __init__(self, clubs: AlbumClubs, names: Names) -> None:
        self._clubs = clubs
        self._names = names

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """The cards of a post; none where the club has moved on, so that nothing is left to say."""
        view = await self._clubs.view(ClubId(payload["club"]), RoundNumber(payload["round"]))
        if view is None:
            return []
        step = Step(payload["step"])
        items = await self._items(words, view, step, payload)
        if not items:
            return []
        if payload["late"] and step is not Step.MISSED:  # which says itself that the bot was not running
            items.append(parts.text(f"-# {words.t('This is late: I was not running when it was due.')}"))
        card = Card(*items, kind=Kind.CLUB)
        if step in _PINGING:
            card.pings = view.stored.club.settings.ping_role_id
        return [card]

    async def _items(self, words: Words, view: RoundView, step: Step, payload: Mapping[str, Any]) -> list[Part]:
        match step:
            case Step.CALL:
                return call_items(words, view)
            case Step.VOTE | Step.REPEATED_VOTE:
                return vote_items(words, view, await self._names.of(view.round.lot), anew=step is Step.REPEATED_VOTE)
            case Step.ANNOUNCEMENT:
                return announcement_items(words, view, await self._names.of([view.round.album_id]))
            case Step.SUMMARY:
                return summary_items(words, view, await self._names.of([view.round.album_id]))
            case Step.SKIPPED:
                return [_heading(words, view), parts.text(_skipped(words, view))]
            case Step.MISSED:
                return missed_items(words, view, payload["hours"])
        return []


_PINGING = {Step.CALL, Step.VOTE, Step.REPEATED_VOTE, Step.ANNOUNCEMENT}


def call_items(words: Words, view: RoundView) -> list[Part]:
    """The call for nominations, or who picks, or when the album is drawn. Nothing once the round has moved on."""
    t, club, one = words.t, view.stored.club, view.round
    if one.state is not State.NOMINATING:
        return []
    lines: list[str] = []
    is_paused, hour = club.paused_at is not None, date(club.club_hour_at)
    match one.pick:
        case Pick.VOTE:
            lines = [
                t("Nominations are open. Suggest an album with {command}.", command=words.command("club nominate"))
            ]
            if not is_paused:
                lines.append(
                    t(
                        "Voting opens {opens} if 2 albums or more are nominated, and the album is announced {announced}.",
                        opens=date(club.vote_at),
                        announced=hour,
                    )
                )
            if one.sealed:
                lines.append(t("Who nominated what is shown with the result."))
        case Pick.TURNS if not club.order:
            lines = [t("Nobody takes turns yet. Join with {command}.", command=words.command("club join"))]
        case Pick.TURNS:
            picker = {"member": f"<@{club.order[0]}>", "command": words.command("club pick")}
            lines = [
                t("{member} picks the next album with {command}.", **picker)
                if is_paused
                else t(
                    "{member} picks the next album with {command}. It is announced {announced}.",
                    announced=hour,
                    **picker,
                )
            ]
        case Pick.CRATE:
            lines = [] if is_paused else [t("The next album is drawn from the crate {announced}.", announced=hour)]
            lines.append(t("Add albums with {command}.", command=words.command("crate add")))
    if is_paused:
        lines.append(paused(words))
    if view.theme:
        lines.insert(0, t("Theme: {theme}", theme=f"**{plain(view.theme, 200)}**"))
    return [_heading(words, view), parts.text("\n".join([*lines, *_pinged(view)]))]


def vote_items(words: Words, view: RoundView, albums: Albums, *, anew: bool) -> list[Part]:
    """The vote with its button; once it is over, only that it is."""
    t, one = words.t, view.round
    if one.state is not State.VOTING:
        if view.post(Step.VOTE) is None and view.post(Step.REPEATED_VOTE) is None:
            return []  # it could not be posted in time
        over = t("Voting is over. See {command}.", command=words.command("club result"))
        if one.state is State.SKIPPED:
            over = t("This round was skipped, so the vote is not counted.")
        return [_heading(words, view), parts.text(over)]
    lines = []
    if anew:
        lines.append(t("I was not running while this vote should have been held, so it is held now."))
    is_paused, hour = view.stored.club.paused_at is not None, date(view.stored.club.club_hour_at)
    lines += [
        paused(words) if is_paused else t("Voting is open until {until}.", until=hour),
        how_to_vote(words, one.method or Method.RANKED_CHOICE, len(one.lot)),
    ]
    apart = told_apart(words.t, albums.values())
    lines += fitting(lambda most: [f"- {name_of(words, apart, id_, most)}" for id_ in one.lot[:LISTED_MOST]], 2800)
    if view.voters:
        lines.append(voters(words, view.voters))
    vote = button(
        t.context("button", "Vote"),
        CustomId("club-vote", view.stored.id, one.number),
        discord.ButtonStyle.primary,
    )
    shown = [albums[id_] for id_ in one.lot if id_ in albums]
    text = "\n".join([*lines, *_pinged(view)])
    return [
        _heading(words, view),
        parts.text(text),
        *covers(words, shown),
        parts.row(vote),
        *attribution(words, shown),
    ]


def how_to_vote(words: Words, method: Method, albums: int) -> str:
    """What a ballot can hold."""
    t, most = words.t, min(method.max_choices, albums)
    if method is Method.APPROVAL:
        return t("Choose every album that you would like.")
    return t.plural(
        "Choose {count} album.",
        "Choose up to {count} albums, your favourite first.",
        most,
    )


def voters(words: Words, count: int) -> str:
    """How many have voted, which is public."""
    return words.t.plural("{count} member has voted.", "{count} members have voted.", count)


def announcement_items(words: Words, view: RoundView, albums: Albums) -> list[Part]:
    """The album of the round, with Save, Rate and Open in Spotify."""
    t, one, club = words.t, view.round, view.stored.club
    if one.album_id is None:
        return []
    lines = [chosen(words, view)]
    if one.state is State.LISTENING:
        lines.append(
            t("Listen and rate it until {until}. Ratings stay hidden until then.", until=date(club.club_hour_at))
        )
    if note := note_of(one.note, 300):
        lines.append(note)
    return [
        _heading(words, view),
        album_item(words, albums, one.album_id),
        parts.text("\n".join([*lines, *_pinged(view)])),
        parts.row(*album_buttons(words, view, one.album_id)),
        *attribution(words, [*albums.values()], has_button=True),
    ]


def album_item(words: Words, albums: Albums, id_: AlbumId) -> Part:
    """An album with its cover; a link where its name is not known."""
    album = albums.get(id_)
    if album is None:
        return parts.text(f"### {name_of(words, albums, id_)}")
    return album_section(words, album)


def album_buttons(words: Words, view: RoundView, id_: AlbumId) -> list[Part]:
    """Save, Rate, Open in Spotify; they work for as long as the message exists."""
    t, place = words.t, (view.stored.id, view.round.number)
    return [
        button(t.context("button", "Save"), CustomId("save-club", id_, *place), discord.ButtonStyle.primary),
        button(t.context("button", "Rate"), CustomId("club-rate", *place)),
        link_button(album_url(id_), t("Open in Spotify")),
    ]


def chosen(words: Words, view: RoundView) -> str:
    """How the album of a round was found."""
    t, one = words.t, view.round
    who = picker(words, one)
    return how_chosen(t, one.choice, one.pick, who, voters=view.voters, among=one.among)


def picker(words: Words, one: Round, most: int = 60) -> str:
    """Who picked or nominated the album of a round. `most`: characters of a name that is text."""
    if one.chosen_by is not None:
        return f"<@{one.chosen_by}>"
    return plain(one.picker_name, most) if one.picker_name else words.t("a member")


def missed_items(words: Words, view: RoundView, hours: Sequence[int]) -> list[Part]:
    """One line for each club hour that passed while the bot was down."""
    t = words.t
    lines = [t("I was not running for a while, so these club hours were skipped:")]
    lines += [f"- <t:{hour}:f>" for hour in hours[-40:]]
    return [_heading(words, view), parts.text("\n".join(lines))]


def _skipped(words: Words, view: RoundView) -> str:
    next_at = soon(view.stored.club.club_hour_at)
    if view.round.nominations or view.stored.club.coming.number == view.round.number:
        return words.t("A curator skipped this round. The next one begins {when}.", when=next_at)
    return words.t("There was no album for this round, so it is skipped. The next club hour is {when}.", when=next_at)


def _heading(words: Words, view: RoundView) -> Part:
    return parts.text(
        "### "
        + words.t(
            "{club}, round {number}",
            club=plain(view.stored.name, 60),
            number=words.t.number(view.round.number),
        )
    )


def _pinged(view: RoundView) -> list[str]:
    role = view.stored.club.settings.ping_role_id
    return [] if role is None else [f"-# <@&{role}>"]
