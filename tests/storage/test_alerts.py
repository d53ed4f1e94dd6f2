"""What the host was told, and when."""

from __future__ import annotations

import pytest

from bot.storage import Storage
from bot.storage.alerts import Told
from tests.storage.rows import at


@pytest.mark.parametrize("told", [Told(), Told(at()), Told(told_at=at(5)), Told(at(), at(5))])
async def test_what_the_host_was_told_is_kept_by_its_cause(told: Told, storage: Storage) -> None:
    assert await storage.alerts.all() == {}
    await storage.alerts.put("disk", Told(at(1), at(2)))
    await storage.alerts.put("spotify", Told(at(3), at(4)))
    await storage.alerts.put("disk", told)
    assert await storage.alerts.all() == {"disk": told, "spotify": Told(at(3), at(4))}
