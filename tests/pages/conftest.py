"""One Chromium for a module, and a page of it: on a phone and on a desk, by day and by night."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.pages.sight import CHROMIUM, QUIET, Sight
from tests.web.stage import Stage, raised


@pytest_asyncio.fixture(loop_scope="module")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with raised(tmp_path) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[390, 1280])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest_asyncio.fixture(loop_scope="module")
async def sight(stage: Stage, chromium: Browser, scheme: Any, width: int) -> AsyncIterator[Sight]:
    context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    sight = Sight(page, stage, scheme == "dark")
    page.on("request", lambda request: sight.hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: sight.complaints.append(str(error)))
    page.on(
        "console",
        # Chromium says by itself that a page came with 4xx, which is what an error page is.
        lambda message: (
            "the server responded with a status of" in message.text or sight.complaints.append(message.text)
        ),
    )
    yield sight
    await context.close()
