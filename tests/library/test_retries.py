"""When it is tried again: pauses that grow, one attempt per member, and a look that costs the same for any number."""

from __future__ import annotations

from bot.caller import MemberId
from bot.library.retries import Retries, Retry

ADA, BEN, CHLOE = MemberId(1), MemberId(2), MemberId(3)


def at(moment: float) -> Retry:
    return Retry(moment, 0.0, 2.0)


def test_pauses_double_to_20_s_and_after_five_minutes_to_10_minutes() -> None:
    retry, now, pauses = None, 0.0, []
    for _ in range(25):
        retry = Retry.after(retry, now)
        pauses.append(retry.at - now)
        now = retry.at
    assert pauses[:6] == [2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    slow = next(place for place, pause in enumerate(pauses) if pause > 20.0)
    assert pauses[slow : slow + 5] == [40.0, 80.0, 160.0, 320.0, 600.0]
    assert set(pauses[slow + 5 :]) <= {600.0}


def test_the_pauses_of_five_minutes_are_those_since_the_first_failure() -> None:
    first_at = 5000.0
    assert Retry.after(Retry(5299.0, first_at, 20.0), 5299.0).delay_s == 20.0
    assert Retry.after(Retry(5300.0, first_at, 20.0), 5300.0) == Retry(5340.0, first_at, 40.0)
    assert Retry.after(Retry(5000.0, first_at, 0.0), 5000.0).delay_s == 2.0  # a start is no failure


def test_a_time_that_is_known_is_waited_for() -> None:
    assert Retry.after(None, 100.0, 5000.0).at == 5000.0
    assert Retry.after(None, 100.0, 50.0).at == 102.0


def test_the_longest_overdue_comes_first_and_each_only_once() -> None:
    retries = Retries()
    for member, moment in ((ADA, 30.0), (BEN, 10.0), (CHLOE, 20.0)):
        retries.put(member, at(moment))
    assert retries.next_at() == 10.0
    assert [retries.due(25.0), retries.due(25.0), retries.due(25.0)] == [BEN, CHLOE, None]
    assert retries.next_at() == 30.0


def test_nothing_is_due_that_was_put_off_or_removed_and_nothing_where_nothing_is() -> None:
    retries = Retries()
    assert retries.due(1000.0) is None
    retries.put(ADA, at(10.0))
    retries.put(ADA, at(50.0))
    retries.put(BEN, at(10.0))
    retries.pop(BEN)
    assert retries.due(30.0) is None
    assert retries.due(50.0) == ADA


def test_an_attempt_that_was_replaced_or_removed_is_skipped() -> None:
    retries = Retries()
    retries.put(ADA, at(10.0))
    retries.put(ADA, at(50.0))
    retries.put(BEN, at(20.0))
    assert retries.next_at() == 20.0
    assert retries.pop(BEN) == at(20.0)
    assert retries.next_at() == 50.0
    assert retries.due(30.0) is None
    assert retries.next_at() == 50.0
    assert retries.due(50.0) == ADA
    assert retries.get(ADA) == at(50.0)
    retries.pop(ADA)
    assert retries.next_at() == float("inf")
