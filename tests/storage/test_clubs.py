"""Clubs, ballots and ratings on the disk."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.caller import GuildId, MemberId
from bot.curation.club import ClubSettings, Effect, Nomination, Pick, Step
from bot.curation.ids import ClubId, RoleId, RoundNumber
from bot.curation.ratings import Scale, Score
from bot.curation.refusals import PastRound
from bot.storage import Storage
from bot.storage.club_imports import FILE_KEPT
from bot.storage.clubs import LogEntry, Post, origin_of
from bot.storage.engine import Connection
from bot.storage.ratings import Rating
from bot.storage.vault import Unopenable
from tests.storage.clubs import BEGIN, CHANNEL, GUILD, ONE, add, new_club, of_member
from tests.storage.rows import ADA, BEN, X, Y, Z, at, execute, on_disk, rows

SETTINGS = ClubSettings(
    pick=Pick.TURNS, scale=Scale.TEN, sealed=True, released_from=1970, ping_role_id=RoleId(7), event=True
)


async def test_a_club_comes_back_as_it_was_stored(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA, BEN, settings=SETTINGS)
    stored = await add(storage, club, ADA)
    assert await storage.clubs.get(club.id) == stored
    assert await storage.clubs.of_guild(GUILD) == [stored]
    assert await storage.clubs.of_guild(GuildId(1)) == []


async def test_a_club_is_found_as_what_it_has_become_and_others_stay_as_they_were(storage: Storage) -> None:
    stored, other = await add(storage, new_club(ClubId(1), ADA), ADA), await add(storage, new_club(ClubId(2)), BEN)
    paused = replace(stored.club, paused_at=BEGIN)
    await storage.database.write(lambda c: storage.clubs.put_in(c, paused))
    await storage.database.write(lambda c: storage.clubs.move_in(c, stored.id, CHANNEL + 1))
    assert await storage.clubs.get(stored.id) == replace(stored, club=paused, channel_id=CHANNEL + 1)
    assert await storage.clubs.get(other.id) == other
    assert await storage.clubs.get(ClubId(3)) is None


async def test_an_id_is_never_that_of_another_club_and_a_server_counts_once_among_those_with_clubs(
    storage: Storage,
) -> None:
    ids = []
    for guild_id in (GUILD, GUILD, GuildId(1)):
        ids.append(await storage.database.read(storage.clubs.next_id_in))
        await add(storage, new_club(ids[-1]), ADA, guild_id=guild_id)
    assert ids == [1, 2, 3]
    assert [club.id for club in await storage.clubs.of_guild(GUILD)] == [1, 2]
    assert await storage.database.read(storage.clubs.guilds_in) == {GUILD, GuildId(1)}


async def test_a_blocked_channel_is_noted_once_until_it_takes_messages_again(storage: Storage) -> None:
    club_id = (await add(storage, new_club(ClubId(1)), ADA)).id

    async def is_blocked() -> bool:
        found = await storage.clubs.get(club_id)
        assert found is not None
        return found.is_blocked

    assert not await is_blocked()
    for is_news in (True, False):
        assert await storage.database.write(lambda c: storage.clubs.block_in(c, club_id, BEGIN)) is is_news
        assert await is_blocked()
    await storage.database.write(lambda c: storage.clubs.unblock_in(c, club_id))
    assert not await is_blocked()
    assert await storage.database.write(lambda c: storage.clubs.block_in(c, club_id, BEGIN))


async def test_a_club_that_an_older_version_stored_takes_the_defaults_of_new_settings(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA)
    await add(storage, club, ADA)
    await execute(storage, "UPDATE clubs SET state = json_remove(state, '$.settings.event', '$.told')")
    found = await storage.clubs.get(club.id)
    assert found is not None
    assert found.club == club


# -- rounds


async def test_a_round_is_found_whether_it_comes_or_is_listened_to_or_is_over(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA)
    two, three = RoundNumber(2), RoundNumber(3)
    listening, coming = replace(club.coming, number=two, album_id=Y), replace(club.coming, number=three)
    club = replace(club, listening=listening, coming=coming)
    await add(storage, club, ADA)
    over = replace(coming, number=ONE, album_id=X)
    await storage.database.write(lambda c: storage.clubs.close_in(c, club.id, over))
    for number, found in ((ONE, over), (two, listening), (three, coming), (RoundNumber(4), None)):
        assert await storage.database.read(lambda c, n=number: storage.clubs.round_in(c, club, n)) == found
    between = replace(club, listening=None)
    assert await storage.database.read(lambda c: storage.clubs.round_in(c, between, ONE)) == over


async def test_rounds_that_are_over_are_in_the_order_of_time_and_only_those_with_an_album_count_as_past(
    storage: Storage,
) -> None:
    club = new_club(ClubId(1), ADA)
    await add(storage, club, ADA)
    for number, days, album in ((-1, 0, X), (3, 2, None), (0, -9, Y), (2, 0, Z)):
        opened_at = BEGIN + timedelta(days=days)
        round_ = replace(
            club.coming, number=RoundNumber(number), opened_at=opened_at, album_id=album, imported_at=opened_at
        )
        await storage.database.write(lambda c, round_=round_: storage.clubs.close_in(c, club.id, round_))
    over = await storage.database.read(lambda c: storage.clubs.over_in(c, club.id))
    assert [one.number for one in over] == [0, -1, 2, 3]
    past = await storage.database.read(lambda c: storage.clubs.past_in(c, club.id))
    assert past == [
        PastRound(RoundNumber(0), Y, None, BEGIN - timedelta(days=9)),
        PastRound(RoundNumber(-1), X, None, BEGIN),
        PastRound(RoundNumber(2), Z, None, BEGIN),
    ]


async def test_each_club_has_ballots_themes_and_reminders_of_its_own(storage: Storage) -> None:
    ballots = {ClubId(1): (X,), ClubId(2): (Y,)}
    for club_id in ballots:
        await add(storage, new_club(club_id, ADA), ADA)
        await storage.clubs.remind(club_id, ADA, "de", is_on=True)

    def write(c: Connection) -> None:
        for club_id, ballot in ballots.items():
            storage.ballots.cast_in(c, club_id, ONE, ADA, ballot)
            storage.clubs.set_theme_in(c, club_id, ONE, f"theme of {club_id}")
        for club_id, ballot in ballots.items():
            assert storage.ballots.of_member_in(c, club_id, ONE, ADA) == ballot
            assert storage.clubs.themes_in(c, club_id) == {ONE: f"theme of {club_id}"}
        storage.ballots.cast_in(c, ClubId(1), RoundNumber(2), BEN, (Z,))
        assert storage.ballots.voters_in(c, ClubId(1), ONE) == {ADA}
        for club_id in ballots:
            storage.ballots.forget_voters_in(c, club_id, ONE)
        for club_id, ballot in ballots.items():
            assert storage.ballots.counted_of_club_in(c, club_id) == {ONE: (ballot,)}
        assert storage.ballots.of_member_in(c, ClubId(1), RoundNumber(2), BEN) == (Z,)
        storage.clubs.set_theme_in(c, ClubId(2), ONE, "")
        assert storage.clubs.themes_in(c, ClubId(1)) == {ONE: "theme of 1"}

    await storage.database.write(write)
    await storage.clubs.remind(ClubId(2), ADA, None, is_on=False)
    reminded = await storage.database.read(lambda c: [storage.clubs.reminded_in(c, club_id) for club_id in ballots])
    assert reminded == [[(ADA, "de")], []]


# -- posts


async def test_a_post_is_known_from_when_it_is_expected_with_its_message_and_its_thread(storage: Storage) -> None:
    club_id = (await add(storage, new_club(ClubId(1)), ADA)).id

    async def posts(number: RoundNumber = ONE) -> list[Post]:
        return await storage.database.read(lambda c: storage.clubs.posts_in(c, club_id, number))

    call, vote = (Effect(club_id, ONE, step, BEGIN) for step in (Step.CALL, Step.VOTE))
    for effect in (call, vote):
        await storage.database.write(lambda c, effect=effect: storage.clubs.expect_post_in(c, effect, CHANNEL))
    expected = [Post(one.key, club_id, ONE, one.step.value, CHANNEL, None, None) for one in (call, vote)]
    assert sorted(await posts(), key=lambda post: post.step) == expected
    posted = await storage.database.write(lambda c: storage.clubs.posted_in(c, call.key, 71))
    assert posted == replace(expected[0], message_id=71)
    await storage.database.write(lambda c: storage.clubs.opened_thread_in(c, call.key, 72))
    post = await storage.database.read(lambda c: storage.clubs.post_of_thread_in(c, 72))
    assert post == replace(expected[0], message_id=71, thread_id=72)
    assert await storage.database.read(lambda c: storage.clubs.post_in(c, vote.key)) == expected[1]
    assert await storage.database.read(lambda c: storage.clubs.post_of_thread_in(c, 71)) is None
    assert await storage.database.write(lambda c: storage.clubs.posted_in(c, "of no club", 73)) is None
    assert await posts(RoundNumber(2)) == []


# -- ballots and ratings


async def test_the_file_does_not_show_who_voted_for_what(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    assert (await rows(storage, "ballots"))[0]["member_id"] == ADA
    folder = storage.database.path.parent
    assert X.encode() in on_disk(folder)  # it was nominated
    assert Y.encode() not in on_disk(folder)  # it is on the ballot alone
    cast = await storage.database.read(lambda c: storage.ballots.of_member_in(c, stored.id, ONE, ADA))
    assert cast == (X, Y)


@pytest.mark.parametrize("moved", ["number = 2", f"member_id = {BEN}", "club_id = 2"])
async def test_a_ballot_that_was_copied_to_another_round_member_or_club_does_not_open(
    storage: Storage, moved: str
) -> None:
    stored = await of_member(storage, ADA)
    await add(storage, new_club(ClubId(2)), ADA)
    await execute(storage, f"UPDATE ballots SET {moved}")
    (row,) = await rows(storage, "ballots")
    with pytest.raises(Unopenable):
        await storage.database.read(lambda c: storage.ballots.open_in(c, row["club_id"], row["number"]))
    assert stored.id == 1


async def test_a_second_ballot_replaces_the_first(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    voters = await storage.database.write(lambda c: storage.ballots.cast_in(c, stored.id, ONE, ADA, (Z,)))
    assert voters == 1
    assert await storage.database.read(lambda c: storage.ballots.open_in(c, stored.id, ONE)) == ((Z,),)


async def test_a_counted_vote_keeps_the_ballots_and_forgets_who_voted(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    for member, ballot in ((BEN, (Z,)), (MemberId(7), (X, Z))):
        await storage.database.write(lambda c, m=member, b=ballot: storage.ballots.cast_in(c, stored.id, ONE, m, b))
    await storage.database.write(lambda c: storage.ballots.forget_voters_in(c, stored.id, ONE))
    assert await rows(storage, "ballots") == []
    counted = await storage.database.read(lambda c: storage.ballots.counted_in(c, stored.id, ONE))
    assert counted == ((X, Y), (X, Z), (Z,))  # sorted, so that the order tells nothing
    assert await storage.database.read(lambda c: storage.ballots.number_in(c, stored.id, ONE)) == 3
    assert "member_id" not in (await rows(storage, "counted_ballots"))[0]


async def test_who_has_voted_and_what_is_known_while_a_vote_is_open_for_each_round(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    two = RoundNumber(2)
    await storage.database.write(lambda c: storage.ballots.cast_in(c, stored.id, two, BEN, (Z,)))
    for number, voters in ((ONE, {ADA}), (two, {BEN}), (RoundNumber(3), set())):
        assert await storage.database.read(lambda c, n=number: storage.ballots.voters_in(c, stored.id, n)) == voters
    for member, cast in ((ADA, (X, Y)), (BEN, None)):
        found = await storage.database.read(lambda c, m=member: storage.ballots.of_member_in(c, stored.id, ONE, m))
        assert found == cast
    await storage.database.write(lambda c: storage.ballots.forget_voters_in(c, stored.id, ONE))
    assert await storage.database.read(lambda c: storage.ballots.voters_in(c, stored.id, two)) == {BEN}


async def test_the_ballots_of_all_counted_votes_of_a_club_are_known_by_round(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    other = await add(storage, new_club(ClubId(2)), ADA)
    two = RoundNumber(2)
    for club_id, number, member, ballot in (
        (stored.id, two, ADA, (Z,)),
        (stored.id, ONE, BEN, (Y, Z)),
        (other.id, ONE, ADA, (X,)),
    ):
        await storage.database.write(
            lambda c, v=(club_id, number, member, ballot): storage.ballots.cast_in(c, *v)  # type: ignore[misc]
        )
    for club_id, number in ((stored.id, two), (stored.id, ONE), (other.id, ONE)):
        await storage.database.write(lambda c, v=(club_id, number): storage.ballots.forget_voters_in(c, *v))  # type: ignore[misc]
    counted = await storage.database.read(lambda c: storage.ballots.counted_of_club_in(c, stored.id))
    assert [*counted.items()] == [(ONE, ((X, Y), (Y, Z))), (two, ((Z,),))]


async def test_a_second_rating_replaces_the_first_and_stands_where_that_stood(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    two = RoundNumber(2)

    def rating(number: RoundNumber, member: MemberId, steps: int, *, is_named: bool = False) -> Rating:
        return Rating(number, member, Score(Scale.TEN, steps), "a review", is_named=is_named)

    of_ben, of_ada, later = rating(ONE, BEN, 7), rating(ONE, ADA, 3), rating(two, ADA, 9, is_named=True)
    for one in (later, of_ben, of_ada):
        await storage.database.write(lambda c, one=one: storage.ratings.put_in(c, stored.id, one, BEGIN))
    assert await storage.database.read(lambda c: storage.ratings.of_round_in(c, stored.id, ONE)) == [of_ada, of_ben]
    assert await storage.database.read(lambda c: storage.ratings.of_club_in(c, stored.id)) == [of_ada, of_ben, later]
    for member, found in ((BEN, of_ben), (MemberId(7), None)):
        assert (
            await storage.database.read(lambda c, m=member: storage.ratings.of_member_in(c, stored.id, ONE, m)) == found
        )


# -- what members can take with them, and what goes


async def test_an_export_says_what_of_a_club_is_the_members_and_that_is_forgotten(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA)
    of_ben = Nomination(Y, BEN, "his note", BEGIN)
    club = replace(
        club,
        listening=replace(club.coming, number=RoundNumber(2), nominations=(), chosen_by=BEN),
        coming=replace(club.coming, number=RoundNumber(3), nominations=(*club.coming.nominations, of_ben)),
    )
    await add(storage, club, MemberId(7))
    over = replace(club.coming, number=ONE, chosen_by=ADA)
    await storage.database.write(lambda c: storage.clubs.close_in(c, club.id, over))

    def about(number: int, *nominated: tuple[str, str], was_theirs: bool = False) -> dict[str, Any]:
        albums = [{"album": album, "note": note} for album, note in nominated]
        return {"round": number, "nominated": albums, "album_was_theirs": was_theirs}

    of_ada = (X, "a note")
    assert await storage.export(ADA) == {
        "clubs": [
            {
                "club_id": "1",
                "takes_turns": True,
                "picked": {"album": X, "note": "a note"},
                "rounds": [about(3, of_ada), about(2)],
            }
        ],
        "club_rounds": [{"club_id": "1", **about(1, of_ada, was_theirs=True)}],
    }
    [of_club] = (await storage.export(BEN))["clubs"]
    assert of_club == {
        "club_id": "1",
        "takes_turns": False,
        "picked": None,
        "rounds": [about(3, (Y, "his note")), about(2, was_theirs=True)],
    }
    assert await storage.forget(BEN) == {"clubs": 1, "club_rounds": 1}


async def test_the_scores_of_a_forgotten_member_stay_without_name_and_review(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    await storage.forget(ADA)
    (rating,) = await storage.database.read(lambda c: storage.ratings.of_round_in(c, stored.id, ONE))
    assert (rating.member_id, rating.score.steps, rating.review) == (None, 8, "")
    (over,) = await storage.database.read(lambda c: storage.clubs.over_in(c, stored.id))
    assert (over.album_id, over.chosen_by) == (X, None)


async def test_everything_of_a_club_goes_with_its_server(storage: Storage) -> None:
    await of_member(storage, ADA)
    await storage.guilds.joined(GUILD)
    await storage.guilds.removed(GUILD, at())
    await storage.sweep(at() + timedelta(days=31))
    for table in ("clubs", "club_rounds", "ballots", "ratings", "club_reminders", "curator_log"):
        assert await rows(storage, table) == [], table


async def test_saves_are_counted_for_each_round_and_only_of_clubs_that_exist(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    for club_id in (stored.id, stored.id, ClubId(99)):
        origin = origin_of(club_id, ONE)
        await storage.database.write(lambda c, origin=origin: storage.clubs.count_save_in(c, origin))
    saves = [
        await storage.database.read(lambda c, n=n: storage.clubs.saves_in(c, stored.id, n))
        for n in (ONE, RoundNumber(2))
    ]
    assert saves == [2, 0]


async def test_a_theme_is_replaced_and_taken_away(storage: Storage) -> None:
    club_id = (await add(storage, new_club(ClubId(1)), ADA)).id
    two = RoundNumber(2)
    for number, theme in ((two, "Blue"), (ONE, "Debuts"), (two, "Rain"), (ONE, "")):
        await storage.database.write(lambda c, v=(number, theme): storage.clubs.set_theme_in(c, club_id, *v))
        if theme == "Blue":
            assert await storage.database.read(lambda c: storage.clubs.themes_in(c, club_id)) == {two: "Blue"}
    assert await storage.database.read(lambda c: storage.clubs.themes_in(c, club_id)) == {two: "Rain"}


async def test_reminders_are_for_those_who_turned_them_on_in_the_language_of_the_last_time(storage: Storage) -> None:
    club_id = (await add(storage, new_club(ClubId(1)), ADA)).id
    await storage.clubs.remind(club_id, BEN, None, is_on=True)
    for locale in ("de", "ja"):
        await storage.clubs.remind(club_id, ADA, locale, is_on=True)
    reminded = await storage.database.read(lambda c: storage.clubs.reminded_in(c, club_id))
    assert reminded == [(ADA, "ja"), (BEN, None)]
    await storage.clubs.remind(club_id, BEN, None, is_on=False)
    assert await storage.database.read(lambda c: storage.clubs.reminded_in(c, club_id)) == [(ADA, "ja")]


async def test_the_log_tells_what_curators_did_lately_the_latest_first(storage: Storage) -> None:
    for club_id in (ClubId(1), ClubId(2)):
        await add(storage, new_club(club_id), ADA)
    one, other = ClubId(1), ClubId(2)
    for minutes, did in enumerate(((one, ADA, "paused"), (one, BEN, "resumed"), (other, ADA, "skipped"))):
        facts, did_at = {"minutes": minutes}, BEGIN + timedelta(minutes=minutes)
        await storage.database.write(lambda c, v=(*did, facts, did_at): storage.clubs.log_in(c, *v))  # type: ignore[misc]
    resumed = LogEntry(BEN, "resumed", {"minutes": 1}, BEGIN + timedelta(minutes=1))
    assert await storage.clubs.log(one, 9) == [resumed, LogEntry(ADA, "paused", {"minutes": 0}, BEGIN)]
    assert await storage.clubs.log(one, 1) == [resumed]


async def test_the_last_heartbeat_is_known(storage: Storage) -> None:
    assert await storage.clubs.last_beat() is None
    for moment in (BEGIN, BEGIN + timedelta(minutes=1)):
        await storage.database.write(lambda c, moment=moment: storage.clubs.beat_in(c, moment))
    assert await storage.clubs.last_beat() == BEGIN + timedelta(minutes=1)


async def test_a_day_after_an_import_its_file_its_names_and_its_albums_are_deleted(storage: Storage) -> None:
    await of_member(storage, ADA)
    ended_at = int(BEGIN.timestamp())
    await execute(storage, "UPDATE club_imports SET state = 'done', ended_at = ?", ended_at)
    [row] = await rows(storage, "club_imports")
    await execute(storage, "INSERT INTO club_import_rows (import_id, line, album_id) VALUES (?, 1, ?)", row["id"], X)
    await storage.sweep(BEGIN + FILE_KEPT)
    assert [(row["file"], row["people"]) for row in await rows(storage, "club_imports")] == [
        (b"date", json.dumps({"ann": ADA}))
    ]
    assert len(await rows(storage, "club_import_rows")) == 1
    await storage.sweep(BEGIN + FILE_KEPT + timedelta(seconds=1))
    assert [(row["file"], row["people"]) for row in await rows(storage, "club_imports")] == [(None, "{}")]
    assert await rows(storage, "club_import_rows") == []


async def test_a_file_that_nobody_imports_is_deleted_after_a_day(storage: Storage) -> None:
    await of_member(storage, ADA)
    await execute(storage, "UPDATE club_imports SET state = 'asked', begun_at = NULL")
    await storage.sweep(BEGIN + FILE_KEPT)
    assert len(await rows(storage, "club_imports")) == 1
    await storage.sweep(BEGIN + FILE_KEPT + timedelta(seconds=1))
    assert await rows(storage, "club_imports") == []
