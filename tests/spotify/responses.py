"""Canned answers for aiohttp's client: aioresponses, with a shim for aiohttp 3.14.

aioresponses 0.7.9 builds a `ClientResponse` as aiohttp up to 3.13 wanted it. aiohttp 3.14 asks for one argument
more, `stream_writer`, so every canned answer ends in a TypeError
(https://github.com/pnuckowski/aioresponses/issues/289). `CannedResponse` supplies it: a writer that has sent all
there was. Bodies over 64 KB still don't work (they would pause a socket that is not there): a real server serves
those. `test_the_shim_is_still_needed` tells when this can go.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from aiohttp import ClientResponse
from aiohttp.abc import AbstractStreamWriter
from aioresponses import aioresponses


class CannedResponse(ClientResponse):
    """A response that comes from no socket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock(spec=AbstractStreamWriter, output_size=0))
        super().__init__(*args, **kwargs)


class Canned(aioresponses):
    """aioresponses whose answers work on aiohttp 3.14."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        """As aioresponses' own."""
        super().add(*args, **{"response_class": CannedResponse, **kwargs})
