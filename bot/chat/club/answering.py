"""How the club's commands answer: which club is meant, and why something is not done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from discord import app_commands
from msgspec import Struct, field

from bot.albums import Album, AlbumId
from bot.caller import Caller, GuildId, MemberId
from bot.chat.cards import Card, text_card
from bot.chat.club.names import Names, name_of
from bot.chat.components import CustomId
from bot.chat.parts import Part, button
from bot.chat.reply import Beside, Interaction, Reply, Visibility, caller_of
from bot.chat.words import Words, day, plain
from bot.clubs import AlbumClubs, NoSuchClub
from bot.curation.ballots import BallotProblem, Method
from bot.curation.club import Pick
from bot.curation.ids import ClubId
from bot.curation.refusals import Reason, Refused
from bot.errors import UserError
from bot.library.finder import AlbumFinder, NotFound
from bot.storage.clubs import StoredClub
from bot.storage.names import name_key

CURATING = timedelta(minutes=15)
"""How long the buttons of a curator's panel work after its command, as long as its message can be edited."""
NAMES_MOST = 10
"""How many clubs a question names."""

Make = Callable[[Words], Awaitable[Sequence[Card] | Beside]]


class NoClub(UserError):
    """The server has no club."""


class WhichClub(UserError):
    """The server has several clubs and none was named, or it has none of the name that was `typed`."""

    def __init__(self, names: Sequence[str], typed: str | None) -> None:
        super().__init__()
        self.names = names
        self.typed = typed


class NoAlbum(UserError):
    """A command that needs one album was given none, several, or something else."""

    def __init__(self, found: NotFound) -> None:
        super().__init__()
        self.found = found


class NotCurating(UserError):
    """Discord has not let this member use a curators' command lately."""


class Curators(Struct, frozen=True):
    """Whom Discord has let use a curators' command lately: only they may use the buttons of a panel.

    Discord decides who is a curator, by the server's settings, and says so with the command alone.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _until: dict[tuple[GuildId | None, MemberId], datetime] = field(default_factory=dict)

    def let_in(self, caller: Caller) -> None:
        """The member has used a curators' command."""
        now = self.now()
        for key in [key for key, until in self._until.items() if until < now]:
            del self._until[key]
        self._until[caller.guild_id, caller.member_id] = now + CURATING

    def check(self, caller: Caller) -> None:
        """NotCurating: the member has not used one lately."""
        if self._until.get((caller.guild_id, caller.member_id), self.now()) <= self.now():
            raise NotCurating
        self.let_in(caller)


def cancel_button(words: Words) -> Part:
    """Beside the button of a question: leave everything as it is."""
    return button(words.t("Cancel"), CustomId("club-cancel"))


class Answering(Struct, frozen=True):
    """What every part of the club needs to answer."""

    clubs: AlbumClubs
    names: Names
    finder: AlbumFinder
    reply: Reply
    curators: Curators
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def cancel(self, interaction: Interaction, caller: Caller) -> None:
        """The answer to Cancel."""

        async def make(words: Words) -> Sequence[Card]:
            return [text_card(words.t("Nothing was changed."))]

        await self(interaction, make, name="button club-cancel", edits=True)

    async def __call__(
        self,
        interaction: Interaction,
        make: Make,
        *,
        name: str,
        visibility: Visibility = Visibility.PRIVATE,
        edits: bool = False,
        album: str = "",
    ) -> None:
        """Answer with the cards that `make` makes in the member's language, or say why not."""
        caller = caller_of(interaction)
        words = self.reply.words(caller.locale)

        async def work() -> Sequence[Card] | Beside:
            self.reply.check_open()
            if interaction.guild_id is not None and interaction.channel_id is not None:
                await self._see_channel(interaction)
            try:
                return await make(words)
            except NoAlbum as error:
                return Beside([text_card(words.not_found(error.found))])
            except (NoClub, WhichClub, NoSuchClub, NotCurating) as error:
                return Beside([text_card(_unclear(words, error))])

        await self.reply(interaction, work(), name=name, visibility=visibility, edits=edits, album=album)

    async def _see_channel(self, interaction: Interaction) -> None:
        """Where the bot may post again, what waits goes out now and not within the hour."""
        assert interaction.guild_id is not None
        assert interaction.channel_id is not None
        clubs = await self.clubs.of_guild(GuildId(interaction.guild_id))
        blocked = any(club.is_blocked and club.channel_id == interaction.channel_id for club in clubs)
        if blocked and interaction.app_permissions.send_messages and interaction.app_permissions.view_channel:
            await self.clubs.channels.can_post(interaction.channel_id)

    async def club(self, interaction: Interaction, named: str | None) -> StoredClub:
        """The club that is meant. NoClub, WhichClub."""
        guild_id = interaction.guild_id
        clubs = [] if guild_id is None else await self.clubs.of_guild(GuildId(guild_id))
        if not clubs:
            raise NoClub
        if named:
            found = [one for one in clubs if named == str(one.id) or name_key(named) == name_key(one.name)]
        else:
            here = {interaction.channel_id, getattr(interaction.channel, "parent_id", None)}  # the latter of a thread
            found = clubs if len(clubs) == 1 else [one for one in clubs if one.channel_id in here]
        if len(found) != 1:
            raise WhichClub([one.name for one in clubs], named if not found else None)
        return found[0]

    async def album(self, member: MemberId, text: str) -> Album:
        """The album that a member named. NoAlbum."""
        found = await self.finder.find(member, text)
        if isinstance(found, NotFound):
            raise NoAlbum(found)
        return found

    async def own_club(self, caller: Caller, club_id: ClubId) -> StoredClub:
        """The club of a button. NoSuchClub: it is none of this server's."""
        stored = await self.clubs.get(club_id)
        if stored.guild_id != caller.guild_id:
            raise NoSuchClub
        return stored

    async def suggest_clubs(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """The server's clubs while somebody types."""
        if interaction.guild_id is None:
            return []
        clubs = await self.clubs.of_guild(GuildId(interaction.guild_id))
        fitting = [one for one in clubs if typed.casefold() in one.name.casefold()]
        return [app_commands.Choice(name=one.name[:100], value=str(one.id)) for one in fitting[:25]]

    async def refused(self, words: Words, refused: Refused, club: StoredClub, album: AlbumId | None = None) -> Card:
        """Why something is not done."""
        ids = [refused.past.album_id if refused.past else None, album]
        albums = await self.names.of(ids)
        shown = name_of(words, albums, album) if album is not None else ""
        return text_card(sentence(words, refused, club, shown))


def _unclear(words: Words, error: UserError) -> str:
    t = words.t
    match error:
        case NoClub():
            return t(
                "This server has no album club yet. A curator starts one with {command}.",
                command=words.command_of_others("curate new"),
            )
        case WhichClub():
            names = t.list([plain(name, 60) for name in error.names], NAMES_MOST)
            if error.typed:
                return t(
                    "There is no club “{typed}” here. The clubs of this server: {names}.",
                    typed=plain(error.typed, 60),
                    names=names,
                )
            return t("This server has several clubs: {names}. Name the one that you mean in “club”.", names=names)
        case NotCurating():
            return t("These buttons have expired. Use the command again.")
    return t("This club no longer exists.")


def sentence(words: Words, refused: Refused, stored: StoredClub, album: str) -> str:
    """A refusal, with a way on. `album`: the name of the album that it is about."""
    t, settings, reason = words.t, stored.club.settings, refused.reason
    match reason:
        case Reason.PAUSED:
            resume = words.command_of_others("curate resume")
            return t("The club is paused. A curator can go on with {command}.", command=resume)
        case Reason.CHANGED_MEANWHILE:
            return t(
                "The club has moved on in the meantime, so nothing was changed. Look at {command}.",
                command=words.command("club now"),
            )
        case Reason.ALREADY:
            return t("That is already so. Nothing was changed.")
        case Reason.NOT_NOMINATING:
            return t("Nominations are closed. The next round opens {when}.", when=_when(stored))
        case Reason.NOT_BY_VOTE if stored.club.coming.pick is Pick.TURNS:
            return t(
                "This club takes turns. Pick an album for your turn with {command}.", command=words.command("club pick")
            )
        case Reason.NOT_BY_VOTE:
            return t(
                "The album of this round is drawn from the crate, so there are no nominations. Add albums with {command}.",
                command=words.command("crate add"),
            )
        case Reason.NOT_BY_TURNS if settings.pick is Pick.CRATE:
            return t(
                "Nobody takes turns in this club. Its albums are drawn from the crate: add one with {command}.",
                command=words.command("crate add"),
            )
        case Reason.NOT_BY_TURNS:
            return t(
                "Nobody takes turns in this club. Nominate an album with {command}.",
                command=words.command("club nominate"),
            )
        case Reason.ALREADY_NOMINATED:
            return t("{album} is already nominated for this round. Nominate another album.", album=album)
        case Reason.ALREADY_PICKED if refused.past is not None and refused.past.imported_at is not None:
            return t(
                "The club had {album} on {day}. Choose another album.", album=album, day=day(refused.past.imported_at)
            )
        case Reason.ALREADY_PICKED if refused.past is not None:
            return t(
                "The club had {album} in round {number}. Choose another album.",
                album=album,
                number=t.number(refused.past.number),
            )
        case Reason.VETOED:
            return t("A curator keeps {album} out of this club. Choose another album.", album=album)
        case Reason.PAST_WINNER if refused.past is not None and refused.again_in is not None:
            return t(
                "Your album was chosen in round {number}. You can nominate again in round {again}.",
                number=t.number(refused.past.number),
                again=t.number(refused.again_in),
            )
        case Reason.RELEASED_TOO_EARLY if settings.released_from is not None:
            return t(
                "This club chooses albums from {year} on. {album} is older.",
                year=str(settings.released_from),
                album=album,
            )
        case Reason.RELEASED_TOO_LATE if settings.released_until is not None:
            return t(
                "This club chooses albums up to {year}. {album} is newer.",
                year=str(settings.released_until),
                album=album,
            )
        case Reason.LIST_FULL:
            return t("25 albums are nominated, and a ballot can hold no more.")
        case Reason.NOT_YOURS:
            return t("You have not nominated {album}.", album=album)
        case Reason.NOT_VOTING:
            return t("There is no vote now. Look at {command}.", command=words.command("club now"))
        case Reason.BAD_BALLOT:
            return _bad_ballot(words, refused.ballot, stored)
        case Reason.OWN_FIRST if stored.club.coming.method is Method.APPROVAL:
            return t("In this club nobody votes only for their own nomination. Choose another album, too.")
        case Reason.OWN_FIRST:
            return t("In this club nobody votes first for their own nomination. Put another album first.")
        case Reason.NOT_RATING:
            return t("This album cannot be rated now: ratings are open from its announcement to its summary.")
        case Reason.NOT_IN_ORDER:
            return t("You don't take turns in this club. Join with {command}.", command=words.command("club join"))
        case Reason.NOT_BOTH_IN_ORDER:
            return t(
                "Two members can swap places only if both take turns in this club. Members join with {command}.",
                command=words.command("club join"),
            )
        case Reason.ALREADY_IN_ORDER:
            return t("You take turns in this club already.")
        case Reason.NOBODY_ELSE:
            return t("There is nobody else to take this turn.")
    return t("That did not work. Try again in a minute.")


def _bad_ballot(words: Words, problem: BallotProblem | None, stored: StoredClub) -> str:
    t = words.t
    match problem:
        case BallotProblem.REPEATED:
            return t("You chose an album twice. Choose another one for each rank, or leave a rank empty.")
        case BallotProblem.TOO_MANY:
            most = (stored.club.coming.method or Method.RANKED_CHOICE).max_choices
            return t.plural("A ballot holds {count} album.", "A ballot holds up to {count} albums.", most)
        case BallotProblem.NOT_NOMINATED:
            return t("One of these albums is no longer nominated. Open the ballot again.")
    return t("You chose no album, so no vote was counted. Open the ballot again.")


def _when(stored: StoredClub) -> str:
    return f"<t:{int(stored.club.club_hour_at.timestamp())}:R>"
