"""Why a port cannot be listened at."""

from __future__ import annotations

import errno
import socket

import pytest

from bot.web.listening import at, why_not


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert (at("::1", 80), at("127.0.0.1", 80)) == ("[::1]:80", "127.0.0.1:80")


@pytest.mark.parametrize(
    ("host", "port", "error", "problem", "to_do"),
    [
        ("127.0.0.1", 80, OSError(errno.EACCES, "x"), "Only root may listen at ports below 1024", "above 1023"),
        ("127.0.0.1", 81, OSError(errno.EPERM, "x"), "and 81 is one", "For https, a proxy"),
        ("127.0.0.1", 1023, OSError(errno.EACCES, "x"), "and 1023 is one", "above 1023"),
        ("127.0.0.1", 1024, OSError(errno.EACCES, "x"), "Permission denied", "{host} or {port}"),
        ("127.0.0.1", 8080, OSError(errno.EADDRINUSE, "x"), "Another program already listens", "another {port}"),
        ("192.0.2.1", 8080, OSError(errno.EADDRNOTAVAIL, "x"), "not an address of this machine", "Set {host}"),
        ("nowhere", 8080, socket.gaierror(-2, "x"), "nowhere is not an address of this machine", "Set {host}"),
        ("127.0.0.1", 8080, OSError("odd"), "cannot listen at 127.0.0.1:8080 (odd)", "{host} or {port}"),
    ],
)
def test_each_reason_has_a_sentence_and_something_to_do(
    host: str, port: int, error: OSError, problem: str, to_do: str
) -> None:
    told = why_not(host, port, error)
    assert problem in told[0]
    assert to_do in told[1]
    told[1].format(host="WEB_HOST", port="WEB_PORT")
