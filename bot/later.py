"""Handlers that are looked for when they are called, so that a start does without their modules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def later(find: Callable[[], Callable[_Given, Awaitable[_Result]]]) -> Callable[_Given, Coroutine[Any, Any, _Result]]:
    """Calls the handler that `find` returns, each time. `find` may import it."""

    async def call(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        return await find()(*given, **named)

    return call
