"""When members' pending changes are tried again: a heap, so that a look at it costs the same for any number."""

from __future__ import annotations

import heapq

from msgspec import Struct

from bot.caller import MemberId

FIRST_S, QUICK_S, SLOW_S = 2.0, 20.0, 600.0
QUICK_FOR_S = 300.0


class Retry(Struct, frozen=True):
    """The next attempt for a member, in monotonic time. `first_at`: of the first failure; `delay_s`: since the last."""

    at: float
    first_at: float
    delay_s: float

    @classmethod
    def after(cls, before: Retry | None, now: float, not_before: float = 0.0) -> Retry:
        """The attempt after a failure: pauses double to 20 s, and after five minutes to 10 minutes."""
        first_at = now if before is None else before.first_at
        cap = QUICK_S if now - first_at < QUICK_FOR_S else SLOW_S
        delay_s = FIRST_S if before is None or not before.delay_s else min(before.delay_s * 2, cap)
        return cls(max(now + delay_s, not_before), first_at, delay_s)


class Retries:
    """One retry per member at most. What was replaced or removed stays in the heap until its turn, and is skipped."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, MemberId]] = []
        self._current: dict[MemberId, Retry] = {}

    def put(self, member: MemberId, retry: Retry) -> None:
        """Set a member's next attempt."""
        self._current[member] = retry
        heapq.heappush(self._heap, (retry.at, member))

    def pop(self, member: MemberId) -> Retry | None:
        """Remove a member's next attempt."""
        return self._current.pop(member, None)

    def get(self, member: MemberId) -> Retry | None:
        """A member's next attempt."""
        return self._current.get(member)

    def due(self, now: float) -> MemberId | None:
        """A member whose attempt is due, the longest overdue first. It stays until `pop`, and is given only once."""
        while self._heap and self._heap[0][0] <= now:
            at, member = heapq.heappop(self._heap)
            if (retry := self._current.get(member)) is not None and retry.at == at:
                return member
        return None

    def next_at(self) -> float:
        """When the next attempt is due; infinite when there is none."""
        while self._heap:
            at, member = self._heap[0]
            if (retry := self._current.get(member)) is not None and retry.at == at:
                return at
            heapq.heappop(self._heap)
        return float("inf")
