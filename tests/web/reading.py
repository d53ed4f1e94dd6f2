"""Bytes to the site and back as they are, and what must stand in every answer."""

from __future__ import annotations

import asyncio

from tests.web.stage import Stage


async def raw(stage: Stage, request: bytes) -> bytes:
    """Send these bytes as they are; everything that comes back until the site closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        writer.write(request)
        try:
            await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""  # closed before all was sent
    finally:
        writer.close()


def protected(headers: dict[str, str], *, has_form: bool = False) -> None:
    """All that guards a page in a browser is there. `has_form`: it is the guide, with its form and its script."""
    policy = {part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split(";")}
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    if has_form:
        assert policy["form-action"][0] == policy["script-src"][0] == "'self'"
        assert len(policy["script-src"]) == 1
    else:
        assert policy["form-action"] == ["'none'"]
        assert "script-src" not in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def parsed(answer: bytes) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body.decode()
