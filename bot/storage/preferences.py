"""What members have chosen: to be named on public pages, and to have their posts left out."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from bot.caller import MemberId
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine


class Preferences(Struct, frozen=True):
    """The defaults hold for everybody who has chosen nothing.

    `is_named`: public pages call them `shown_name`, where others are "a member". `posts_collected`: albums that they post
    in watched channels go into the crate.
    """

    is_named: bool = False
    posts_collected: bool = True
    shown_name: str | None = None


class MemberPreferences:
    """One row per member who has chosen something."""

    declares = Declaration(
        tables=("member_preferences",),
        member_rows=(
            MemberRows(
                "member_preferences",
                exports=("member_id", "is_named", "shown_name", "posts_collected"),
            ),
        ),
    )

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def get(self, member_id: MemberId) -> Preferences:
        """What a member has chosen."""
        return (await self.of([member_id]))[member_id]

    async def of(self, member_ids: Iterable[MemberId]) -> dict[MemberId, Preferences]:
        """What each of these members has chosen."""
        ids = [*member_ids]
        return await self._database.read(lambda c: preferences_of(c, ids))

    async def set_named(self, member_id: MemberId, name: str | None) -> None:
        """Name this member so on public pages; None: do not name them."""
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO member_preferences (member_id, is_named, shown_name) VALUES (?, ?, ?)"
                " ON CONFLICT (member_id) DO UPDATE SET is_named = excluded.is_named, shown_name = excluded.shown_name",
                (member_id, int(name is not None), name),
            )
        )

    async def set_posts_collected(self, member_id: MemberId, chosen: bool) -> None:
        """Collect albums that this member posts in watched channels, or not."""
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO member_preferences (member_id, posts_collected) VALUES (?, ?)"
                " ON CONFLICT (member_id) DO UPDATE SET posts_collected = excluded.posts_collected",
                (member_id, int(chosen)),
            )
        )


def preferences_of(c: Connection, member_ids: Iterable[MemberId]) -> dict[MemberId, Preferences]:
    """What each of these members has chosen, for jobs that read other rows along."""
    found = {member_id: Preferences() for member_id in member_ids}
    for member_id in found:
        row = c.execute("SELECT * FROM member_preferences WHERE member_id = ?", (member_id,)).fetchone()
        if row is not None:
            found[member_id] = Preferences(bool(row["is_named"]), bool(row["posts_collected"]), row["shown_name"])
    return found
