"""`/watch collect`: reads what was posted in a channel before, page by page, and shows in the channel how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from discord.utils import snowflake_time

from bot.chat.cards import Card, Kind, text_card
from bot.chat.components import CustomId
from bot.chat.messages import Failure, Messages
from bot.chat.parts import Part, button
from bot.chat.sharing import albums_in
from bot.chat.watched_posts import WatchedPosts, is_post
from bot.chat.words import Words, date, plain
from bot.errors import TryLater
from bot.storage.crates import Crates
from bot.storage.histories import Histories, History, channel_of

PAGE = 100
"""Messages that Discord gives at once, at most."""
PAGES, PAUSE_S = 5, 1.0
"""Pages that are read at a time, and the pause after them, in which others are served."""
RETRY_S = 5.0
"""The shortest pause after Discord or Spotify did not answer, also while the bot is not logged in yet."""

_log = structlog.get_logger("gatefold.chat")


class Collecting:
    """Reads histories. What is read is stored page by page, so that a restart goes on where it was."""

    def __init__(
        self,
        histories: Histories,
        crates: Crates,
        posts: WatchedPosts,
        messages: Messages,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._histories = histories
        self._crates = crates
        self._posts = posts
        self._messages = messages
        self._now = now

    async def step(self, key: str, due_at: datetime) -> datetime | None:
        """Read a few pages; when to read on, None: it is done."""
        for _ in range(PAGES):
            history = await self._histories.of_channel(channel_of(key))
            if history is None or history.ended_at is not None:
                return None
            try:
                is_last = await self._page(history)
            except Failure as failure:
                _log.info("a history is not read", error=failure.code, is_final=failure.is_final)
                if failure.is_final:
                    await self._histories.refuse(history, self._now())
                    return None
                return self._now() + timedelta(seconds=max(failure.retry_s, RETRY_S))
            except TryLater:
                return self._now() + timedelta(seconds=RETRY_S)
            if is_last:
                return None
        return self._now() + timedelta(seconds=PAUSE_S)

    async def _page(self, history: History) -> bool:
        """Read one page; whether it was the last one. Failure, TryLater."""
        found = await self._messages.history(history.channel_id, history.after_id, PAGE)
        ours = [message for message in found if int(message["id"]) <= history.until_id]
        posts = [
            await self._posts.read_old(message, history.channel_id)
            for message in ours
            if is_post(message) and albums_in(message)
        ]
        is_last = len(ours) < PAGE
        after_id = int(ours[-1]["id"]) if ours else history.after_id
        await self._histories.add(history, posts, after_id, len(ours), self._now(), is_last=is_last)
        return is_last

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """How far the history of a channel is now."""
        history = await self._histories.of_channel(payload["channel"])
        if history is None:
            return []
        crate = history.crate
        if crate is None:
            default = await self._crates.find(history.guild_id, None, self._now())
            crate = "" if default is None else default.name
        buttons = [stop_button(words, history.channel_id)] if history.ended_at is None else []
        return [text_card(_text(words, history, plain(crate)), *buttons, kind=Kind.PUBLIC)]


def stop_button(words: Words, channel_id: int) -> Part:
    """The button with which a curator stops the reading of a channel."""
    return button(words.t("Stop"), CustomId("collect-stop", channel_id))


def _text(words: Words, history: History, crate: str) -> str:
    t = words.t
    read, new = t("There were no messages."), t("No new albums in the crate “{crate}”.", crate=crate)
    if history.messages:
        read = t.plural("{count} message read.", "{count} messages read.", history.messages)
    if history.added:
        new = t.plural(
            "{count} new album in the crate “{crate}”.",
            "{count} new albums in the crate “{crate}”.",
            history.added,
            crate=crate,
        )
    if history.ended_at is None:
        doing = t(
            "I am reading what was posted in this channel for links to albums. They go into the crate “{crate}”, with "
            "who posted them and when.",
            crate=crate,
        )
        choice = t("Posts of members who chose so in {command} are left out.", command=words.command("mydata"))
        lines = [words.with_privacy(t.sentences([doing, choice]))]
        if history.messages:
            upto = t("I have read up to {when}.", when=date(snowflake_time(history.after_id)))
            lines.append(t.sentences([read, new, upto]))
        return "\n".join(lines)
    if history.is_refused:
        stopped = t("I stopped reading this channel: I am no longer allowed to read its history.")
        return t.sentences([stopped, read, new])
    if history.is_stopped:
        return t.sentences([t("A curator stopped this before I had read everything."), read, new])
    return t.sentences([t("I have read what was posted in this channel."), read, new])
