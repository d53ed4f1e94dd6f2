"""The commands of the club: names, options and descriptions. What they do is in the other modules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.caller import MemberId
from bot.chat.club.answering import Answering
from bot.chat.club.books import Books
from bot.chat.club.fields import NAME_MOST, NOTE_MOST, REVIEW_MOST, THEME_MOST, Day
from bot.chat.features import describe
from bot.chat.reply import Interaction
from bot.curation.calendar import Rhythm
from bot.curation.club import Pick
from bot.text import command_name, msg

if TYPE_CHECKING:  # loaded with the first command
    from bot.chat.club.handlers import Handlers

Suggest = Callable[[Interaction, str], Awaitable[list[app_commands.Choice[str]]]]
Commands = list[app_commands.Command[Any, ..., Any]]
Text = app_commands.Range[str, 1, 300]
Note = app_commands.Range[str, 1, NOTE_MOST]
Review = app_commands.Range[str, 1, REVIEW_MOST]
Theme = app_commands.Range[str, 1, THEME_MOST]
Name = app_commands.Range[str, 1, NAME_MOST]
Number = app_commands.Range[int, 1, 100_000]
Days = app_commands.Range[int, 1, 28]

WHICH = msg("Which club, where the server has several")
ALBUM = msg("A link, or a title: pick from the suggestions")

ON, OFF = "on", "off"
ON_OFF = [app_commands.Choice(name=msg("On"), value=ON), app_commands.Choice(name=msg("Off"), value=OFF)]
PICKS = [
    app_commands.Choice(name=msg("Members nominate albums and vote."), value=Pick.VOTE.value),
    app_commands.Choice(name=msg("Members take turns to pick an album."), value=Pick.TURNS.value),
    app_commands.Choice(name=msg("Albums are drawn from the server's crate."), value=Pick.CRATE.value),
]
DAYS = [
    app_commands.Choice(name=name, value=day.value)
    for day, name in zip(
        Day,
        (
            msg("Monday"),
            msg("Tuesday"),
            msg("Wednesday"),
            msg("Thursday"),
            msg("Friday"),
            msg("Saturday"),
            msg("Sunday"),
        ),
        strict=True,
    )
]
RHYTHMS = [
    app_commands.Choice(name=msg("Every week"), value=Rhythm.WEEKLY.value),
    app_commands.Choice(name=msg("Every two weeks"), value=Rhythm.BIWEEKLY.value),
    app_commands.Choice(name=msg("Every month"), value=Rhythm.MONTHLY.value),
]


def _command(name: str, description: str, function: Callable[..., Any], /, **options: str) -> Any:
    """A command with its options' names and descriptions, all of which are in the catalogue."""
    return app_commands.Command(name=name, description=description, callback=describe(**options)(function))


def _with_suggestions(commands: Commands, answering: Answering, albums: Suggest) -> Commands:
    """Suggest clubs and albums wherever a command has such an option."""
    for command in commands:
        names = {parameter.name for parameter in command.parameters}
        if "club" in names:
            command.autocomplete("club")(_suggest_clubs(answering))
        if "album" in names:
            command.autocomplete("album")(_suggest_albums(albums))
    return commands


def _suggest_clubs(answering: Answering) -> Any:
    async def suggest(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await answering.suggest_clubs(interaction, text)

    return suggest


def _suggest_albums(albums: Suggest) -> Any:
    async def suggest(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await albums(interaction, text)

    return suggest


async def _suggest_zones(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
    from zoneinfo import available_timezones  # here, because a start can do without

    typed = text.strip().replace(" ", "_").casefold()
    fitting = sorted(zone for zone in available_timezones() if typed in zone.casefold())
    # where people live first: "Europe/Berlin" before "Etc/GMT+2"
    fitting.sort(key=lambda zone: (zone.startswith("Etc/") or "/" not in zone, zone))
    return [app_commands.Choice(name=zone, value=zone) for zone in fitting[:25]]


def club_commands(answering: Answering, handlers: Callable[[], Handlers], albums: Suggest) -> Commands:
    """`/club …`."""

    async def nominate(
        interaction: Interaction, album: Text, note: Note | None = None, club: str | None = None
    ) -> None:
        await handlers().nominating.nominate(interaction, album, note, club)

    async def nominations(interaction: Interaction, club: str | None = None) -> None:
        await handlers().nominating.show(interaction, club)

    async def vote(interaction: Interaction, club: str | None = None) -> None:
        await handlers().voting.open_here(interaction, club)

    @app_commands.rename(score=command_name("score"), review=command_name("review"))
    async def rate(
        interaction: Interaction,
        score: app_commands.Range[str, 1, 30],
        review: Review | None = None,
        club: str | None = None,
    ) -> None:
        await handlers().rating.command(interaction, score, review, club)

    @app_commands.rename(round=command_name("round"))
    async def result(
        interaction: Interaction, round: Number | None = None, export: bool = False, club: str | None = None
    ) -> None:
        await handlers().looking.result(interaction, round, export, club)

    async def now(interaction: Interaction, club: str | None = None) -> None:
        await handlers().looking.now(interaction, club)

    async def history(interaction: Interaction, club: str | None = None) -> None:
        await handlers().looking.history(interaction, club)

    async def standings(interaction: Interaction, club: str | None = None) -> None:
        await handlers().looking.standings(interaction, club)

    async def catchup(interaction: Interaction, club: str | None = None) -> None:
        await handlers().looking.catch_up(interaction, club)

    @app_commands.rename(reminders=command_name("reminders"))
    @app_commands.choices(reminders=ON_OFF)
    async def remind(interaction: Interaction, reminders: str, club: str | None = None) -> None:
        await handlers().looking.remind(interaction, reminders == ON, club)

    async def join(interaction: Interaction, club: str | None = None) -> None:
        await handlers().turns.join(interaction, club)

    async def leave(interaction: Interaction, club: str | None = None) -> None:
        await handlers().turns.leave(interaction, club)

    async def pick(interaction: Interaction, album: Text, note: Note | None = None, club: str | None = None) -> None:
        await handlers().turns.pick(interaction, album, note, club)

    async def pass_turn(interaction: Interaction, club: str | None = None) -> None:
        await handlers().turns.pass_turn(interaction, club)

    async def swap(interaction: Interaction, member: discord.Member, club: str | None = None) -> None:
        await handlers().turns.swap(interaction, MemberId(member.id), club)

    swap = app_commands.rename(member=command_name("with"))(swap)
    note_text = msg("What makes you suggest it; shown with the album")
    found = [
        _command(
            command_name("nominate"),
            msg("Nominate an album for the next round"),
            nominate,
            album=ALBUM,
            note=note_text,
            club=WHICH,
        ),
        _command(command_name("nominations"), msg("See what is nominated"), nominations, club=WHICH),
        _command(
            command_name("vote"), msg("Vote, privately; you can change your vote until the end"), vote, club=WHICH
        ),
        _command(
            command_name("rate"),
            msg("Rate the current album; hidden until the summary"),
            rate,
            score=msg("1 to 5 in halves, or 1 to 10, as the club has it"),
            review=msg("Shown in the summary and the club book, without your name"),
            club=WHICH,
        ),
        _command(
            command_name("result"),
            msg("See how a vote was counted, step by step"),
            result,
            round=msg("The number of the round; the latest, if empty"),
            export=msg("Attach the ballots, which carry no names"),
            club=WHICH,
        ),
        _command(command_name("now"), msg("See the current album, what is open, and until when"), now, club=WHICH),
        _command(command_name("history"), msg("See the albums so far"), history, club=WHICH),
        _command(
            command_name("standings"),
            msg("See the best rated albums, the most divisive, and more"),
            standings,
            club=WHICH,
        ),
        _command(
            command_name("catchup"), msg("Save albums of the club that are not in your library"), catchup, club=WHICH
        ),
        _command(
            command_name("remind"),
            msg("Be reminded a day before a vote or a round ends"),
            remind,
            reminders=msg("On or off"),
            club=WHICH,
        ),
        _command(command_name("join"), msg("Take turns to pick an album"), join, club=WHICH),
        _command(command_name("leave"), msg("No longer take turns"), leave, club=WHICH),
        _command(
            command_name("pick"),
            msg("Pick the album for your turn; sealed until it is announced"),
            pick,
            album=ALBUM,
            note=note_text,
            club=WHICH,
        ),
        _command(command_name("pass"), msg("Pass your turn"), pass_turn, club=WHICH),
        _command(
            command_name("swap"),
            msg("Swap places in the order with another member"),
            swap,
            member=msg("Who accepts it by direct message"),
            club=WHICH,
        ),
    ]
    return _with_suggestions(found, answering, albums)


def curate_commands(answering: Answering, handlers: Callable[[], Handlers], albums: Suggest) -> Commands:
    """`/curate …`, but for what other features add."""

    @app_commands.rename(
        day=command_name("day"),
        time=command_name("time"),
        timezone=command_name("timezone"),
        rhythm=command_name("rhythm"),
    )
    @app_commands.choices(pick=PICKS, day=DAYS, rhythm=RHYTHMS)
    async def new(
        interaction: Interaction,
        name: Name,
        pick: str,
        day: str,
        time: app_commands.Range[str, 1, 20],
        timezone: app_commands.Range[str, 1, 60] | None = None,
        rhythm: str = Rhythm.WEEKLY,
    ) -> None:
        chosen = Pick(pick), Day(day), time, timezone, Rhythm(rhythm)
        await handlers().starting.preview(interaction, name, *chosen)

    async def change_settings(interaction: Interaction, club: str | None = None) -> None:
        await handlers().settings.show(interaction, club)

    @app_commands.rename(text=command_name("text"), round=command_name("round"))
    async def theme(
        interaction: Interaction, text: Theme, round: Number | None = None, club: str | None = None
    ) -> None:
        await handlers().curating.theme(interaction, text, round, club)

    async def veto(interaction: Interaction, album: Text, club: str | None = None) -> None:
        await handlers().curating.veto(interaction, album, club)

    async def skip(interaction: Interaction, club: str | None = None) -> None:
        await handlers().curating.skip(interaction, club)

    async def pause(interaction: Interaction, club: str | None = None) -> None:
        await handlers().curating.pause(interaction, club)

    async def resume(interaction: Interaction, club: str | None = None) -> None:
        await handlers().curating.resume(interaction, club)

    async def end_step(interaction: Interaction, club: str | None = None) -> None:
        await handlers().curating.next(interaction, club)

    @app_commands.rename(days=command_name("days"))
    async def extend(interaction: Interaction, days: Days, club: str | None = None) -> None:
        await handlers().curating.extend(interaction, days, club)

    async def log(interaction: Interaction, club: str | None = None) -> None:
        await handlers().curating.log(interaction, club)

    async def import_(
        interaction: Interaction, file: discord.Attachment | None = None, club: str | None = None
    ) -> None:
        await handlers().importing.command(interaction, file, club)

    found = [
        _command(
            command_name("new"),
            msg("Start an album club in this channel; you see its dates first"),
            new,
            name=msg("The name of the club"),
            pick=msg("How albums are found: by vote, in turns, or drawn from the crate"),
            day=msg("The day on which the next album is announced"),
            time=msg("The time of day, such as 19:30"),
            timezone=msg("The timezone of that time, such as Europe/Berlin; UTC, if empty"),
            rhythm=msg("How often the club meets; every week, if empty"),
        ),
        _command(command_name("settings"), msg("See and change a club's settings"), change_settings, club=WHICH),
        _command(
            command_name("theme"),
            msg("Set the theme of a round"),
            theme,
            text=msg("The theme, shown with the call for nominations"),
            round=msg("The number of the round; the one after this, if empty"),
            club=WHICH,
        ),
        _command(command_name("veto"), msg("Keep an album out of the club"), veto, album=ALBUM, club=WHICH),
        _command(command_name("skip"), msg("Skip this round"), skip, club=WHICH),
        _command(command_name("pause"), msg("Pause the club"), pause, club=WHICH),
        _command(command_name("resume"), msg("Let a paused club go on"), resume, club=WHICH),
        _command(command_name("next"), msg("End the current step now"), end_step, club=WHICH),
        _command(
            command_name("extend"),
            msg("Move the club hour further away"),
            extend,
            days=msg("By how many days"),
            club=WHICH,
        ),
        _command(command_name("log"), msg("See what curators did"), log, club=WHICH),
        _command(
            command_name("import"),
            msg("Make the club's earlier spreadsheet its past rounds, or take that back"),
            import_,
            file=msg("The spreadsheet as CSV, with dates and albums; up to 5 MB. Empty: earlier imports"),
            club=WHICH,
        ),
    ]
    for command in found:
        if command.name == "new":
            command.autocomplete("timezone")(_suggest_zones)
    return _with_suggestions(found, answering, albums)


def book_commands(answering: Answering, books: Books) -> app_commands.Group:
    """`/curate book …`."""

    async def on(interaction: Interaction, club: str | None = None) -> None:
        await books.on(interaction, club)

    async def off(interaction: Interaction, club: str | None = None) -> None:
        await books.off(interaction, club)

    async def renew(interaction: Interaction, club: str | None = None) -> None:
        await books.renew(interaction, club)

    group = app_commands.Group(name=command_name("book"), description=msg("A public page with all rounds of a club"))
    found = [
        _command(command_name("on"), msg("Turn on the club book, and see its address"), on, club=WHICH),
        _command(command_name("off"), msg("Turn off the club book"), off, club=WHICH),
        _command(command_name("renew"), msg("Give the club book another address"), renew, club=WHICH),
    ]
    for command in found:
        command.autocomplete("club")(_suggest_clubs(answering))
        group.add_command(command)
    return group
