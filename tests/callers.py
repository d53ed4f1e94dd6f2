"""Members who ask, for tests that have no interaction."""

from __future__ import annotations

from bot.caller import Caller, MemberId, RequestId


def caller(member: int, interaction: int = 1, token: str = "token", locale: str = "en-US") -> Caller:
    """A member who uses a command in no server."""
    return Caller(MemberId(member), None, locale, RequestId(interaction), token)
