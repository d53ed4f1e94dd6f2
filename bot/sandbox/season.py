"""A season of an album club, played without a person: 8 rounds, and what members read.

The real bot runs it. The clock is moved, and the bot is stopped and started once, on the same database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import click
import discord
import simcord
from simcord.backend.serializers import guild_create_payload

from bot import app, logs
from bot.curation.club import Club
from bot.curation.ids import ClubId
from bot.sandbox.clock import Clock, pass_time
from bot.sandbox.components import Json, flatten
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.stage import SETTLE_S, built, catch_up, stand_ins
from bot.sandbox.story import StoryFailed, follow, until
from bot.sandbox.transcript import PRIVATE, PUBLIC, Transcript
from bot.settings import Settings

ROUNDS = 8
CLUB = "Tuesday Club"
ZONE = "Europe/Berlin"
PEOPLE = ("Nora", "Ada", "Ben", "Chloe")
A_MOMENT = timedelta(minutes=5)
NOMINATED, RATED, PICKED = "You nominated this album", "You gave", "your pick for your next turn"


class Season:
    """A server with a club: its people, its clock, and a bot that can be stopped and started."""

    def __init__(
        self,
        clock: Clock,
        env: simcord.Env,
        channel: simcord.ChannelHandle,
        members: dict[str, simcord.MemberActor],
        spotify: SpotifyServer,
        settings: Settings,
        echo: Callable[[str], None],
    ) -> None:
        self.clock, self.env, self.channel, self.members, self.spotify = clock, env, channel, members, spotify
        self.tells = Transcript(clock, channel, members, ZoneInfo(ZONE), echo)
        self._settings = settings
        self._running = AsyncExitStack()
        self._services: app.Services | None = None

    # -- the bot

    async def start_bot(self, services: app.Services | None = None) -> None:
        """Start the bot on the database of the last time. `services`: those of the first start."""
        if services is None:
            services = await self._running.enter_async_context(built(self._settings, self.clock))
            _list_servers(services.client, self.env)
            await self.env.restart_bot(services.client)
            for guild in self.env.backend.guilds.values():
                self.env.backend.emit("GUILD_CREATE", guild_create_payload(self.env.backend, guild))
            await self.env.settle()
        self._services = services
        for part in (app.website, app.scheduled, app.working):
            await self._running.enter_async_context(part(services))

    async def stop_bot(self) -> None:
        """Stop the bot as its host would."""
        self._services = None
        await self._running.aclose()

    def stops_with(self, stack: AsyncExitStack) -> None:
        """What is on the stack ends when the bot is stopped."""
        self._running = stack

    # -- time

    async def club(self) -> Club:
        """The club as it is stored."""
        assert self._services is not None
        stored = await self._services.storage.clubs.get(ClubId(1))
        assert stored is not None
        return stored.club

    async def pass_time(self, by: timedelta) -> None:
        """Let time pass, and tell what members read meanwhile."""

        def show() -> None:
            catch_up(self.env, self.clock)

        if self._services is None:
            self.clock.ahead += by
            show()
        else:
            await pass_time(self._services, self.clock, by, show)
        self.tells.news()

    async def to(self, moment: datetime) -> None:
        """Let time pass until a moment."""
        await self.pass_time(moment - self.clock.now())

    async def to_vote(self) -> None:
        """To the moment at which voting opens."""
        await self.to((await self.club()).vote_at + timedelta(seconds=1))

    async def to_club_hour(self) -> None:
        """To the next club hour."""
        await self.to((await self.club()).club_hour_at + timedelta(seconds=1))

    # -- people

    async def types(self, who: str, command: str, *, holds: str = "", most: int | None = None, **options: Any) -> Any:
        """A member uses a command.

        `holds`: the line of the answer that is told; empty: the whole answer, or its first `most` lines.
        """
        typed, options = await self._typed(who, command, options)
        self.tells.action(f"{who}: {typed}")
        return self._answered(await self.members[who].slash(self.channel, command, **options), holds, most)

    async def swaps(self, who: str, other: str) -> None:
        """A member asks another to swap places."""
        self.tells.action(f"{who}: /club swap with: @{other}")
        self._answered(await self.members[who].slash(self.channel, "club swap", **{"with": self.members[other]}))

    async def briefly(self, command: str, holds: str, **given: Mapping[str, Any]) -> None:
        """Members use a command, each with options. Told in one line; every answer has to say `holds`."""
        said = []
        for who, wanted in given.items():
            typed, options = await self._typed(who, command, wanted)
            self._expect(await self.members[who].slash(self.channel, command, **options), holds)
            said.append(f"{who}: {typed}")
        self.tells.action(" · ".join(said))

    async def _typed(self, who: str, command: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """What is typed, and the options that it makes. An album is typed, and the first suggestion is taken."""
        options, shown = dict(given), {key: str(value) for key, value in given.items()}
        if "album" in options:
            choices = await self.members[who].autocomplete(self.channel, command, "album", options["album"])
            if not choices:
                raise StoryFailed(f"Nothing is suggested for {options['album']}")
            options["album"], shown["album"] = choices[0]["value"], choices[0]["name"]
        return f"/{command}" + "".join(f" {key}: {value}" for key, value in shown.items()), options

    async def presses(
        self, who: str, message: discord.Message, label: str, *, holds: str = "", most: int | None = None
    ) -> Any:
        """A member presses a button of a message."""
        self.tells.action(f"{who} presses {label}.")
        member = self.members[who]
        is_direct = message.channel.id == member.user.dm_channel.id
        clicks = member.user if is_direct else member
        result = self._answered(await clicks.click(message, label=label), holds, most)
        if is_direct:
            self.tells.seen(self.direct_message(who))
        return result

    async def votes(self, who: str, *titles: str) -> None:
        """A member fills in a ballot: first choice, second choice…"""
        self.tells.action(f"{who} votes: {', then '.join(titles)}.")
        self._answered(await self._vote(who, titles))

    async def vote(self, **ballots: Sequence[str]) -> None:
        """Members fill in their ballots. Told in one line."""
        for who, titles in ballots.items():
            await self._vote(who, titles)
        self.tells.action(" · ".join(f"{who} votes: {', then '.join(titles)}" for who, titles in ballots.items()))

    async def _vote(self, who: str, titles: Sequence[str]) -> Any:
        shown = await self.members[who].slash(self.channel, "club vote")
        if shown.modal is None:
            raise StoryFailed(f"{who} gets no ballot")
        ranks = [part["component"] for part in shown.modal["components"]]
        chosen = {select["custom_id"]: title for select, title in zip(ranks, titles, strict=False)}
        result = await self.members[who].submit_modal(shown, filled(shown.modal, chosen))
        self._expect(result, "Your vote is in")
        return result

    async def selects(self, who: str, message: discord.Message, *begins: str, most: int | None = None) -> Any:
        """A member chooses from the menu of a message."""
        parts = [cast("Json", one.to_dict()) for one in message.components]
        menu = next(part for part in flatten(parts) if part["type"] == 3)
        chosen = [one for one in menu["options"] if one["label"].startswith(begins)]
        self.tells.action(f"{who} chooses {', '.join(one['label'] for one in chosen)}.")
        return self._answered(await self.members[who].select(message, [one["value"] for one in chosen]), "", most)

    async def fills(self, who: str, shown: Any, name: str, choice: str, *, holds: str) -> None:
        """A member changes one field of a form, and sends it. `choice`: how it begins."""
        self.tells.action(f"{who} chooses “{choice}” and sends the form.")
        self._answered(await self.members[who].submit_modal(shown, filled(shown.modal, {name: choice})), holds)

    async def links(self, who: str, answer: Any) -> None:
        """A member links their account through the button of an answer, which changes."""
        url = next(part["url"] for part in flatten(answer.components) if part.get("label") == "Link Spotify")
        page = await follow(url, self.members[who].id, who.lower())
        if "Linked" not in page:
            raise StoryFailed(f"{who} is not linked")
        self.tells.action(f"{who} presses Link Spotify, agrees on the next page, and goes back to Discord.")
        await until(lambda: "Saved" in "".join(self.tells.reader().lines(answer.components)), "the album is saved")
        self.tells.private(answer.components)

    # -- what they read

    def direct_message(self, who: str) -> discord.Message:
        """The last direct message that a member got."""
        return self.members[who].user.dm_channel.history()[-1]

    def last_post(self, holds: str) -> discord.Message:
        """The last message in the channel that holds these words."""
        for message in reversed(self.channel.history()):
            if any(holds in line for line in self.tells.lines(message)):
                return message
        raise StoryFailed(f"Nothing in the channel holds “{holds}”")

    def _answered(self, result: Any, holds: str = "", most: int | None = None) -> Any:
        if result.modal is not None:
            self.tells.form(result.modal, most)
            return result
        if holds:
            self._expect(result, holds)
        elif result.response is None:
            raise StoryFailed("There is no answer")
        self.tells.private(result.response.components, holds, most)
        return result

    def _expect(self, result: Any, holds: str) -> None:
        said = "" if result.response is None else "\n".join(self.tells.reader().lines(result.response.components))
        if holds not in said:
            raise StoryFailed(f"The answer does not say “{holds}”, but: {said}")


def filled(modal: Json, changed: Mapping[str, str]) -> dict[str, Any]:
    """The values of a form as it is sent, with some fields changed: a text, or how a choice of a menu begins."""
    values: dict[str, Any] = {}
    for part in modal["components"]:
        field = part["component"]
        name, options = field["custom_id"], field.get("options")
        if options is None:
            values[name] = changed.get(name, field.get("value") or "")
        elif name in changed:
            values[name] = [next(one["value"] for one in options if one["label"].startswith(changed[name]))]
        else:
            values[name] = [one["value"] for one in options if one.get("default")]
    return values


def _list_servers(client: discord.Client, env: simcord.Env) -> None:
    """Let the next session list the bot's servers, as Discord does: SimCord lists none."""
    parsers = client._connection.parsers
    ready = parsers["READY"]
    listed = [{"id": str(guild_id), "unavailable": True} for guild_id in env.backend.guilds]
    parsers["READY"] = lambda data: ready({**data, "guilds": listed})


@asynccontextmanager
async def raised(echo: Callable[[str], None]) -> AsyncIterator[Season]:
    """A server with its people, and the bot running. Nora is the curator; nobody has linked Spotify."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        spotify, login, settings = await stack.enter_async_context(stand_ins(clock, PEOPLE))
        running = await stack.enter_async_context(AsyncExitStack())
        services = await running.enter_async_context(built(settings, clock))
        env = await stack.enter_async_context(simcord.run(services.client, settle_timeout=SETTLE_S, check_errors=False))
        catch_up(env, clock)
        env.backend.edit_bot_profile("Gatefold")
        guild = env.create_guild("The Record Shop")
        curators = guild.create_role("curators", permissions=discord.Permissions(manage_guild=True))
        channel = guild.create_text_channel("album-club")
        members = {
            name: guild.add_member(env.create_user(name.lower(), global_name=name), roles=[curators] * (name == "Nora"))
            for name in PEOPLE
        }
        login.users.update({member.id: name for name, member in members.items()})
        season = Season(clock, env, channel, members, spotify, settings, echo)
        season.stops_with(running.pop_all())
        try:
            await season.start_bot(services)
            yield season
        finally:
            await season.stop_bot()


async def play() -> int:
    """Play the season, and print it; 0 when everything went as it should."""
    logs.configure("WARNING", "console", ())
    async with raised(click.echo) as season:
        for line in _ABOUT:
            click.echo(line)
        try:
            await play_on(season)
        except StoryFailed as failure:
            click.echo(f"✗ {failure}", err=True)
            return 1
    click.echo(f"\nThe season is over. There were {ROUNDS} summaries, each at its time, and nothing was posted twice.")
    return 0


_ABOUT = (
    "An album club plays a season of 8 rounds. Nora is the curator; Ada, Ben and Chloe are members.",
    f"Beside {PUBLIC.strip()} is what everybody reads in #album-club, beside {PRIVATE.strip()} what one member reads. "
    "Later, … stands for what was said before.",
)


async def play_on(season: Season) -> None:
    """Play all rounds. StoryFailed when something did not go as it should."""
    for act in (_begin, _tie, _restart, _only_one, _turns, _absent, _passed, _drawn, _end):
        await act(season)
    _check(season)


async def _begin(s: Season) -> None:
    s.tells.heading("Round 1: a club begins")
    preview = await s.types(
        "Nora", "curate new", name=CLUB, pick="vote", day="tuesday", time="20:00", timezone=ZONE, most=7
    )
    await s.presses("Nora", preview.response.message, "Start")
    await s.pass_time(A_MOMENT)
    await s.types("Ada", "club nominate", album="attic weather", note="Headphones, and a rainy day.")
    await s.types("Ben", "club nominate", album="attic weather")
    await s.briefly("club nominate", NOMINATED, Ben={"album": "paper lighthouse"}, Chloe={"album": "static garden"})
    asked = await s.types("Chloe", "club nominate", album="machine hymns")
    await s.presses("Chloe", asked.response.message, "Replace it", holds=NOMINATED)
    await s.types("Ben", "club remind", reminders="on")
    await s.types("Nora", "curate theme", text="Recorded before 1980", round=2)
    await s.to_vote()
    await s.presses("Ada", s.last_post("Voting is open"), "Vote")
    await s.votes("Ada", "Attic Weather", "Paper Lighthouse")
    await s.vote(Chloe=["Machine Hymns", "Paper Lighthouse"], Nora=["Attic Weather"])
    await s.to_club_hour()
    s.tells.is_brief = True


async def _tie(s: Season) -> None:
    s.tells.heading("Round 2: a theme, and a tie")
    asked = await s.presses("Chloe", s.last_post("chosen by vote"), "Save", most=2)
    await s.links("Chloe", asked.response)
    await s.types("Ben", "club rate", score="4.5", review="Side one is perfect. Side two is long.", most=4)
    await s.briefly("club rate", RATED, Chloe={"score": "3"}, Nora={"score": "4.5"})
    await s.briefly("club nominate", NOMINATED, Ben={"album": "copper kettle"}, Nora={"album": "button factory"})
    await s.to_vote()
    await s.vote(Ada=["Copper"], Ben=["Copper"], Chloe=["Midnight"], Nora=["Midnight"])
    await s.to_club_hour()
    await s.types("Ada", "club result")


async def _restart(s: Season) -> None:
    s.tells.heading("Round 3: the bot is stopped before a vote ends, and started after it")
    await s.briefly("club rate", RATED, Ada={"score": "5"}, Nora={"score": "2.5", "review": "I wanted to like it."})
    await s.briefly("club nominate", NOMINATED, Ada={"album": "jours de verre"}, Chloe={"album": "Þegar"})
    await s.to_vote()
    await s.vote(Chloe=["Þegar"], Ben=["Þegar", "Les jours"])
    hour = (await s.club()).club_hour_at
    await s.to(hour - timedelta(minutes=10))
    await s.stop_bot()
    s.tells.action("The bot is stopped.")
    await s.to(hour + timedelta(minutes=40))
    await s.start_bot()
    s.tells.action("The bot is started again.")
    await s.pass_time(timedelta(seconds=2))


async def _only_one(s: Season) -> None:
    s.tells.heading("Round 4: a single nomination")
    await s.briefly("club rate", RATED, Ada={"score": "4"}, Ben={"score": "4"}, Chloe={"score": "5"})
    await s.types("Ben", "club remind", reminders="off")
    await s.briefly("club nominate", NOMINATED, Ben={"album": "gravity", "note": "For once, no kettles."})
    await s.to_vote()
    await s.types("Ada", "club vote")
    await s.types("Ada", "club now")
    await s.to_club_hour()


async def _turns(s: Season) -> None:
    s.tells.heading("Round 5: from now on, members take turns, and two swap")
    await s.briefly("club rate", RATED, Nora={"score": "4"})
    panel = await s.types("Nora", "curate settings", most=3)
    opened = await s.selects("Nora", panel.response.message, "Nominations and voting", most=2)
    await s.fills("Nora", opened, "pick", "Members take turns to pick an album.", holds="from now on")
    s.tells.is_brief = False
    await s.pass_time(A_MOMENT)
    await s.briefly("club join", "You take turns", Ada={}, Ben={}, Chloe={})
    await s.types("Nora", "club join")
    await s.pass_time(A_MOMENT)
    s.tells.is_brief = True
    await s.types("Ada", "club pick", album="hiljaisuuden", note="For the dark afternoons.", holds=PICKED)
    await s.swaps("Ben", "Chloe")
    await s.pass_time(A_MOMENT)
    await s.presses("Chloe", s.direct_message("Chloe"), "Swap")
    await s.to_club_hour()


async def _absent(s: Season) -> None:
    s.tells.heading("Round 6: the picker is absent")
    await s.briefly("club rate", RATED, Ada={"score": "5"}, Ben={"score": "3.5"}, Nora={"score": "4"})
    await s.briefly("club pick", PICKED, Ben={"album": "lezioni"})
    await s.to_club_hour()


async def _passed(s: Season) -> None:
    s.tells.heading("Round 7: the picker passes")
    await s.briefly("club rate", RATED, Ada={"score": "3"}, Chloe={"score": "1", "review": "The cats can keep it."})
    await s.types("Nora", "club pass")
    await s.pass_time(A_MOMENT)
    await s.briefly("club pick", PICKED, Ada={"album": "zimowy"})
    await s.types("Ben", "crate add", album="kitchen radio", note="I will never dare to pick this.", holds="Added to")
    await s.briefly("crate add", "Added to", Chloe={"album": "mañana"})
    await s.to_club_hour()


async def _drawn(s: Season) -> None:
    s.tells.heading("Round 8: nobody picks")
    await s.briefly("club rate", RATED, Ben={"score": "4.5"}, Chloe={"score": "4"})
    await s.to_club_hour()


async def _end(s: Season) -> None:
    s.tells.heading("The end of the season")
    await s.briefly("club rate", RATED, Ada={"score": "2"}, Nora={"score": "4.5"})
    await s.types("Nora", "curate skip")
    await s.to_club_hour()
    await s.types("Nora", "curate pause")
    await s.types("Ben", "club now")
    await s.types("Ben", "club history", most=6)
    await s.types("Ben", "club standings", most=6)
    await s.types("Ada", "club catchup")
    found = await s.types("Chloe", "club catchup", most=1)
    await s.selects("Chloe", found.response.message, "Gravity", "Zimowy")
    await s.types("Nora", "curate log")


def _check(s: Season) -> None:
    """Every summary was posted once and at the club's hour, and nothing was posted twice."""
    summaries = [post for post in s.tells.posts if "what you thought of" in post.lines[0]]
    if [post.lines[0] for post in summaries] != [
        f"{CLUB}: what you thought of round {number}" for number in range(1, ROUNDS + 1)
    ]:
        raise StoryFailed(f"These are not the summaries of {ROUNDS} rounds: {summaries}")
    for post in summaries:
        there = post.at.astimezone(ZoneInfo(ZONE))
        is_late = any("This is late" in line for line in post.lines)
        if not is_late and (there.weekday(), there.hour, there.minute) != (1, 20, 0):
            raise StoryFailed(f"This was not posted on Tuesday at 20:00, but {there}: {post.lines}")
    texts = [post.lines for post in s.tells.posts]
    if twice := [lines for lines in texts if texts.count(lines) > 1]:
        raise StoryFailed(f"This was posted twice: {twice[0]}")
