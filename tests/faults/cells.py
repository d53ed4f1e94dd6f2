"""One cell of the fault matrix: a member of its own, a fault that only they meet, and a look at everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from yarl import URL

from bot.sandbox.faults import FAULTS
from bot.settings import read_key
from bot.storage.links import REFRESH
from bot.storage.vault import Vault
from tests.discord_wire import WireInteraction, buttons, texts
from tests.faults.rules import ENDED, Expected, expected, kind_of
from tests.process.harness import Outside
from tests.world import KEY

STEPS = {
    "contains": ("GET", "/v1/me/*/contains"),
    # of both generations of the endpoint
    "write": ("PUT", "/v1/me/[al]*"),
    "remove": ("DELETE", "/v1/me/[al]*"),
    "look-up": ("GET", "/v1/albums/*"),
    "refresh": ("POST", "/api/token"),
    "profile": ("GET", "/v1/me"),
}
MODES = ("once", "always", "after work", "cut", "slow", "too slow")
SLOW_S, TOO_SLOW_S = 0.3, 10.5
_VAULT = Vault([read_key(KEY)])
PATIENCE_S = 40.0
"""Longer than anything takes on a busy machine."""


@dataclass(frozen=True)
class Cell:
    """What goes wrong, where, how; and for whom."""

    row: str
    step: str
    mode: str
    member: int
    album: str
    rotates: bool = False

    @property
    def account(self) -> str:
        """The member's Spotify account."""
        return f"m{self.member % 10**6}"

    @property
    def expected(self) -> Expected:
        """What must come of it."""
        return expected(self.row, self.step, self.mode, rotates=self.rotates)

    @property
    def is_carried_out(self) -> bool:
        """Whether a write took effect although it was answered badly."""
        after_work = self.mode == "after work" or self.row.endswith("_after_work")
        return after_work and self.step in ("write", "remove")

    def __str__(self) -> str:
        return f"{self.row} at {self.step}, {self.mode}"


def strike(out: Outside, cell: Cell) -> None:
    """Let it go wrong."""
    method, path = STEPS[cell.step]
    how: dict[str, Any] = dict(FAULTS[cell.row])
    match cell.mode:
        case "after work":
            how["carried_out"] = True
        case "cut":
            how["cut"] = True
        case "slow":
            how["delay_s"] = SLOW_S
        case "too slow":
            how = {"delay_s": TOO_SLOW_S}  # and then carried out and answered as if nothing were
    times = None if cell.mode == "always" else 1
    out.spotify.fault(path=path, method=method, account=cell.account, times=times, **how)
    if cell.step == "refresh":
        out.spotify.expire_access_tokens(cell.account)
    if cell.step == "remove":
        account = out.spotify.accounts[cell.account]
        out.spotify.save(account, cell.album)


class Scene:
    """A cell as it is played: the command and the fault, then its end."""

    def __init__(self, out: Outside, cell: Cell) -> None:
        self.out = out
        self.cell = cell
        self.interaction: WireInteraction

    async def meet(self) -> None:
        """Use the command, meet the fault, and see that what is told is so."""
        out, cell, expected = self.out, self.cell, self.cell.expected
        strike(out, cell)
        token = _refresh_token(out, cell)
        ask = out.unsave if cell.step == "remove" else out.save
        self.interaction = await ask(cell.album, cell.member)
        await self.interaction.message(PATIENCE_S)
        said = kind_of(read(self.interaction))
        if cell.step == "profile":
            assert said == "not linked", said
            await link(out, self.interaction, cell)
            # linked, the change may be done and told already
            heard = [kind_of("\n".join(texts(version))) for version in self.interaction.history[1:]]
            assert expected.first in heard, f"was told {heard}, not {expected.first!r}"
        else:
            assert said == expected.first, f"was told {said}, not {expected.first!r}"
        _judge_between(out, cell, self.interaction, token)

    async def recover(self) -> None:
        """The fault is over: what was kept is carried out and told, after linking again where that was asked for."""
        out, cell, first = self.out, self.cell, self.cell.expected.first
        out.spotify.clear_faults(cell.account)
        if first in ("scope", "relink") and cell.step != "profile":
            await link(out, self.interaction, cell)
        elif cell.step == "profile" and first != "linked":
            again = await out.discord.slash(cell.member, "link", {})
            await again.message(PATIENCE_S)
            await link(out, again, cell)
        last = cell.expected.last
        await _until(lambda: kind_of(read(self.interaction)) == last, self.interaction, last)
        await _judge_at_the_end(out, cell, self.interaction)


def read(interaction: WireInteraction) -> str:
    """What the private message says now."""
    return "\n".join(texts(interaction.history[-1])) if interaction.history else ""


def _judge_between(out: Outside, cell: Cell, interaction: WireInteraction, token: str | None) -> None:
    """What stands on disk and in the library while the fault lasts."""
    first = cell.expected.first
    if cell.expected.then is None or first == "linked":
        return
    rows = out.rows("SELECT outcome FROM library_changes WHERE request_id = ?", interaction.id)
    assert [row["outcome"] for row in rows] == [None], f"told {first!r}, and {[row['outcome'] for row in rows]} on disk"
    there = cell.album in out.saved(cell.account)
    assert there == (cell.is_carried_out is not (cell.step == "remove")), f"told {first!r}, in the library: {there}"
    links = out.rows("SELECT broken FROM links WHERE member_id = ?", cell.member)
    if cell.step == "profile":
        assert links == [], "linked, although Spotify did not say whose account it is"
    else:
        assert links[0]["broken"] == ("revoked" if cell.expected.is_marked else None)
        assert _refresh_token(out, cell) == token, "the refresh token was touched"


async def _judge_at_the_end(out: Outside, cell: Cell, interaction: WireInteraction) -> None:
    last = cell.expected.last
    query = "SELECT outcome, ended_at, told FROM library_changes JOIN change_requests ON id = request_id WHERE id = ?"
    wanted = (ENDED[last], True, "yes")

    def stands() -> tuple[object, ...]:
        return next(
            ((row["outcome"], row["ended_at"] is not None, row["told"]) for row in out.rows(query, interaction.id)), ()
        )

    await _until(lambda: stands() == wanted, interaction, f"{wanted} on disk")
    there = cell.album in out.saved(cell.account)
    if last in ("saved", "already", "removed", "absent"):
        assert there == (last in ("saved", "already")), f"was told {last!r}, and in the library: {there}"
    else:
        assert there == (cell.is_carried_out is not (cell.step == "remove")), (
            f"ended as {last!r}, in the library: {there}"
        )
    # told in the private message: as often as there is something new, and never directly as well
    kinds = [kind_of("\n".join(texts(version))) for version in interaction.history]
    assert len(kinds) == len(set(kinds)), f"told twice: {kinds}"
    assert out.discord.direct_messages.get(cell.member, []) == []
    assert [row["broken"] for row in out.rows("SELECT broken FROM links WHERE member_id = ?", cell.member)] == [None]


async def _until(is_so: Callable[[], bool], interaction: WireInteraction, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, f"waited in vain for {what}; the message says {kind_of(read(interaction))}"
        await asyncio.sleep(0.05)


def _refresh_token(out: Outside, cell: Cell) -> str | None:
    rows = out.rows("SELECT refresh_sealed FROM links WHERE member_id = ?", cell.member)
    return _VAULT.open(rows[0]["refresh_sealed"], cell.member, REFRESH) if rows else None


async def link(out: Outside, interaction: WireInteraction, cell: Cell) -> str:
    """What a browser does with the link in a private message; the last page."""
    urls = [button["url"] for button in buttons(interaction.history[-1]) if "/link/" in (button.get("url") or "")]
    assert urls, f"no link is offered beside {read(interaction)!r}"
    if cell.account not in out.spotify.accounts:
        out.spotify.add_account(cell.account, account_id=f"acc-{cell.account}", display_name="Ada")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:

        async def leads_to(url: str, method: str = "GET", **fields: str) -> str:
            where = URL(url, encoded=True)
            async with browser.request(method, where, data=fields or None, allow_redirects=False) as answer:
                return answer.headers.get("Location", "") or await answer.text()

        asked = parse_qs(urlsplit(await leads_to(urls[0])).query)
        back = asked["redirect_uri"][0]
        code = out.discord.oauth_code(cell.member, back)
        consent = await leads_to(f"{back}?{urlencode({'code': code, 'state': asked['state'][0]})}")
        return await leads_to(await leads_to(consent, "POST", account=cell.account, decision="agree"))
