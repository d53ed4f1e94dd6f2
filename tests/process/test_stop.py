"""SIGTERM while much is under way: the rest of it is in test_run.py. And what the supervisor and the host hear."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, buttons, texts
from tests.process.harness import START_S, STOP_S, Outside, Running, sentences, until_said
from tests.world import ADA, BEN, FIRST

HANGING, GONE = ADA + 20, ADA + 30
MEMBERS = {ADA + number: f"member{number}" for number in range(8)} | {HANGING: "hanging"}
ALBUMS = [album.id for album in synthetic(8, seed="stop")]
HOST = 1


def said(interaction: WireInteraction) -> str:
    """What the member reads now."""
    return "\n".join(texts(interaction.history[-1])) if interaction.history else ""


def outcomes(out: Outside, interaction: WireInteraction) -> list[str | None]:
    """What is on disk of a command; None: pending."""
    query = "SELECT outcome FROM library_changes WHERE request_id = ?"
    return [row["outcome"] for row in out.rows(query, interaction.id)]


async def stopped(process: Running, *, signals: int = 1) -> float:
    """SIGTERM, more than once maybe; the seconds until it was gone, with status 0 and nothing broken."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(signals):
        process.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
    status = await process.ended()
    assert status == 0, process.stderr
    assert "Traceback" not in process.stderr
    assert sentences(process.stderr) == []
    return loop.time() - begun


async def test_sigterm_in_a_burst_refuses_what_is_new_and_finishes_or_keeps_what_was_accepted(out: Outside) -> None:
    out.spotify.catalogue.add(synthetic(8, seed="stop"))
    await out.link_all(MEMBERS)
    process = await out.start()
    out.spotify.delay_s = 0.3
    out.spotify.fault(path="/v1/*", account="hanging", times=None, **FAULTS["hang"])
    # the last member's calls are those that hang
    before = [await out.save(album, member) for album in ALBUMS[:3] for member in MEMBERS]
    async with asyncio.timeout(START_S):
        while not outcomes(out, before[len(MEMBERS) - 1]):
            await asyncio.sleep(0.01)
    stopping = asyncio.create_task(stopped(process, signals=3))  # whoever is impatient
    after: list[WireInteraction] = []
    for album in ALBUMS[3:]:
        await asyncio.sleep(0.1)
        after += [await out.save(album, member) for member in MEMBERS]
    assert await stopping < STOP_S
    given = [*before, *after]
    for interaction in given:
        text = said(interaction)
        if "I am restarting" in text and "queued" not in text:
            assert outcomes(out, interaction) == []  # refused, and not accepted
        else:
            assert ("Saved" in text) == (outcomes(out, interaction) == ["saved"]), text
            assert "Saved" in text or ("queued" in text and outcomes(out, interaction) == [None])
    accepted = [interaction for interaction in given if outcomes(out, interaction)]
    assert len(accepted) >= len(MEMBERS)
    assert any(interaction not in accepted for interaction in after)
    assert "queued" in said(before[len(MEMBERS) - 1])  # Spotify never answered that one

    # the next start does what was kept, and tells
    out.spotify.clear_faults()
    out.spotify.delay_s = 0.0
    async with out.running():
        for interaction in accepted:
            await until_said(interaction, "Saved", START_S)
    saved = sum(len(out.saved(account)) for account in MEMBERS.values())
    assert saved == len(accepted)


async def test_what_an_answer_told_while_the_bot_stopped_is_not_told_again(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    out.spotify.delay_s = 0.3
    saving = await out.save(FIRST)
    async with asyncio.timeout(START_S):
        while not outcomes(out, saving):
            await asyncio.sleep(0.01)
    await stopped(process)
    assert "Saved" in said(saving)
    assert [row["told"] for row in out.rows("SELECT told FROM change_requests")] == ["yes"]


@asynccontextmanager
async def freezing(url: str) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A port that leads to another one until the event is set; from then on nothing passes and nothing is closed."""
    frozen = asyncio.Event()
    open_: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if frozen.is_set():
                    return
                writer.write(data)
                await writer.drain()
        if not frozen.is_set():
            writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        open_.extend((writer, back))
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], frozen
    finally:
        server.close()
        for writer in open_:
            writer.transport.abort()


async def test_sigterm_waits_for_a_refresh_since_its_token_is_the_only_one_but_not_for_ever(out: Outside) -> None:
    out.spotify.client_secret, out.spotify.rotates = None, True
    await out.link_all({ADA: "ada", BEN: "ben"})
    process = await out.start(SPOTIFY_CLIENT_SECRET="")
    out.spotify.expire_access_tokens()
    out.spotify.fault(path="/api/token", account="ada", delay_s=5.0)
    out.spotify.fault(path="/api/token", account="ben", times=None, hang=True)
    for member in (ADA, BEN):
        await out.save(FIRST, member)
    async with asyncio.timeout(START_S):
        while [call.path for call in out.spotify.calls].count("/api/token") < 2:
            await asyncio.sleep(0.01)
    assert 4.0 < await stopped(process) < STOP_S
    out.spotify.clear_faults()
    async with out.running(SPOTIFY_CLIENT_SECRET=""):
        async with asyncio.timeout(START_S):
            while out.saved("ada") != [FIRST]:
                await asyncio.sleep(0.01)
        assert out.rows("SELECT broken FROM links WHERE member_id = ? AND broken IS NOT NULL", ADA) == []


async def test_sigterm_while_discord_is_silent_ends_it_all_the_same(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with freezing(out.discord.api_url) as (port, frozen):
        through = {
            "DISCORD_API_URL": f"http://127.0.0.1:{port}/api/v10",
            "DISCORD_GATEWAY_URL": f"ws://127.0.0.1:{port}/gateway/",
        }
        # READY would lead around the silence
        out.discord.gateway_url = through["DISCORD_GATEWAY_URL"]
        process = await out.start(**through)
        out.spotify.delay_s = 0.3
        given = await out.save(FIRST)
        async with asyncio.timeout(START_S):
            while not outcomes(out, given):
                await asyncio.sleep(0.01)
        frozen.set()
        assert await stopped(process) < STOP_S
    assert outcomes(out, given) == ["saved"]
    assert said(given) == ""
    out.discord.gateway_url = out.env["DISCORD_GATEWAY_URL"]
    out.spotify.delay_s = 0.0
    async with out.running():  # who was not answered is told
        message = await out.discord.direct_message(ADA, START_S)
        assert "Saved" in "\n".join(texts(message))


class Browser:
    """A browser that follows the flow by itself, with its own cookies."""

    def __init__(self, out: Outside, session: aiohttp.ClientSession) -> None:
        self._out = out
        self._session = session

    async def get(self, url: str) -> tuple[int, str, str]:
        """Status, where it redirects, and the page."""
        async with self._session.get(url, allow_redirects=False) as response:
            return response.status, response.headers.get("Location", ""), await response.text()

    async def to_spotify(self, member: int) -> tuple[WireInteraction, str]:
        """`/link`, and who one is; the command, and Spotify's consent page."""
        link = await self._out.discord.slash(member, "link", {})
        await until_said(link, "Link your Spotify account")
        url = next(button["url"] for button in buttons(link.history[-1]) if "/link/" in button.get("url", ""))
        _, consent, _ = await self.get(url)
        query = dict(part.split("=", 1) for part in urlsplit(consent).query.split("&"))
        here = f"{self._out.env['PUBLIC_URL']}/callback/discord"
        code = self._out.discord.oauth_code(member, here)
        _, consent, _ = await self.get(f"{here}?code={code}&state={query['state']}")
        return link, consent

    async def agree(self, account: str, consent: str) -> str:
        """Agree at Spotify; our callback, not opened yet."""
        data = {"account": account, "decision": "agree"}
        async with self._session.post(consent, data=data, allow_redirects=False) as response:
            return response.headers["Location"]


async def test_sigterm_lets_links_be_made_tells_those_that_are_not_and_uses_up_no_other(out: Outside) -> None:
    for account in ("ada", "ben", "gone"):
        out.spotify.add_account(account, account_id=f"acc-{account}", display_name=account.title())
    process = await out.start()
    async with AsyncExitStack() as stack:
        browsers: dict[int, Browser] = {}
        pages: dict[int, str] = {}
        links: dict[int, WireInteraction] = {}
        for member, account in ((ADA, "ada"), (BEN, "ben"), (GONE, "gone")):
            session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            browsers[member] = browser = Browser(out, await stack.enter_async_context(session))
            links[member], consent = await browser.to_spotify(member)
            pages[member] = await browser.agree(account, consent)
        # of the three exchanges one is slow, one hangs, one is not begun; and a request is half written
        out.spotify.fault(path="/api/token", account="ada", delay_s=1.0)
        out.spotify.fault(path="/api/token", account="ben", **FAULTS["hang"])
        opened = [asyncio.create_task(browsers[member].get(pages[member])) for member in (ADA, BEN)]
        async with asyncio.timeout(START_S):
            while [call.path for call in out.spotify.calls].count("/api/token") < 2:
                await asyncio.sleep(0.01)
        _, half = await asyncio.open_connection("127.0.0.1", int(out.env["WEB_PORT"]))
        half.write(b"GET /callback/spotify?state=x HTTP/1.1\r\nHost: x\r\n")
        stopping = asyncio.create_task(stopped(process))
        await asyncio.sleep(0.3)
        status, _, page = await browsers[GONE].get(pages[GONE])
        assert (status, "This bot is restarting." in page) == (503, True)
        assert await stopping < STOP_S
        half.close()
        (linked, _, _), (status, _, page) = await asyncio.gather(*opened)
        assert linked == 200
        assert (status, "This bot is restarting." in page) == (503, True)
        assert "Linked as **Ada**" in said(links[ADA])
        assert "I am restarting" in said(links[BEN])
        assert [row["member_id"] for row in out.rows("SELECT member_id FROM links")] == [ADA]
        async with out.running():  # the same page, loaded again
            assert (await browsers[GONE].get(pages[GONE]))[0] == 200
            await until_said(links[GONE], "Linked as **Gone**")


# -- the supervisor, and the host


async def test_a_supervisor_hears_when_it_is_ready_that_it_lives_and_when_it_stops(
    out: Outside, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        loop = asyncio.get_running_loop()

        async def until(line: str) -> list[str]:
            lines: list[str] = []
            async with asyncio.timeout(START_S):
                while line not in lines:
                    lines += (await loop.sock_recv(heard, 4096)).decode().split("\n")
            return lines

        out.discord.fault("GET", "/users/@me", delay_s=1.0)
        process = await out.start(ready=False, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        before = await until("WATCHDOG=1")
        assert "STATUS=Connecting to Discord" in before
        assert "READY=1" not in before  # the login takes a second
        await until("READY=1")
        assert (await process.health() or (0,))[0] == 200
        await until("WATCHDOG=1")
        await out.go_offline()
        await until("STATUS=Discord is gone; connecting again")
        process.process.send_signal(signal.SIGTERM)
        await until("STOPPING=1")
        assert await process.ended() == 0


async def test_a_token_that_was_refused_is_told_to_the_host_once_it_is_taken_again(out: Outside) -> None:
    known = out.env["DISCORD_TOKEN"]
    said = await out.refused(DISCORD_TOKEN="MTEw.refused.token-that-is-not-theirs")
    assert "DISCORD_TOKEN: Discord does not accept it." in said
    assert "discord token" in said  # in the log, too
    [row] = out.rows("SELECT * FROM alerts")
    assert row["told_at"] is None
    for _ in range(2):
        async with out.running(DISCORD_TOKEN=known):
            async with asyncio.timeout(START_S):
                while HOST not in out.discord.direct_messages:
                    await asyncio.sleep(0.01)
    [message] = out.discord.direct_messages[HOST]
    assert f"since <t:{row['open_since']}:f>" in "\n".join(texts(message))


async def test_a_lapsed_premium_is_told_once_by_two_processes_of_a_day(out: Outside) -> None:
    await out.link(ADA, "ada")
    out.spotify.fault(path="/v1/*", times=None, **FAULTS["premium"])
    for _ in range(2):
        async with out.running():
            await until_said(await out.save(FIRST), "Premium")
            async with asyncio.timeout(START_S):
                while HOST not in out.discord.direct_messages:
                    await asyncio.sleep(0.01)
    assert len(out.discord.direct_messages[HOST]) == 1
