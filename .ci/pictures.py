"""`make pictures`: make the README's pictures, from what the real bot sends in the sandbox.

The bot runs between the sandbox's stand-ins. What it sends is drawn as a chat would draw it, and its pages are shown
by Chromium. All covers are the sandbox's own.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import simcord
from chat_drawing import Drawing, Json, page
from PIL import Image
from playwright.async_api import Browser, async_playwright

from bot import logs
from bot.sandbox import demo
from bot.sandbox.components import flatten
from bot.sandbox.season import CLUB, ZONE, Season, filled, play_on, raised
from bot.sandbox.stage import set_up
from bot.sandbox.story import follow, until

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
WIDTH = 600
SCALE = 2
FILM_WIDTH = 640
BOOK = (900, 1150)
DEMO = (1200, 800)
FRAME_MS = 2600
COLOURS = 128
"""Of a picture: text and flat covers need no more."""


class Studio:
    """Takes pictures of one server."""

    def __init__(self, season: Season, browser: Browser) -> None:
        self.season = season
        self._browser = browser
        self._font = next((Path(simcord.__file__).parent / "preview/static/fonts").glob("noto-sans-latin-v*.ttf"))
        self._mark = (ROOT / "bot/web/static/mark.svg").read_text()

    @property
    def drawing(self) -> Drawing:
        """Draws messages as they look now."""
        return Drawing(self.season.tells.reader(), self.season.spotify.catalogue.covers(), self._mark)

    async def scene(self, body: str, *, width: int = WIDTH, scale: float = SCALE) -> Image.Image:
        """A picture of what is drawn."""
        context = await self._browser.new_context(device_scale_factor=scale, viewport={"width": width, "height": 400})
        try:
            tab = await context.new_page()
            await tab.set_content(page(body, width, self._font.read_bytes()))
            await tab.evaluate("document.fonts.ready")
            return _image(await tab.locator(".scene").screenshot())
        finally:
            await context.close()

    async def browse(self, size: tuple[int, int], scale: float) -> Any:
        """A new tab, in which covers come from the sandbox's catalogue."""
        context = await self._browser.new_context(
            device_scale_factor=scale, viewport={"width": size[0], "height": size[1]}, color_scheme="light"
        )
        covers = self.season.spotify.catalogue.covers()

        async def cover(route: Any) -> None:
            await route.fulfill(body=covers[route.request.url], content_type="image/png")

        await context.route("https://i.scdn.co/**", cover)
        return await context.new_page()


async def main() -> int:
    """Make all pictures."""
    logs.configure("ERROR", "console", ())
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        async with raised(lambda line: None) as season:
            studio = Studio(season, browser)
            await _link_and_save(studio)
            await _share_and_collect(studio)
            await _club(studio)
        # a season of its own, since a book wants rounds
        async with raised(lambda line: None) as season:
            await play_on(season)
            await _book(Studio(season, browser))
        await _demo(browser)
        await browser.close()
    total = 0
    for path in sorted(FOLDER.iterdir()):
        total += path.stat().st_size
        print(f"{path.stat().st_size / 1024:7.0f} KiB  {path.relative_to(ROOT)}")
    print(f"{total / 1024:7.0f} KiB")
    return 0


async def _link_and_save(studio: Studio) -> None:
    """The film: link, save, Undo. And the two pages on the way."""
    s = studio.season
    ada, frames = s.members["Ada"], []

    async def frame(body: str) -> None:
        frames.append(await studio.scene(body, width=FILM_WIDTH, scale=1.5))

    link = await ada.slash(s.channel, "link")
    asked = studio.drawing.message(
        link.response.components, used="<b>Ada</b> used <b>/link</b>", private=True, pressed="Link Spotify"
    )
    await frame(asked)
    url = next(part["url"] for part in flatten(link.response.components) if part.get("label") == "Link Spotify")
    tab = await studio.browse((853, 627), 1.125)
    await tab.goto(url)
    await tab.get_by_role("button", name="Ada").click()
    await tab.get_by_label("Ada’s music").check()
    await tab.get_by_role("button", name="Agree").scroll_into_view_if_needed()
    frames.append(_image(await tab.screenshot()))
    await tab.get_by_role("button", name="Agree").click()
    await tab.wait_for_url("**/callback/spotify?*")
    await tab.wait_for_load_state()
    frames.append(_image(await tab.screenshot()))
    await tab.context.close()
    await until(lambda: "Linked as" in "".join(s.tells.reader().lines(link.response.components)), "she is linked")
    linked = studio.drawing.message(link.response.components, used="<b>Ada</b> used <b>/link</b>", private=True)
    choices = await ada.autocomplete(s.channel, "save", "albums", "pa")
    offered = [choice["name"] for choice in choices[:4]]
    await frame(linked + studio.drawing.composer("save", "albums", "pa", offered))
    saved = await ada.slash(s.channel, "save", albums=choices[0]["value"])
    used = "<b>Ada</b> used <b>/save</b>"
    await frame(studio.drawing.message(saved.response.components, used=used, private=True))
    await frame(studio.drawing.message(saved.response.components, used=used, private=True, pressed="Undo"))
    await ada.click(saved.response.message, label="Undo")
    await frame(studio.drawing.message(saved.response.components, used=used, private=True))
    _film(frames, "save.gif")


async def _share_and_collect(studio: Studio) -> None:
    s = studio.season
    shared = await s.members["Ada"].slash(
        s.channel,
        "share",
        album=await _value(s, "share", "paper lighthouse"),
        note="For everyone who missed the last ferry.",
    )
    _save(
        await studio.scene(studio.drawing.message(shared.response.components, used="<b>Ada</b> used <b>/share</b>")),
        "share.png",
    )
    given = (
        ("Ada", "attic weather", "Headphones, and a rainy day."),
        ("Ben", "machine hymns", ""),
        ("Chloe", "saudade", "My grandmother’s favourite."),
        ("Nora", "zimowy", ""),
        ("Ben", "button factory", "Six people, one room."),
    )
    for who, title, note in given:
        options = {"note": note} if note else {}
        await s.members[who].slash(s.channel, "crate add", album=await _value(s, "crate add", title), **options)
    crate = await s.members["Chloe"].slash(s.channel, "crate show")
    _save(
        await studio.scene(
            studio.drawing.message(crate.response.components, used="<b>Chloe</b> used <b>/crate show</b>", private=True)
        ),
        "crate.png",
    )


async def _club(studio: Studio) -> None:
    s = studio.season
    preview = await s.types("Nora", "curate new", name=CLUB, pick="vote", day="tuesday", time="20:00", timezone=ZONE)
    await s.presses("Nora", preview.response.message, "Start")
    titles = {"Ada": "sundays at the observatory", "Ben": "copper kettle", "Chloe": "les jours", "Nora": "gravity"}
    note = "Play it in the dark, from the first note."
    for who, title in titles.items():
        extra = {"note": note} if who == "Ada" else {}
        await s.types(who, "club nominate", album=title, **extra)
    await s.to_vote()
    shown = await s.members["Ada"].slash(s.channel, "club vote")
    ranks = ("Sundays", "Les jours", "Copper")
    chosen = dict(zip((part["component"]["custom_id"] for part in shown.modal["components"]), ranks, strict=False))
    _save(await studio.scene(studio.drawing.modal(shown.modal, chosen)), "ballot.png")
    await s.members["Ada"].submit_modal(shown, filled(shown.modal, chosen))
    await s.vote(Ben=["Copper", "Sundays"], Chloe=["Sundays", "Les jours"], Nora=["Gravity", "Sundays"])
    await s.to_club_hour()
    announced = s.last_post("Listen and rate it")
    _save(await studio.scene(studio.drawing.message(_components(announced))), "announcement.png")
    await s.briefly(
        "club rate",
        "You gave",
        Ada={"score": "5", "review": "The caretaker’s song, at four in the morning."},
        Ben={"score": "3.5"},
        Chloe={"score": "4.5", "review": "I want the poster of this."},
        Nora={"score": "4.5"},
    )
    await s.members["Ada"].click(announced, label="Save")
    await s.to_club_hour()
    summary = s.last_post("what you thought of")
    _save(await studio.scene(studio.drawing.message(_components(summary))), "summary.png")


async def _book(studio: Studio) -> None:
    """The top of the club book. Two members have agreed to be named."""
    s = studio.season
    for who in ("Ada", "Ben"):
        own = await s.members[who].slash(s.channel, "mydata")
        await s.members[who].click(own.response.message, label="Name me on public pages")
    said = await s.members["Nora"].slash(s.channel, "curate book on")
    url = next(word for word in "\n".join(_texts(said.response.components)).split() if word.startswith("http"))
    tab = await studio.browse(BOOK, 1.5)
    await tab.goto(url)
    await tab.evaluate(
        "Promise.all([...document.images].map((image) => { image.loading = 'eager'; return image.decode(); }))"
    )
    _save(_image(await tab.screenshot()), "book.png", 256)
    await tab.context.close()


async def _demo(browser: Browser) -> None:
    """The demo's page: Chloe has shared an album, and Ada has linked and saved one."""
    async with set_up() as stage, demo.running(stage) as address:
        demo.furnish(stage)
        ada, chloe, channel = stage.members["Ada"], stage.members["Chloe"], stage.channel
        link = await ada.slash(channel, "link")
        url = next(part["url"] for part in flatten(link.response.components) if part.get("label") == "Link Spotify")
        await follow(url, ada.id, "ada")
        found = await chloe.autocomplete(channel, "share", "album", "sundays")
        await chloe.slash(channel, "share", album=found[0]["value"], note="For the train home.")
        found = await ada.autocomplete(channel, "save", "albums", "slow")
        await ada.slash(channel, "save", albums=found[0]["value"])
        context = await browser.new_context(
            viewport={"width": DEMO[0], "height": DEMO[1]}, color_scheme="light", reduced_motion="reduce"
        )
        tab = await context.new_page()
        await tab.goto(address)
        chat = tab.frame_locator("#chat")
        await chat.get_by_role("button", name="Undo").wait_for()
        await tab.locator("li.is-new").wait_for(state="detached")
        for frame in tab.frames:
            # not through `wait_for_function`, which the pages' policy forbids
            while not await frame.evaluate("[...document.images].every((image) => image.naturalWidth > 0)"):  # noqa: ASYNC110 - a page has no event for it
                await asyncio.sleep(0.1)
        _save(_image(await tab.screenshot()), "demo.png", 256)
        await context.close()


def _texts(components: Sequence[Json]) -> list[str]:
    return [part["content"] for part in flatten(components) if "content" in part]


def _components(message: Any) -> list[Json]:
    return [cast("Json", part.to_dict()) for part in message.components]


async def _value(s: Season, command: str, typed: str) -> str:
    choices = await s.members["Ada"].autocomplete(s.channel, command, "album", typed)
    return str(choices[0]["value"])


def _image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def _save(image: Image.Image, name: str, colours: int = COLOURS) -> None:
    small = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(FOLDER / name, optimize=True)


def _film(frames: Sequence[Image.Image], name: str) -> None:
    """An endless film of pictures that are as wide as each other; lower ones stand on the ground of the chat."""
    width, height = max(frame.width for frame in frames), max(frame.height for frame in frames)
    full = []
    for frame in frames:
        whole = Image.new("RGB", (width, height), frame.getpixel((2, frame.height - 2)))
        whole.paste(frame, (0, 0))
        full.append(whole.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    full[0].save(FOLDER / name, save_all=True, append_images=full[1:], duration=FRAME_MS, loop=0, optimize=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
