"""Clubs for the tests of the storage."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId, RequestId
from bot.curation.calendar import Calendar
from bot.curation.club import Club, ClubSettings, Nomination, State
from bot.curation.curators import start
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Scale, Score
from bot.storage import Storage
from bot.storage.club_imports import ClubImport, ImportState
from bot.storage.clubs import StoredClub
from bot.storage.ratings import Rating
from tests.storage.rows import X, Y

BEGIN = datetime(2026, 1, 8, 12, tzinfo=UTC)
GUILD, CHANNEL = GuildId(500_000_000_000_000_001), 600_000_000_000_000_001
ONE = RoundNumber(1)


def new_club(id_: ClubId, *members: MemberId, settings: ClubSettings | None = None) -> Club:
    """A club with one nomination and one pick of each member, who take turns."""
    calendar = Calendar(date(2026, 1, 6), time(20), "Europe/Berlin")
    club = start(id_, settings or ClubSettings(), calendar, BEGIN, members).club
    chosen = tuple(Nomination(X, member, "a note", BEGIN) for member in members)
    return replace(club, coming=replace(club.coming, nominations=chosen), picks=chosen)


async def add(storage: Storage, club: Club, started_by: MemberId, *, guild_id: GuildId = GUILD) -> StoredClub:
    """Store a club."""
    stored = StoredClub(club.id, guild_id, CHANNEL, "The Club", started_by, "en-US", is_blocked=False, club=club)
    await storage.database.write(lambda c: storage.clubs.add_in(c, stored, BEGIN))
    return stored


async def of_member(storage: Storage, member: MemberId) -> StoredClub:
    """A club with rows of this member in every table."""
    id_ = await storage.database.read(storage.clubs.next_id_in)
    stored = await add(storage, new_club(id_, member), member)
    over = replace(stored.club.coming, state=State.ENDED, album_id=X, chosen_by=member)
    ballots: list[AlbumId] = [X, Y]
    rating = Rating(ONE, member, Score(Scale.HALVES, 8), "good", is_named=True)
    await storage.database.write(lambda c: storage.clubs.close_in(c, id_, over))
    await storage.database.write(lambda c: storage.ballots.cast_in(c, id_, ONE, member, tuple(ballots)))
    await storage.database.write(lambda c: storage.ratings.put_in(c, id_, rating, BEGIN))
    await storage.database.write(lambda c: storage.clubs.log_in(c, id_, member, "paused", {}, BEGIN))
    await storage.clubs.remind(id_, member, "de", is_on=True)
    import_id = RequestId(int(member) * 7)
    people = {"ann": member}
    await storage.club_imports.ask(
        ClubImport(
            import_id, id_, member, None, "a.csv", b"date", None, people, ImportState.ASKED, BEGIN, None, None, 0
        )
    )
    await storage.database.write(lambda c: storage.club_imports.begin_in(c, import_id, member, "outbox-token", BEGIN))
    return stored
