"""The log: structlog's lines and the standard library's in one form, with secrets hidden just before they are written.

By value (the settings' secrets) and by pattern (what travels in headers, forms and addresses). Filters on
loggers would not see what propagates from libraries; the handler sees everything.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from bot.patterns import pattern

HIDDEN = "[hidden]"
SHORTEST = 4
"""A shorter text is no secret, and hiding it would leave nothing to read."""
# What a code or a state is that tells what went wrong, and is no secret: words ("AttributeError", "State.CLOSING"), or a
# short number. Spotify's codes begin with "AQ", its tokens with "BQ".
_WORD = r"(?-i:(?!AQ|BQ)[A-Z]{0,5}[a-z]{3,12}(?:[A-Z]{1,5}[a-z]{2,12}){0,4}|[A-Z]{2,12})"
_ENDS = r"(?:\.?(?![A-Za-z0-9._~+/%=-]))"
_TOLD = rf"(?!(?:{_WORD}(?:[._]{_WORD}){{0,3}}|[0-9]{{1,12}}){_ENDS})"
# "token: expired" is a sentence: one short word in small letters after a colon and a blank. No secret is so short.
_SENTENCE = r":\s{1,9}[a-z]"
_SAID = rf"(?!(?-i:[a-z]{{3,12}}){_ENDS})"
# Each with words in small letters of which it needs one: most lines have none, and looking for a word costs little.
_PATTERNS = (
    (("bearer", "basic", "bot"), pattern(r"\b((?:Bearer|Basic|Bot)\s+)[A-Za-z0-9._~+/=-]{8,}")),
    (
        ("token", "client_secret", "code", "state"),
        pattern(
            # JSON within JSON comes with backslashes before its quotes, and white space may be escaped
            r"((?:access_token|refresh_token|client_secret|code_verifier|(?P<is_told>code|state)"
            rf"|(?P<is_said>token(?={_SENTENCE}))|token(?!{_SENTENCE}))"
            r"(?:\\*[\"']|%22)?\s*(?:[=:]|%3[AD])(?:\s|\\+[nrt])*(?:\\*[\"']|%22)?)"
            rf"(?(is_told){_TOLD})(?(is_said){_SAID})[A-Za-z0-9._~+/%=-]{{6,}}",
            re.IGNORECASE,
        ),
    ),
    (("/webhooks/", "/interactions/"), pattern(r"(/(?:webhooks|interactions)/\d+/)[^/\s\"'?]+")),
    (("/link/",), pattern(r"(/link/)[A-Za-z0-9_-]{8,}")),
    # the site's cookie
    (("gatefold=",), pattern(r"(\bgatefold=(?:\\*[\"'])?)[A-Za-z0-9_-]{20,}")),
)
# These print whole payloads, interaction tokens included, when they are asked for more.
_TALKATIVE = ("discord", "aiohttp.access", "asyncio")
# Says at every start that the bot asks for no intents, which is on purpose.
_MISTAKEN = ("discord.state",)
_QUOTED = pattern(r"[\s='\"]")
"""A value with one of these is quoted, so that it cannot be taken for several."""
_LEVEL_WIDTH, _EVENT_WIDTH = 9, 30


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines, without secrets. structlog's come finished; the formatter makes those of the standard library."""

    def __init__(self, stream: TextIO, secrets: Iterable[str]) -> None:
        super().__init__(stream)
        # the longest first: one may hold another
        self._secrets = sorted((s for s in secrets if len(s) >= SHORTEST), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)

    def write(self, line: str) -> None:
        """Write a line of structlog's. Whoever logs goes on if that is impossible, as on a full disk."""
        line = redact(line, self._secrets)
        self.acquire()
        try:
            self.stream.write(f"{line}\n")
            self.stream.flush()
        except (OSError, ValueError):
            pass
        finally:
            self.release()


class _Logger:
    """What structlog hands finished lines to. `name`: read by `add_logger_name`."""

    def __init__(self, write: Callable[[str], None], name: str | None = None) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = write


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without these secrets and without whatever looks like one."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    small = text.lower()
    for words, form in _PATTERNS:
        for word in words:
            if word in small:
                text = form.sub(rf"\1{HIDDEN}", text)
                break
    return text


# -- request ids: one short id in every line that is written while one request is served

_request: ContextVar[int | str | None] = ContextVar("request", default=None)
"""What is served: a page's id, or an interaction's as Discord has it, which is shortened only for whoever reads it."""


def serve(interaction: int) -> None:
    """From here on, this task and those that it starts log for this interaction.

    Its id is made from Discord's, so that it can be told again: 8 characters, none of them a 0, 1, 8 or 9.
    """
    _request.set(interaction)


@contextmanager
def serving() -> Iterator[None]:
    """Within it, lines are for one request that has no id of its own, such as a page's."""
    before = _request.set(_short(token_bytes(5)))
    try:
        yield
    finally:
        _request.reset(before)


def reference() -> str:
    """The number under which the log tells of what happens now, to be shown to people.

    The request's id, or a new one where no request is served: whoever tells it logs it as `request`.
    """
    return _id() or _short(token_bytes(5))


def _id() -> str | None:
    request = _request.get()
    if isinstance(request, int):
        return _short(hashlib.blake2b(b"%d" % request, digest_size=5).digest())
    return request


def _short(five_bytes: bytes) -> str:
    return base64.b32encode(five_bytes).decode().lower()


# -- setting up


def configure(
    level: str, style: str, secrets: Iterable[str], stream: TextIO | None = None, *, is_final: bool = False
) -> None:
    """Set the whole process's log up. `style`: console or json. `stream`: stderr unless another is given.

    `is_final`: it is never set up again, so that loggers need not look at each line how it is.
    """
    handler = _Handler(stream or sys.stderr, secrets)
    shared: list[Any] = [
        _add_request_and_time,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = _console_line
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    elif handler.stream.isatty() and not os.environ.get("NO_COLOR"):
        shared.append(_escape_unprintable)
        renderer = structlog.dev.ConsoleRenderer(colors=True)
    number: int = logging.getLevelName(level)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *name: _Logger(handler.write, *name),
        cache_logger_on_first_use=is_final,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, number))
    for name in _MISTAKEN:
        logging.getLogger(name).setLevel(logging.ERROR)


def _add_request_and_time(_: Any, __: str, event: EventDict) -> EventDict:
    """What structlog's own processors add, in a third of their time."""
    if (request := _id()) is not None:
        event.setdefault("request", request)
    event["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    return event


def _escape_unprintable(_: Any, __: str, event: EventDict) -> EventDict:
    """What `_console_line` does: structlog's ConsoleRenderer escapes only values with white space or quotes."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = _escaped(value, "\n" if key == "exception" else "")
    return event


def _console_line(_: Any, __: str, event: EventDict) -> str:
    """A line as structlog's ConsoleRenderer writes it without colours, in a fraction of its time."""
    pop = event.pop
    exception = pop("exception", None)
    time, level, words, logger = pop("timestamp"), pop("level"), pop("event"), pop("logger")
    facts = [f" {key}={_value(event[key])}" for key in sorted(event)]
    if not (words := str(words)).isprintable():
        words = _escaped(words)
    line = f"{time} [{level:<{_LEVEL_WIDTH}}] {words:<{_EVENT_WIDTH}} [{logger}]{''.join(facts)}"
    return line if exception is None else line + "\n" + _escaped(exception, kept="\n")


def _escaped(text: str, kept: str = "") -> str:
    """A text that cannot steer the terminal in which the log is read. `kept`: characters that stay as they are."""
    return "".join(one if one.isprintable() or one in kept else repr(one)[1:-1] for one in text)


def _value(value: object) -> str:
    # what is not printable is escaped, see `_escaped`
    return value if isinstance(value, str) and value.isprintable() and not _QUOTED.search(value) else repr(value)
