"""Calls to Discord keep its global limit, also after the process was held up."""

from __future__ import annotations

import asyncio
import time

import discord

from bot.chat.messages import Messages

DISCORDS_LIMIT = 50
"""Calls in a second. https://discord.com/developers/docs/topics/rate-limits#global-rate-limit"""


async def test_calls_that_waited_while_the_process_was_held_up_do_not_catch_up_at_once() -> None:
    messages = Messages(discord.Client(intents=discord.Intents.none()))
    at: list[float] = []

    async def call() -> None:
        at.append(time.monotonic())

    calls = [asyncio.create_task(messages.call(call)) for _ in range(80)]
    await asyncio.sleep(0.1)
    time.sleep(1.0)  # noqa: ASYNC251 - the whole loop is blocked
    await asyncio.gather(*calls)
    most = max(sum(1 for other in at if one <= other < one + 1.0) for one in at)
    assert most <= DISCORDS_LIMIT
