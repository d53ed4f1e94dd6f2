"""Checks of the bot's own address: the port, what PUBLIC_URL leads to, and its certificate."""

from __future__ import annotations

import asyncio
import errno
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped, warning
from bot.admin.doctor.http_probe import TIMEOUT_S, Answer, HttpProbe, Unreachable
from bot.settings import Settings

SOON_DAYS = 14
_AS_SEEN = "as seen from this machine"


async def check_address(probe: HttpProbe, settings: Settings, *, is_running: bool) -> list[CheckResult]:
    """The site here, and PUBLIC_URL. While no bot runs, the doctor itself listens in its place for a moment."""
    if is_running:
        here = await _bot_here(probe, settings)
        return [here, await _public(probe, settings, _is_bot, is_running=True)]
    if settings.web_port == 0:
        return [
            ok("site", "No bot is running, and WEB_PORT=0 takes any free port."),
            skipped("address", "WEB_PORT=0: the port is known only while the bot runs."),
        ]
    mark = secrets.token_hex(8)
    try:
        async with _listening(settings, mark):
            public = await _public(
                probe, settings, lambda answer: answer.data().get("doctor") == mark, is_running=False
            )
    except OSError as error:
        return [_cannot_listen(settings, error), skipped("address", "Nothing could listen here to be reached.")]
    where = f"{settings.web_host}:{settings.web_port}"
    return [ok("site", f"Nothing listens at {where} yet: it is free for the bot."), public]


async def _bot_here(probe: HttpProbe, settings: Settings) -> CheckResult:
    """What the running bot says about itself."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web_host, settings.web_host)  # noqa: S104 - asked, not bound
    host = f"[{host}]" if ":" in host else host
    try:
        answer = await probe.ask("GET", f"http://{host}:{settings.web_port}/healthz")
    except Unreachable as reason:
        return failed(
            "site",
            f"A bot runs with this database, but {settings.web_host}:{settings.web_port} does not answer: {reason}.",
            "Restart it, if WEB_HOST or WEB_PORT were changed since it was started.",
        )
    if not _is_bot(answer):
        return failed(
            "site",
            f"Something else than the bot answers at {settings.web_host}:{settings.web_port}.",
            "Restart the bot, or give it a free port with WEB_PORT.",
        )
    if missing := sorted(part for part, works in answer.data().items() if not works):
        return failed(
            "site", f"The bot runs, but this does not work: {', '.join(missing)}.", "Its log says why; see below, too."
        )
    return ok("site", "The bot runs, and says that every part works.")


def _is_bot(answer: Answer) -> bool:
    """Whether this is what /healthz of a Gatefold says: its parts, and whether each works."""
    data = answer.data()
    return "database" in data and "gateway" in data and all(isinstance(works, bool) for works in data.values())


async def _public(
    probe: HttpProbe, settings: Settings, is_ours: Callable[[Answer], bool], *, is_running: bool
) -> CheckResult:
    url = f"{settings.public_url}/healthz"
    try:
        answer = await probe.ask("GET", url)
    except Unreachable as reason:
        if settings.is_https:
            to_do = (
                "Look at the name's address, the router and the proxy. Some routers do not let a machine reach "
                f"itself by its public name: then open {url} elsewhere, on a phone for example."
            )
        else:
            to_do = f"The port in PUBLIC_URL must be WEB_PORT, which is {settings.web_port}."
        return failed("address", f"PUBLIC_URL does not lead here: {reason}.", to_do)
    whose = "the bot" if is_running else "this machine"
    if is_ours(answer):
        if not settings.is_https:
            return warning(
                "address",
                f"PUBLIC_URL leads to {whose}, in a browser on this machine alone.",
                "That is enough to try it. For others, set an https address.",
            )
        return ok("address", f"PUBLIC_URL leads to {whose}, {_AS_SEEN}, which is how far the doctor can see.")
    where = f"{settings.web_host}:{settings.web_port}"
    if 300 <= answer.status < 400:
        sentence, to_do = "PUBLIC_URL redirects to another address.", "Set PUBLIC_URL to the address it ends at."
    elif answer.status in (502, 503, 504):
        sentence = f"Something answers at PUBLIC_URL, but does not reach {whose} (status {answer.status})."
        to_do = f"Point the proxy at {where}."
    else:
        sentence = f"Something else than {whose} answers at PUBLIC_URL (status {answer.status})."
        to_do = f"Look at the name's address, and whether the proxy hands everything to {where}."
    return failed("address", sentence, to_do)


@asynccontextmanager
async def _listening(settings: Settings, mark: str) -> AsyncIterator[None]:
    async def answer(request: web.BaseRequest) -> web.Response:
        response = web.json_response({"doctor": mark}, headers={"Cache-Control": "no-store"})
        response.force_close()  # a connection that is kept would be waited for
        return response

    server = web.Server(answer, access_log=None)
    # No other listener is wanted beside this one: REUSEADDR only skips what is left of old connections.
    listening = await asyncio.get_running_loop().create_server(
        server, settings.web_host, settings.web_port, reuse_address=True
    )
    try:
        yield
    finally:
        listening.close()
        await server.shutdown(0.2)


def _cannot_listen(settings: Settings, error: OSError) -> CheckResult:
    where = f"{settings.web_host}:{settings.web_port}"
    if error.errno == errno.EADDRINUSE:
        return failed(
            "site",
            f"Another program listens at {where}, or a bot with another database.",
            "Stop that one, or set another WEB_PORT (and lead the proxy there).",
        )
    return failed("site", f"Nothing can listen at {where} ({error.strerror}).", "Set another WEB_HOST or WEB_PORT.")


async def check_certificate(
    settings: Settings, *, tls: ssl.SSLContext | None = None, now: Callable[[], float] = time.time
) -> CheckResult:
    """Whether browsers take the certificate of PUBLIC_URL, and for how long. `tls`: whose certificates are trusted."""
    if not settings.is_https:
        return skipped("certificate", "PUBLIC_URL is no https address, so there is none.")
    parts = urlsplit(settings.public_url)
    host = parts.hostname or ""
    context = tls or ssl.create_default_context()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return failed(
            "certificate",
            f"Browsers refuse the certificate of {host}: {error.verify_message}.",
            "Look at the log of the proxy that fetches it. Caddy fetches and renews it by itself, once the name "
            "leads to it and ports 80 and 443 are open.",
        )
    except (OSError, TimeoutError):
        return skipped("certificate", "PUBLIC_URL was not reached, so its certificate was not seen.")
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - now()) / 86_400
    if left <= 0:
        return failed("certificate", f"The certificate of {host} has ended.", "Renew it.")
    if left < SOON_DAYS:
        return warning(
            "certificate",
            f"The certificate of {host} ends in {left:.0f} days.",
            "Look why it was not renewed yet: the proxy's log says so.",
        )
    return ok("certificate", f"Browsers take the certificate of {host} for {left:.0f} more days.")
