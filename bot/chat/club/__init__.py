"""The album club in Discord: `/club` for members, `/curate` for curators, and what the bot posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import discord
from discord import app_commands

from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action
from bot.chat.club.answering import Answering
from bot.chat.club.books import Books
from bot.chat.club.commands import book_commands, club_commands, curate_commands
from bot.chat.club.curating import Curating
from bot.chat.club.events import Events
from bot.chat.club.import_steps import ImportSteps
from bot.chat.club.importing import Importing
from bot.chat.club.looking import Looking
from bot.chat.club.names import Names
from bot.chat.club.nominating import Nominating
from bot.chat.club.notices import Notices
from bot.chat.club.places import listeners
from bot.chat.club.posts import Posts
from bot.chat.club.rating import NAMED, REVIEW, SCORE, RatingAlbums
from bot.chat.club.setting_forms import INPUTS, Topic
from bot.chat.club.settings import Settings
from bot.chat.club.starting import Starting
from bot.chat.club.threads import Threads
from bot.chat.club.turns import Turns
from bot.chat.club.voting import APPROVED, RANKS, Voting
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
from bot.clubs.past_rounds import IMPORT
from bot.clubs.public_pages import PublicPages
from bot.curation.club import State
from bot.curation.ids import ClubId, RoundNumber
from bot.files.dates import DateOrder
from bot.schedule import Schedule
from bot.spotify.client import Spotify
from bot.storage.clubs import origin_of
from bot.storage.crates import Crates


def feature(
    answering: Answering,
    pages: PublicPages,
    spotify: Spotify,
    tokens: Tokens,
    saving: Saving,
    importing: Importing,
    crates: Crates,
) -> Feature:
    """The commands and components of the club."""

    async def albums(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await saving.suggest(interaction, Action.SAVE, text)

    nominating, voting, rating = Nominating(answering), Voting(answering), RatingAlbums(answering)
    turns, looking = Turns(answering), Looking(answering, pages, spotify, tokens, crates)
    starting, settings, curating = Starting(answering), Settings(answering), Curating(answering)

    async def save(interaction: Interaction, caller: Caller, album: AlbumId, club: ClubId, number: RoundNumber) -> None:
        await saving.save_counted(interaction, caller, album, "button save-club", origin_of(club, number))

    place, owner = (ClubId, RoundNumber), Audience.OWNER
    draft = (MemberId, RequestId)
    components = (
        Component("save-club", (AlbumId, ClubId, RoundNumber), save),
        Component("club-history", (ClubId, int), looking.history_page),
        Component("club-catchup", (MemberId, ClubId, int), looking.catch_up_page, owner),
        Component("club-vote", place, voting.press),
        Component("club-ballot", place, voting.submit, inputs=(*RANKS, APPROVED)),
        Component("club-rate", place, rating.press),
        Component("club-rating", place, rating.submit, inputs=(SCORE, REVIEW, NAMED)),
        Component("club-replace", (MemberId, ClubId, AlbumId, AlbumId), nominating.replace, owner),
        Component("club-withdraw", (MemberId, ClubId, AlbumId), nominating.take_back, owner),
        Component("club-cancel", (), answering.cancel),
        Component("club-swap", (MemberId, *place, MemberId), turns.accept_swap, owner),
        Component("club-decline", (MemberId, *place, MemberId), turns.decline_swap, owner),
        Component("curate-start", draft, starting.start, owner),
        Component("curate-cancel", draft, starting.cancel, owner),
        Component("curate-change", draft, starting.change, owner),
        Component(
            "curate-changed", draft, starting.changed, owner, inputs=("name", "day", "time", "timezone", "rhythm")
        ),
        Component("curate-next", (ClubId, RoundNumber, State, int), curating.end_step),
        Component("curate-set", (MemberId, ClubId), settings.open, owner, values=Topic),
        Component("curate-apply", (MemberId, ClubId, Topic), settings.apply, owner, inputs=INPUTS),
        Component("curate-move", (MemberId, ClubId), settings.move, owner),
        Component("curate-out", (MemberId, ClubId), settings.take_out, owner, values=MemberId),
        Component("curate-unveto", (ClubId, AlbumId), curating.lift_veto),
        Component("club-import-order", (*draft, DateOrder), importing.order, owner),
        Component("club-import-text", draft, importing.as_text, owner),
        Component("club-import-start", draft, importing.start, owner),
        Component("club-import-cancel", draft, importing.cancel, owner),
        Component("club-import-stop", draft, importing.stop, owner),
        Component("club-import-undo", draft, importing.ask_undo, owner),
        Component("club-import-undone", draft, importing.undo, owner),
        Component("club-import-keep", draft, importing.keep, owner),
    )
    subcommands: dict[str, Sequence[app_commands.Command[Any, ..., Any] | app_commands.Group]] = {
        CLUB: club_commands(answering, nominating, voting, rating, turns, looking, albums),
        CURATE: (
            *curate_commands(answering, starting, settings, curating, importing, albums),
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
    posts = Posts(clubs, names)
    delivery.register(POST, posts.draw, on_blocked=clubs.channels.blocked)
    delivery.register(EDITED_POST, posts.draw, on_blocked=clubs.channels.blocked)
    delivery.register(NOTICE, Notices(clubs, names).draw)


def schedule_imports(schedule: Schedule, steps: ImportSteps, delivery: Delivery) -> None:
    """Let imports of spreadsheets be served, one at a time, and what they say be drawn."""
    schedule.register(IMPORT, steps.step, max_concurrent=1)
    delivery.register(IMPORT, steps.draw)


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
    threads = Threads(clubs, names, messages, words)
    delivery.register(NOTE, threads.draw_note)
    schedule.register(STEP, clubs.step)
    schedule.register(VOTERS, clubs.show_voters)
    schedule.register(THREAD, threads.open)
    schedule.register(EVENT, Events(clubs, client, messages, words, now=now).show)
    schedule.repeat("club heartbeat", BEAT_S, clubs.beat)


__all__ = ["Answering", "ImportSteps", "Importing", "Names", "deliver", "feature", "schedule_clubs", "schedule_imports"]
