"""Notices: an error that is told later is the same one when it is drawn, also after a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot import errors
from bot.chat.notices import error_of, facts_of
from bot.errors import LinkDeclined, NeedsRelink, TryLater, UserError

UNTIL = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
MADE: dict[type[UserError], UserError] = {
    TryLater: TryLater(TryLater.Cause.QUOTA, UNTIL),
    NeedsRelink: NeedsRelink(NeedsRelink.Reason.SCOPE),
    LinkDeclined: LinkDeclined("discord"),
    errors.InternalError: errors.InternalError("a1b2c3"),
    errors.RedirectMissing: errors.RedirectMissing("https://bot.example/callback/spotify"),
    errors.Refused: errors.Refused(403, "Forbidden"),
    errors.BadRequest: errors.BadRequest(400, "Invalid"),
}
# It answers what somebody typed, at once.
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UserError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("is_own_app", [False, True])
def test_an_error_is_the_same_after_it_was_stored(kind: type[UserError], is_own_app: bool) -> None:
    error = MADE.get(kind) or kind()
    error.is_own_app = is_own_app
    again = error_of(json.loads(json.dumps(facts_of(error))))
    assert type(again) is kind
    assert {**vars(again), "is_own_app": again.is_own_app} == {**vars(error), "is_own_app": is_own_app}
