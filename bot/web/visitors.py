"""How often one address may ask: far more than people do, and little enough that nobody can keep the database busy."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

BURST, A_SECOND = 600, 10.0
"""A whole server may come through one address (a school, a proxy that names nobody), so this is generous."""
MOST = 10_000
"""Addresses that are remembered; of more, those that asked longest ago are forgotten."""


class Visitors:
    """One bucket per address, which fills up with time."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was

    def is_welcome(self, address: str) -> bool:
        """Count one request."""
        now = self._monotonic()
        left, at = self._seen.pop(address, (float(BURST), now))
        left = min(left + (now - at) * A_SECOND, float(BURST))
        is_welcome = left >= 1
        self._seen[address] = (left - 1 if is_welcome else left, now)
        while len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return is_welcome


def address_of(request: web.BaseRequest) -> str:
    """Who asks. A proxy on this machine or in its private network is trusted to say for whom; nobody else is.

    A proxy adds the address to the end of X-Forwarded-For; anybody can write what comes before it. Of IPv6, a
    household has a network of 64 bits.
    """
    peer = _read(request.remote or "")
    if peer is not None and peer.is_private:
        last = ",".join(request.headers.getall("X-Forwarded-For", [])).rpartition(",")[2]
        peer = _read(last.strip()) or peer
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, 64), strict=False))
    return str(peer)


def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
