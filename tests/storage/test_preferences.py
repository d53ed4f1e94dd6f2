"""What members have chosen: nobody is named unless they said so."""

from __future__ import annotations

from bot.storage import Storage
from bot.storage.preferences import Preferences
from tests.storage.rows import ADA, BEN


async def test_who_has_chosen_nothing_is_not_named(storage: Storage) -> None:
    assert await storage.preferences.get(ADA) == Preferences(is_named=False, posts_collected=True)


async def test_each_choice_is_kept_beside_the_others_and_can_be_taken_back(storage: Storage) -> None:
    await storage.preferences.set_named(ADA, "Ada")
    await storage.preferences.set_posts_collected(ADA, False)
    assert await storage.preferences.get(ADA) == Preferences(is_named=True, posts_collected=False, shown_name="Ada")
    await storage.preferences.set_named(ADA, None)
    assert await storage.preferences.get(ADA) == Preferences(posts_collected=False)
    assert await storage.preferences.of([ADA, BEN]) == {
        ADA: Preferences(posts_collected=False),
        BEN: Preferences(),
    }


async def test_forgetting_a_member_forgets_what_they_chose(storage: Storage) -> None:
    await storage.preferences.set_named(ADA, "Ada")
    await storage.forget(ADA)
    assert await storage.preferences.get(ADA) == Preferences()
