"""The album club in Discord: `/club` for members, `/curate` for curators, and what the bot posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action
from bot.chat.attachments import Attachments
from bot.chat.club.answering import Answering
from bot.chat.club.books import Books
from bot.chat.club.commands import book_commands, club_commands, curate_commands
from bot.chat.club.fields import APPROVED, NAMED, RANKS, REVIEW, SCORE, SETTINGS, Topic
from bot.chat.club.names import Names
from bot.chat.club.places import listeners
from bot.chat.components import Audience, Component
from bot.chat.delivery import Delivery
from bot.chat.features import Feature
from bot.chat.groups import CLUB, CURATE
from bot.chat.messages import Messages
from bot.chat.reply import Interaction
from bot.chat.saving import Saving
from bot.chat.words import AllWords
from bot.clubs import AlbumClubs
from bot.clubs.album_clubs import BEAT_S, STEP, VOTERS
from bot.clubs.channels import EVENT, THREAD
from bot.clubs.effects import EDITED_POST, NOTE, NOTICE, POST
from bot.clubs.past_rounds import IMPORT, PastRounds
from bot.clubs.public_pages import PublicPages
from bot.curation.club import State
from bot.curation.ids import ClubId, RoundNumber
from bot.files.dates import DateOrder
from bot.later import later
from bot.library.finder import AlbumFinder
from bot.schedule import Schedule
from bot.spotify.client import Spotify
from bot.storage.club_imports import ClubImports
from bot.storage.clubs import Clubs, origin_of
from bot.storage.crates import Crates

if TYPE_CHECKING:  # loaded when they are needed: see below
    from bot.chat.club.events import Events
    from bot.chat.club.handlers import Handlers
    from bot.chat.club.import_steps import ImportSteps
    from bot.chat.club.notices import Notices
    from bot.chat.club.posts import Posts
    from bot.chat.club.threads import Threads


def feature(
    answering: Answering,
    pages: PublicPages,
    spotify: Spotify,
    tokens: Tokens,
    saving: Saving,
    crates: Crates,
    imports: ClubImports,
    past_rounds: PastRounds,
    attachments: Attachments,
) -> Feature:
    """The commands and components of the club."""

    async def albums(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await saving.suggest(interaction, Action.SAVE, text)

    @cache
    def handlers() -> Handlers:
        from bot.chat.club.handlers import Handlers  # here, because a bot at rest needs none of it

        return Handlers(answering, pages, spotify, tokens, crates, imports, past_rounds, attachments)

    async def save(interaction: Interaction, caller: Caller, album: AlbumId, club: ClubId, number: RoundNumber) -> None:
        await saving.save_counted(interaction, caller, album, "button save-club", origin_of(club, number))

    place, owner = (ClubId, RoundNumber), Audience.OWNER
    draft = (MemberId, RequestId)
    components = (
        Component("save-club", (AlbumId, ClubId, RoundNumber), save),
        Component("club-history", (ClubId, int), later(lambda: handlers().looking.history_page)),
        Component("club-catchup", (MemberId, ClubId, int), later(lambda: handlers().looking.catch_up_page), owner),
        Component("club-vote", place, later(lambda: handlers().voting.press)),
        Component("club-ballot", place, later(lambda: handlers().voting.submit), inputs=(*RANKS, APPROVED)),
        Component("club-rate", place, later(lambda: handlers().rating.press)),
        Component("club-rating", place, later(lambda: handlers().rating.submit), inputs=(SCORE, REVIEW, NAMED)),
        Component(
            "club-replace", (MemberId, ClubId, AlbumId, AlbumId), later(lambda: handlers().nominating.replace), owner
        ),
        Component("club-withdraw", (MemberId, ClubId, AlbumId), later(lambda: handlers().nominating.take_back), owner),
        Component("club-cancel", (), answering.cancel),
        Component("club-swap", (MemberId, *place, MemberId), later(lambda: handlers().turns.accept_swap), owner),
        Component("club-decline", (MemberId, *place, MemberId), later(lambda: handlers().turns.decline_swap), owner),
        Component("curate-start", draft, later(lambda: handlers().starting.start), owner),
        Component("curate-cancel", draft, later(lambda: handlers().starting.cancel), owner),
        Component("curate-change", draft, later(lambda: handlers().starting.change), owner),
        Component(
            "curate-changed",
            draft,
            later(lambda: handlers().starting.changed),
            owner,
            inputs=("name", "day", "time", "timezone", "rhythm"),
        ),
        Component("curate-next", (ClubId, RoundNumber, State, int), later(lambda: handlers().curating.end_step)),
        Component("curate-set", (MemberId, ClubId), later(lambda: handlers().settings.open), owner, values=Topic),
        Component(
            "curate-apply", (MemberId, ClubId, Topic), later(lambda: handlers().settings.apply), owner, inputs=SETTINGS
        ),
        Component("curate-move", (MemberId, ClubId), later(lambda: handlers().settings.move), owner),
        Component("curate-order", (MemberId, ClubId, int), later(lambda: handlers().settings.order), owner),
        Component(
            "curate-out", (MemberId, ClubId), later(lambda: handlers().settings.take_out), owner, values=MemberId
        ),
        Component("curate-unveto", (ClubId, AlbumId), later(lambda: handlers().curating.lift_veto)),
        Component("club-import-order", (*draft, DateOrder), later(lambda: handlers().importing.order), owner),
        Component("club-import-text", draft, later(lambda: handlers().importing.as_text), owner),
        Component("club-import-start", draft, later(lambda: handlers().importing.start), owner),
        Component("club-import-cancel", draft, later(lambda: handlers().importing.cancel), owner),
        Component("club-import-stop", draft, later(lambda: handlers().importing.stop), owner),
        Component("club-import-undo", draft, later(lambda: handlers().importing.ask_undo), owner),
        Component("club-import-undone", draft, later(lambda: handlers().importing.undo), owner),
        Component("club-import-keep", draft, later(lambda: handlers().importing.keep), owner),
    )
    subcommands: dict[str, Sequence[app_commands.Command[Any, ..., Any] | app_commands.Group]] = {
        CLUB: club_commands(answering, handlers, albums),
        CURATE: (
            *curate_commands(answering, handlers, albums),
            book_commands(answering, Books(answering, pages)),
        ),
    }
    return Feature(
        "club",
        components=components,
        subcommands=subcommands,
        listeners=listeners(answering.clubs),
        intents=discord.Intents(guilds=True),
    )


def deliver(clubs: AlbumClubs, names: Names, delivery: Delivery) -> None:
    """Let the clubs' messages be drawn."""

    @cache
    def posts() -> Posts:
        from bot.chat.club.posts import Posts

        return Posts(clubs, names)

    @cache
    def notices() -> Notices:
        from bot.chat.club.notices import Notices

        return Notices(clubs, names)

    draw = later(lambda: posts().draw)
    delivery.register(POST, draw, on_blocked=clubs.channels.blocked)
    delivery.register(EDITED_POST, draw, on_blocked=clubs.channels.blocked)
    delivery.register(NOTICE, later(lambda: notices().draw))


def schedule_imports(
    schedule: Schedule,
    delivery: Delivery,
    imports: ClubImports,
    clubs: Clubs,
    past_rounds: PastRounds,
    finder: AlbumFinder,
    now: Callable[[], datetime],
) -> None:
    """Let imports of spreadsheets be served, one at a time, and what they say be drawn."""

    @cache
    def steps() -> ImportSteps:
        from bot.chat.club.import_steps import ImportSteps

        return ImportSteps(imports, clubs, past_rounds, finder, now)

    schedule.register(IMPORT, later(lambda: steps().step), max_concurrent=1)
    delivery.register(IMPORT, later(lambda: steps().draw))


def schedule_clubs(
    schedule: Schedule,
    clubs: AlbumClubs,
    names: Names,
    client: discord.Client,
    messages: Messages,
    words: AllWords,
    delivery: Delivery,
    now: Callable[[], datetime],
) -> None:
    """Let the clubs' timers be served."""

    @cache
    def threads() -> Threads:
        from bot.chat.club.threads import Threads

        return Threads(clubs, names, messages, words)

    @cache
    def events() -> Events:
        from bot.chat.club.events import Events

        return Events(clubs, client, messages, words, now=now)

    delivery.register(NOTE, later(lambda: threads().draw_note))
    schedule.register(STEP, clubs.step)
    schedule.register(VOTERS, clubs.show_voters)
    schedule.register(THREAD, later(lambda: threads().open))
    schedule.register(EVENT, later(lambda: events().show))
    schedule.repeat("club heartbeat", BEAT_S, clubs.beat)


__all__ = ["Answering", "Names", "deliver", "feature", "schedule_clubs", "schedule_imports"]
