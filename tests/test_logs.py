"""The log: secrets are hidden by value and by pattern, in both forms, whoever writes them."""

from __future__ import annotations

import ast
import base64
import io
import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.logs import HIDDEN, configure, redact
from bot.settings import from_values
from tests.leaks import found
from tests.log import Start, restored

SECRET = "a-very-secret-value"


@pytest.fixture
def start() -> Iterator[Start]:
    """`configure`, into a stream, with one secret; what was before is put back."""
    with restored() as start:
        yield partial(start, secrets=(SECRET,))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("change", "is_coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured(change: str, is_coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", change)
    stream = Terminal()
    with restored():
        configure("INFO", "console", (), stream)
        structlog.get_logger("gatefold").info("ready")
    assert ("\x1b[" in stream.getvalue()) is is_coloured


# -- what is hidden

TOKENS = [
    ("Authorization: Bearer BQAbcdefgh.-_~+/=", "BQAbcdefgh"),
    ("{'Authorization': 'Basic NWYwYTFjMmQzZTRmOnNlY3JldA=='}", "NWYwYTFj"),
    ("Bot MTEwMDAwMDAwMDAw.GxFake.abcdefgh", "MTEwMDAw"),
    ("POST /callback/spotify?code=AQcode123456&state=st-123_456", "AQcode123456"),
    ("POST /callback/spotify?code=AQcode123456&state=st-123_456", "st-123_456"),
    ('{"access_token": "BQaccess123", "x": 1}', "BQaccess123"),
    ("{'refresh_token': 'AQrefresh123'}", "AQrefresh123"),
    ('"{\\"refresh_token\\": \\"AQrefresh123\\"}"', "AQrefresh123"),
    ('"{\\\\\\"access_token\\\\\\":\\\\\\"BQaccess123\\\\\\"}"', "BQaccess123"),
    ("b'client_secret=s3cret-123&grant_type=x'", "s3cret-123"),
    ("code_verifier=vvvvvvvvvvvv", "vvvvvvvvvv"),
    ("code%3DAQcode123456%26state%3Dst-123_456", "AQcode123456"),
    ("code%3DAQcode123456%26state%3Dst-123_456", "st-123_456"),
    ("https://discord.com/api/v10/webhooks/1100/aW50ZXJhY3Rpb24:x/messages/@original", "aW50ZXJhY3Rpb24"),
    ("/interactions/123456/aW50ZXJhY3Rpb24:abc/callback?with_response=1", "aW50ZXJhY3Rpb24"),
    ("GET /link/Zx9-_abcdefghijk HTTP/1.1", "Zx9-_abcdefghijk"),
    ("token: 'abcdefghi'", "abcdefghi"),
    ("token: abcdefghijklm", "abcdefghijklm"),
    ("token: expired-AQ1234", "expired-AQ1234"),
    ("token:\tk3y9x8a7", "k3y9x8a7"),
    ("token=expired", "expired"),
    ("access_token: expired", "expired"),
    ("code=AQBcdefghijklmnop", "AQBcdefghijklmnop"),
    ("code=NhhvTDYsFcdgNLnnLijcl7Ku7bEEeee", "NhhvTDYsFcdg"),
    ("state=xPdKqLmZrTwYbNcVsFgHjQaXeUiOpM_-LkJhGfDsAz", "xPdKqLmZ"),
    ("code=AttributeError123456", "AttributeError123456"),
    ("Cookie: gatefold=Zx9-_abcdefghijklmnopqrstuvwxyz0123456789AB", "Zx9-_abcdefghijk"),
    ('{"Set-Cookie": "__Host-gatefold=\\"Zx9-_abcdefghijklmnopqrstuvwxyz0123456789AB\\"; Path=/"}', "Zx9-_abcdef"),
]


@pytest.mark.parametrize(("text", "secret"), TOKENS)
def test_whatever_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    hidden = redact(text, ())
    assert secret not in hidden
    assert HIDDEN in hidden


def test_secrets_are_hidden_by_value_wherever_they_stand() -> None:
    assert redact(f"x{SECRET}y and {SECRET}", [SECRET]) == f"x{HIDDEN}y and {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        "code=AttributeError",
        "error code: AttributeError.",
        "code='invalid_grant'",
        '{"code": "ConnectionRefused"}',
        "code=asyncio.exceptions.TimeoutError",
        "code=HTTPException state=CONNECTED",
        "exit code=SIGTERM",
        "state=disconnected",
        "state = State.RUNNING",
        "reason code=NORMAL_CLOSURE",
        "code: 1000001, state: closing",
        "the token: expired",
        "no such token: revoked, or never made.",
        "token:  missing",
    ],
)
def test_a_code_that_tells_what_went_wrong_is_no_secret(text: str) -> None:
    assert redact(text, ()) == text


def test_plain_words_are_left_alone() -> None:
    for text in ("saved 4aawyAB9vmqN3uQ7FjRGTy", "status=200 ms=1.5", "Bearer of news", "linked member=2000", "/link/"):
        assert redact(text, [SECRET]) == text


# -- both forms


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("text", [text for text, _ in TOKENS])
def test_patterns_are_hidden_in_both_forms(style: str, text: str, start: Start) -> None:
    secrets = [secret for same, secret in TOKENS if same == text]
    stream = start(style)
    structlog.get_logger("gatefold.test").info("happened", detail=text)
    structlog.get_logger("gatefold.test").info(text)
    logging.getLogger("somebody.else").warning("it said %s", text)
    written = stream.getvalue()
    assert written.count("\n") == 3
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize("style", ["console", "json"])
def test_values_are_hidden_in_every_part_of_a_record(style: str, start: Start) -> None:
    stream = start(style)
    log = structlog.get_logger(f"gatefold.{SECRET}")
    log.info(SECRET)
    log.info("event", field=SECRET, nested={"list": [SECRET, {SECRET: 1}]}, number=1)
    log.bind(bound=SECRET).warning("event")
    logging.getLogger("aiohttp.client").error("arguments %s %r", SECRET, {"x": SECRET})
    logging.getLogger("discord.http").warning(SECRET, extra={"more": SECRET})
    written = stream.getvalue()
    assert written.count("\n") == 5
    assert SECRET not in written
    assert written.count(HIDDEN) >= 8


@pytest.mark.parametrize("style", ["console", "json"])
def test_exceptions_are_written_whole_and_without_secrets(style: str, start: Start) -> None:
    stream = start(style)

    def fail() -> None:
        local = SECRET
        try:
            raise KeyError(f"Bearer BQinner123456 {local}")
        except KeyError as error:
            raise ValueError(f"refresh_token=AQouter123456 {local}") from error

    for write in (
        structlog.get_logger("gatefold.test").exception,
        logging.getLogger("somebody.else").exception,
    ):
        try:
            fail()
        except ValueError:
            write("it broke")
    written = stream.getvalue()
    for secret in (SECRET, "BQinner123456", "AQouter123456"):
        assert secret not in written
    assert written.count("it broke") == 2
    assert written.count("Traceback (most recent call last)") == 4
    assert written.count("ValueError: ") == written.count("KeyError: ") == 2
    assert "local" not in written.replace("{local}", "")  # the variables of a frame are not shown


@pytest.mark.parametrize("style", ["console", "json"])
def test_an_exception_group_hides_what_its_parts_say(style: str, start: Start) -> None:
    stream = start(style)
    try:
        raise ExceptionGroup("several", [ValueError(SECRET), OSError(f"Bearer BQgroup123456 {SECRET}")])
    except ExceptionGroup:
        structlog.get_logger("gatefold.test").exception("it broke")
    assert SECRET not in stream.getvalue()
    assert "BQgroup123456" not in stream.getvalue()


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("key", [bytes(range(224, 256)), b"\xff" * 32, b'a "quoted" key, \\ and 32 long.\n\n'], ids=str)
def test_a_key_is_hidden_in_whatever_form_somebody_writes_it(style: str, key: bytes, start: Start) -> None:
    """As it stands in the settings, and as a program writes 32 bytes: base64 of both kinds, hex, `repr`."""
    given = base64.urlsafe_b64encode(key).decode()
    settings = from_values(
        discord_token=SECRET,
        discord_client_id="1100000000000000001",
        discord_client_secret=f"{SECRET}-2",
        spotify_client_id="spotify-client",
        public_url="https://gatefold.example.org",
        token_keys=given.rstrip("="),
    )
    stream = start(style, secrets=tuple(settings.secrets()))
    log = logging.getLogger("leak")
    written = [given, base64.b64encode(key).decode(), key.hex(), key.hex().upper(), repr(key), f"{[key]}"]
    for text in written:
        log.info("it is %s", text)
    structlog.get_logger("leak").info("it is", key=key, nested={"keys": [key]})
    assert found(stream.getvalue().encode(), [], [key]) == []
    assert stream.getvalue().count(HIDDEN) == len(written) + 2


def test_the_longer_secret_goes_first_when_one_holds_the_other(start: Start) -> None:
    stream = start(secrets=("secret", "secret-and-more"))
    logging.getLogger("x").info("secret-and-more secret")
    assert "and-more" not in stream.getvalue()


def test_no_secrets_at_all_hide_nothing(start: Start) -> None:
    stream = start(secrets=("",))
    logging.getLogger("x").info("plain words")
    assert "plain words" in stream.getvalue()
    assert HIDDEN not in stream.getvalue()


# -- form and level


def record(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    read: dict[str, Any] = json.loads(line)
    return read


def test_json_is_one_object_a_line_with_time_level_and_logger(start: Start) -> None:
    stream = start("json")
    structlog.get_logger("gatefold.test").info("two\nlines", member=7, title="Été \u202e")
    read = record(stream)
    assert (read["event"], read["member"], read["title"]) == ("two\nlines", 7, "Été \u202e")
    assert (read["level"], read["logger"]) == ("info", "gatefold.test")
    assert read["timestamp"].endswith("Z")


def test_records_of_libraries_have_the_same_form(start: Start) -> None:
    stream = start("json")
    logging.getLogger("discord.gateway").warning("shard %s", 3)
    read = record(stream)
    assert (read["event"], read["level"], read["logger"]) == ("shard 3", "warning", "discord.gateway")


def test_the_console_is_read_by_people_and_has_no_colours_in_a_file(start: Start) -> None:
    stream = start("console")
    structlog.get_logger("gatefold.test").info("listening", port=8080)
    assert "listening" in stream.getvalue()
    assert "port=8080" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 3), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_what_is_below_the_level_is_not_written(level: str, lines: int, start: Start) -> None:
    stream = start(level=level)
    log = structlog.get_logger("gatefold.test")
    for write in (log.debug, log.info, log.warning):
        write("event")
    assert stream.getvalue().count("\n") == lines


def test_libraries_that_print_whole_payloads_stay_at_info(start: Start) -> None:
    stream = start(level="DEBUG")
    for name in ("discord", "discord.gateway", "discord.http", "aiohttp.access", "asyncio"):
        logging.getLogger(name).debug("a whole payload")
        logging.getLogger(name).info("a word")
    assert "a whole payload" not in stream.getvalue()
    assert stream.getvalue().count("a word") == 5


def test_a_quieter_level_holds_for_them_too(start: Start) -> None:
    stream = start(level="ERROR")
    logging.getLogger("discord.gateway").warning("a word")
    assert stream.getvalue() == ""


def test_configuring_again_writes_every_line_once(start: Start) -> None:
    first, second = start(), start()
    logging.getLogger("x").info("a word")
    assert (first.getvalue(), second.getvalue().count("a word")) == ("", 1)


def test_no_line_of_ours_has_a_field_that_is_taken_for_a_secret(start: Start) -> None:
    """`code=AttributeError` was written as `code=[hidden]`: what went wrong is not to be hidden."""
    hidden = []
    for path in sorted((Path(__file__).parents[1] / "bot").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "_log" in ast.dump(node.func):
                hidden += [
                    f"{path}:{node.lineno} {field.arg}"
                    for field in node.keywords
                    if HIDDEN in redact(f"{field.arg}=AttributeError", ())
                ]
    assert hidden == []


@pytest.mark.parametrize("style", ["console", "json"])
def test_who_logs_goes_on_when_the_log_cannot_be_written(style: str) -> None:
    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(28, "No space left on device")

    with restored():
        configure("INFO", style, (), Full())
        structlog.get_logger("gatefold.test").info("happened")


def test_a_line_of_the_console_reads_as_structlog_writes_it(start: Start) -> None:
    facts = {"title": "two words", "odd": 'a="b"', "id": 7, "none": None, "plain": "word"}
    stream = start("console")
    structlog.get_logger("gatefold.test").warning("it happened", **facts)
    told = structlog.dev.ConsoleRenderer(colors=False)(
        None,
        "warning",
        {"event": "it happened", "level": "warning", "logger": "gatefold.test", "timestamp": "T", **facts},
    )
    assert stream.getvalue().partition(" ")[2] == f"{told.partition(' ')[2]}\n"


@pytest.mark.parametrize("style", ["console", "json"])
def test_no_text_from_outside_steers_the_terminal(style: str, start: Start) -> None:
    stream = start(style)
    structlog.get_logger("gatefold.test").info("refused", said="\x1b[2J\x07\u202ebad\x9b31m")
    assert not set(stream.getvalue()) & set("\x1b\x07\u202e\x9b")


def test_no_text_from_outside_steers_the_terminal_where_lines_have_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with restored():
        configure("INFO", "console", (), stream)
        structlog.get_logger("gatefold.test").info("refused", said="\x1b[2J\x07\u202ebad\x9b31m")
    assert "bad" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert not set(stream.getvalue()) & set("\x07\u202e\x9b")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["plain", "coloured"])
def test_neither_an_event_nor_a_traceback_steers_the_terminal(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    bad = "\x1b[2J\x1b]0;x\x07\u202ebad\x9b31m\r"
    with restored():
        configure("INFO", "console", (), stream)
        structlog.get_logger("gatefold.test").info(f"event {bad}\nforged")
        logging.getLogger("aiohttp.server").warning("from a library: %s", bad)
        try:
            raise ValueError(f"error {bad}\nof two lines")
        except ValueError:
            structlog.get_logger("gatefold.test").exception("broke")
    written = stream.getvalue()
    assert written.count("\\u202ebad") == 3
    assert "\x1b[2J" not in written
    assert not set(written) & set("\x07\u202e\x9b\r")
    assert "\nforged" not in written
    assert "Traceback (most recent call last):\n" in written
    assert "\nof two lines" in written


@pytest.mark.parametrize("style", ["console", "json"])
def test_an_exception_follows_its_line(style: str, start: Start) -> None:
    stream = start(style)
    try:
        raise ValueError("it is broken")
    except ValueError:
        structlog.get_logger("gatefold.test").exception("it broke", number=1)
    first, *rest = stream.getvalue().splitlines()
    assert "it broke" in first
    if style == "console":
        assert (rest[0], rest[-1]) == ("Traceback (most recent call last):", "ValueError: it is broken")
    else:
        assert json.loads(first)["exception"].endswith("ValueError: it is broken")


def test_a_logger_that_wrote_once_follows_when_the_log_is_set_up_again(start: Start) -> None:
    log = structlog.get_logger("gatefold.test")
    with restored():
        configure("ERROR", "console", ())
        log.info("before")
    stream = start()
    log.info("after")
    assert "after" in stream.getvalue()
