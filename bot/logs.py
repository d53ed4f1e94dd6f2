"""The log: structlog over the standard library's, with secrets hidden in the last step before it is written.

By value (the settings' secrets) and by pattern (what travels in headers, forms and addresses). Filters on
loggers would not see what propagates from libraries; the formatter sees everything.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from secrets import token_bytes
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars, merge_contextvars

HIDDEN = "[hidden]"
SHORTEST = 4
"""A shorter text is no secret, and hiding it would leave nothing to read."""
_PATTERNS = (
    re.compile(r"\b((?:Bearer|Basic|Bot)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        # JSON within JSON comes with backslashes before its quotes
        r"((?:access_token|refresh_token|client_secret|code_verifier|code|state|token)"
        r"(?:\\*[\"']|%22)?\s*(?:[=:]|%3[AD])\s*(?:\\*[\"']|%22)?)[A-Za-z0-9._~+/%=-]{6,}",
        re.IGNORECASE,
    ),
    re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/\s\"'?]+"),
    re.compile(r"(/link/)[A-Za-z0-9_-]{8,}"),
    re.compile(r"(\bgatefold=(?:\\*[\"'])?)[A-Za-z0-9_-]{20,}"),  # the site's cookie
)
# These print whole payloads, interaction tokens included, when they are asked for more.
_TALKATIVE = ("discord", "aiohttp.access", "asyncio")
# Says at every start that the bot asks for no intents, which is on purpose.
_MISTAKEN = ("discord.state",)


class _Redacting(logging.Formatter):
    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        # the longest first: one may hold another
        self._secrets = sorted((s for s in secrets if len(s) >= SHORTEST), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record), self._secrets)


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without these secrets and without whatever looks like one."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


# -- request ids: one short id in every line that is written while one request is served


def serve(interaction: int) -> None:
    """From here on, this task and those that it starts log for this interaction.

    Its id is made from Discord's, so that it can be told again: 8 characters, none of them a 0, 1, 8 or 9.
    """
    bind_contextvars(request=_short(hashlib.blake2b(b"%d" % interaction, digest_size=5).digest()))


def serving() -> AbstractContextManager[None]:
    """Within it, lines are for one request that has no id of its own, such as a page's."""
    return bound_contextvars(request=_short(token_bytes(5)))


def reference() -> str:
    """The number under which the log tells of what happens now, to be shown to people.

    The request's id, or a new one where no request is served: whoever tells it logs it as `request`.
    """
    known: str | None = get_contextvars().get("request")
    return known or _short(token_bytes(5))


def _short(five_bytes: bytes) -> str:
    return base64.b32encode(five_bytes).decode().lower()


# -- setting up


def configure(level: str, style: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Set the whole process's log up. `style`: console or json."""
    stream = stream or sys.stderr
    shared: list[Any] = [
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty() and not os.environ.get("NO_COLOR"))
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Redacting(formatter, secrets))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level)))
    for name in _MISTAKEN:
        logging.getLogger(name).setLevel(logging.ERROR)
