"""Checks of the bot's own address: the port, where PUBLIC_URL leads, and the certificate."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped, warning
from bot.admin.doctor.http_probe import TIMEOUT_S, Answer, HttpProbe, Unreachable
from bot.admin.wrapping import counted
from bot.settings import Settings
from bot.web.listening import at, why_not

SOON_DAYS = 14


async def check_address(probe: HttpProbe, settings: Settings, *, is_running: bool) -> list[CheckResult]:
    """The site here, and PUBLIC_URL. While no bot runs, the doctor listens in its place for a moment."""
    if is_running:
        here = await _bot_here(probe, settings)
        return [here, await _public(probe, settings, _is_bot, is_running=True)]
    if settings.web_port == 0:
        return [
            ok("site", "No bot is running, and WEB_PORT=0 means any free port."),
            skipped("address", "Skipped: with WEB_PORT=0, the port is known only while the bot runs."),
        ]
    mark = secrets.token_hex(8)
    try:
        async with _listening(settings, mark):
            public = await _public(
                probe, settings, lambda answer: answer.data().get("doctor") == mark, is_running=False
            )
    except OSError as error:
        return [_cannot_listen(settings, error), skipped("address", "Skipped: the doctor could not listen here.")]
    where = _where(settings)
    return [ok("site", f"{where} is free for the bot."), public]


async def _bot_here(probe: HttpProbe, settings: Settings) -> CheckResult:
    """What the running bot says about itself."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web_host, settings.web_host)  # noqa: S104 - asked, not bound
    host = f"[{host}]" if ":" in host else host
    try:
        answer = await probe.ask("GET", f"http://{host}:{settings.web_port}/healthz")
    except Unreachable as reason:
        return failed(
            "site",
            f"A bot uses this database, but {_where(settings)} does not respond: {reason}.",
            "If WEB_HOST or WEB_PORT were changed after it was started, restart the bot.",
        )
    if not _is_bot(answer):
        return failed(
            "site",
            f"Another program responds at {_where(settings)}.",
            "Restart the bot, or give it a free port with WEB_PORT.",
        )
    if missing := sorted(part for part, works in answer.data().items() if not works):
        return failed(
            "site",
            f"The bot runs, but these parts do not work: {', '.join(missing)}.",
            "The log says why. See also the checks below.",
        )
    return ok("site", "The bot runs, and every part works.")


def _is_bot(answer: Answer) -> bool:
    """Whether this is what /healthz of a Gatefold returns: its parts, and whether each works."""
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
                "Check the DNS record, the router and the proxy. Some routers do not let a machine reach itself by its "
                f"public name. To find out, open {url} somewhere else, for example on a phone."
            )
        else:
            to_do = f"The port in PUBLIC_URL must be WEB_PORT, which is {settings.web_port}."
        return failed("address", f"PUBLIC_URL does not lead here: {reason}.", to_do)
    whose = "the bot" if is_running else "this machine"
    if is_ours(answer):
        if not settings.is_https:
            return warning(
                "address",
                f"PUBLIC_URL leads to {whose}, but only from a browser on this machine.",
                "That is enough to try the bot. For other members, set an https address.",
            )
        return ok("address", f"PUBLIC_URL leads to {whose}, as seen from this machine.")
    where = _where(settings)
    if 300 <= answer.status < 400:
        sentence, to_do = (
            "PUBLIC_URL redirects to another address.",
            "Set PUBLIC_URL to the address that it redirects to.",
        )
    elif answer.status in (502, 503, 504):
        sentence = f"The proxy at PUBLIC_URL cannot reach {whose} (status {answer.status})."
        to_do = f"Point the proxy at {where}."
    else:
        sentence = f"Another program responds at PUBLIC_URL, not {whose} (status {answer.status})."
        to_do = f"Check the DNS record, and that the proxy forwards every path to {where}."
    return failed("address", sentence, to_do)


@asynccontextmanager
async def _listening(settings: Settings, mark: str) -> AsyncIterator[None]:
    async def answer(request: web.BaseRequest) -> web.Response:
        response = web.json_response({"doctor": mark}, headers={"Cache-Control": "no-store"})
        response.force_close()  # a connection that is kept open would delay the end
        return response

    server = web.Server(answer, access_log=None)
    # REUSEADDR only ignores what is left of old connections; it does not allow a second listener.
    listening = await asyncio.get_running_loop().create_server(
        server, settings.web_host, settings.web_port, reuse_address=True
    )
    try:
        yield
    finally:
        listening.close()
        await server.shutdown(0.2)


def _where(settings: Settings) -> str:
    return at(settings.web_host, settings.web_port)


def _cannot_listen(settings: Settings, error: OSError) -> CheckResult:
    problem, to_do = why_not(settings.web_host, settings.web_port, error)
    return failed("site", problem, to_do.format(host="WEB_HOST", port="WEB_PORT"))


async def check_certificate(settings: Settings, *, tls: ssl.SSLContext | None, now: Callable[[], float]) -> CheckResult:
    """Whether browsers accept the certificate of PUBLIC_URL, and for how long. `tls`: whose certificates are trusted."""
    if not settings.is_https:
        return skipped("certificate", "Skipped: PUBLIC_URL is not an https address.")
    parts = urlsplit(settings.public_url)
    host = parts.hostname or ""
    context = tls or ssl.create_default_context()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, parts.port or 443, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return failed(
            "certificate",
            f"Browsers do not accept the certificate of {host}: {error.verify_message.rstrip('.')}.",
            "Look at the log of your proxy. Caddy requests and renews certificates by itself, once the name leads to "
            "this machine and ports 80 and 443 are open.",
        )
    except (OSError, TimeoutError):
        return skipped("certificate", "Skipped: PUBLIC_URL was not reached.")
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - now()) / 86_400
    if left <= 0:
        return failed("certificate", f"The certificate of {host} has expired.", "Renew it.")
    if left < SOON_DAYS:
        return warning(
            "certificate",
            f"The certificate of {host} expires in {counted(round(left), 'day')}.",
            "The log of your proxy says why it was not renewed yet.",
        )
    return ok("certificate", f"The certificate of {host} is valid for {counted(round(left), 'more day')}.")
