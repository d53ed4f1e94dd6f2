"""In the made-up language: every sentence comes from the catalogue, and everything fits when it grows by 40 %."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import discord
import pytest
from discord import app_commands
from msgspec.structs import replace

from bot import errors
from bot.accounts.linking import Linked
from bot.albums import Album
from bot.caller import MemberId, RequestId
from bot.changes import Action, ChangeRequest, LibraryChange, Outcome
from bot.chat import cards, host_words, library_cards
from bot.chat.own_app import Ways
from bot.chat.parts import link_button
from bot.chat.saving import notes_of
from bot.chat.translator import CatalogueTranslator
from bot.chat.words import AllWords
from bot.errors import InternalError, LinkDeclined, NeedsRelink, Refused, TryLater, UserError
from bot.library import NAMES, Report
from bot.monitoring.alerts import Alert, Cause, Facts
from bot.storage.changes import UndoVerdict
from bot.storage.links import Link
from bot.text import LANGUAGES, texts
from bot.text.languages import PSEUDO
from bot.web import pages
from bot.web.drawing import TEMPLATES
from tests.chat.features import every_feature
from tests.chat.outcomes import TOLD, change
from tests.discord_wire import Json, message_flaws
from tests.text.reading import PageTexts, flaws, outside
from tests.web.stage import MIA, NOAH, Browser, Stage

T = texts(PSEUDO)
WORDS = AllWords("https://bot.example/privacy")(PSEUDO)
WAYS = Ways((link_button("https://bot.example/link/1", "♪"),), "")
AT = datetime(2026, 11, 27, tzinfo=UTC)


def every_error() -> Iterator[UserError]:
    """One of each, with each of its reasons."""
    for kind in vars(errors).values():
        if not (isinstance(kind, type) and issubclass(kind, UserError)) or kind is UserError:
            continue
        if kind is NeedsRelink:
            yield from map(NeedsRelink, NeedsRelink.Reason)
        elif kind is TryLater:
            yield from (TryLater(cause, until) for cause in TryLater.Cause for until in (AT, None))
        elif kind is LinkDeclined:
            yield from map(LinkDeclined, ("discord", "spotify"))
        elif issubclass(kind, Refused):
            yield kind(400, "♪")
            yield kind(400, "")
        elif kind is InternalError:
            yield InternalError("123456")
        else:
            _, *facts = inspect.signature(kind.__init__).parameters.values()
            yield kind(*["♪" for fact in facts if is_needed(fact)])


def is_needed(parameter: inspect.Parameter) -> bool:
    """Whether an error wants this fact."""
    is_positional = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    return is_positional and parameter.default is inspect.Parameter.empty


ERRORS = [*every_error()]


# -- cards


def report(changes: Sequence[LibraryChange], *, held: UserError | None = None, with_names: bool = True) -> Report:
    """What came of these changes; all names are made of notes, so that no word is one of theirs."""
    request = ChangeRequest(
        id=RequestId(1),
        member=MemberId(2),
        action=changes[0].action,
        undoes=None,
        undone=False,
        created_at=AT,
        ended=all(change.outcome for change in changes),
        changes=tuple(changes),
    )
    ids = [id_ for one in changes[:NAMES] if (id_ := one.album_id)]
    named = {id_: Album(id_, "♪" * 200, ("♫" * 100,), "2011", "https://i.scdn.co/image/1") for id_ in ids}
    return Report(request, named if with_names else {}, held)


def made(outcome: Outcome | None, action: Action, count: int) -> list[LibraryChange]:
    """Changes with one outcome, whose facts hold no word."""
    one = [replace(change(outcome, action, position), reference=f"♩ {position}") for position in range(count)]
    details = {Outcome.REFUSED: "♪", Outcome.OFFERED: f"{'1' * 22},{'2' * 22}"}
    return [replace(each, detail=details.get(outcome, each.detail) if outcome else None) for each in one]


def seen(drawn: Sequence[cards.Card]) -> list[Json]:
    """Cards as messages."""
    return [{"content": "", "embeds": [], "flags": 1 << 15, "components": card.to_components()} for card in drawn]


def is_fine(drawn: Sequence[cards.Card]) -> None:
    """Every word is from the catalogue, nothing is cut off, and Discord would take it."""
    for message in seen(drawn):
        assert flaws(message) == []
        assert [*message_flaws(message)] == []


@pytest.mark.parametrize("with_names", [True, False], ids=["names", "no names"])
@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
async def test_every_card_about_changes(outcome: Outcome | None, action: Action, count: int, with_names: bool) -> None:
    changes = made(outcome, action, count)
    held = None if outcome else TryLater(TryLater.Cause.UNAVAILABLE)
    told = report(changes, held=held, with_names=with_names)
    is_fine(library_cards.report(WORDS, told, ways=WAYS))
    _, notes = notes_of(WORDS, [told])
    assert [words for note in notes if (words := outside(note))] == []


async def test_a_card_with_every_outcome_at_once() -> None:
    changes = [each for outcome in TOLD for each in made(outcome, Action.SAVE, 3)]
    changes += made(Outcome.IGNORED, Action.SAVE, 1)
    is_fine(library_cards.report(WORDS, report(changes, held=NeedsRelink(NeedsRelink.Reason.SCOPE)), ways=WAYS))


@pytest.mark.parametrize("count", [1, 1200])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error}")
def test_every_refusal_and_every_reason_to_wait(error: UserError, action: Action, count: int) -> None:
    for text in (WORDS.error(error), WORDS.held(error, count, action)):
        assert outside(text) == []
        assert len(text) < 2000


def test_every_other_shared_sentence() -> None:
    link = Link(2, "client", "account", "♪", AT, AT, None)
    others = [replace(link, account_name="♫"), replace(link, account_id="another"), None]
    spoken = [
        *map(WORDS.undo, UndoVerdict),
        *map(WORDS.no_albums, Action),
        *(WORDS.linked(link, before) for before in others),
        WORDS.nothing_to_undo(),
        WORDS.old_command(),
        WORDS.link_offer() + WORDS.consent(),
        WORDS.relink_offer("♪") + WORDS.consent(),
        WORDS.account("♪", AT, AT) + WORDS.pending(12, ["♩"] * 10) + WORDS.consent(),
        *(
            WORDS.dropped(count, left, is_sure=is_sure)
            for count in (0, 1, 3)
            for left in (0, 1, 3)
            for is_sure in (False, True)
        ),
        *map(WORDS.unlink_question, ("♪", None)),
        WORDS.unlinked(),
        WORDS.help(),
        WORDS.earlier(),
    ]
    for text in spoken:
        assert outside(text) == []
        assert len(text) < library_cards.TEXT_MOST


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("facts", [Facts(AT, 150 * 1024**2, "♪"), Facts(None, None, "♪")], ids=["all", "few"])
def test_every_message_to_the_host(cause: Cause, facts: Facts) -> None:
    text = host_words.sentences(T, Alert(cause, AT, facts))
    assert outside(text, ["MB", "GB"]) == []
    assert len(text) < 2000


# -- commands


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "messages_tool", Path(__file__).resolve().parents[2] / ".ci/messages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def payloads() -> list[Json]:
    """Every command as Discord gets it, with its translations."""
    client = discord.Client(intents=discord.Intents.none())
    tree = app_commands.CommandTree(client)
    translator = CatalogueTranslator()
    found = [command for feature in every_feature() for command in feature.commands]
    for feature in every_feature():
        found += [command for commands in feature.subcommands.values() for command in commands]
    return [await command.get_translated_payload(tree, translator) for command in found]


def parts_of(payload: Json) -> Iterator[Json]:
    """A command, its subcommands, its options and their choices."""
    yield payload
    for below in [*payload.get("options", ()), *payload.get("choices", ())]:
        yield from parts_of(below)


async def test_every_name_and_description_of_a_command_is_in_the_catalogue() -> None:
    tool = _tool()
    catalog = tool.collect(tool.ROOT)
    flawed = []
    for payload in await payloads():
        is_menu = payload["type"] in (2, 3)
        for part in parts_of(payload):
            is_choice = "value" in part
            context = None if is_menu or is_choice else "command name"
            if catalog.get(part["name"], context) is None:
                flawed.append(f"{payload['name']}: the name {part['name']!r}")
            if part.get("description") and catalog.get(part["description"]) is None:
                flawed.append(f"{payload['name']}: {part['description']!r}")
    assert flawed == [], chr(10).join(flawed)


async def test_every_translated_name_and_description_is_one_that_discord_takes() -> None:
    for payload in await payloads():
        for part in parts_of(payload):
            is_plain = "value" in part or payload["type"] in (2, 3)
            for name in (part.get("name_localizations") or {}).values():
                assert is_plain or re.fullmatch(r"[-\w]{1,32}", name), name
                assert is_plain or name == name.lower(), name
                assert len(name) <= (100 if "value" in part else 32), name
            for text in (part.get("description_localizations") or {}).values():
                assert 1 <= len(text) <= 100, text
        names: dict[str, list[str]] = {}
        for option in payload.get("options", ()):
            for locale, name in (option.get("name_localizations") or {}).items():
                names.setdefault(locale, []).append(name)
        assert all(len(set(given)) == len(given) for given in names.values()), "two options share a name"


# -- pages


def drawn(stage: Stage, template: str, **facts: object) -> str:
    """A page in the made-up language."""
    return stage.app[TEMPLATES].render(template, T, **facts)


def every_page() -> Iterator[pages.Page]:
    yield from (pages.of_error(T, error) for error in ERRORS)
    yield from (pages.bad_request(T, status) for status in (400, 404))
    link = Link(2, "client", "account", "♪", AT, AT, None)
    for before in (None, link, replace(link, account_id="another")):
        yield pages.linked(T, Linked(link, before, "♫"))


async def test_every_page_is_from_the_catalogue(stage: Stage) -> None:
    htmls = [drawn(stage, "page.html", page=page) for page in every_page()]
    htmls.append(drawn(stage, "front.html"))
    for html in htmls:
        assert 'lang="qps-ploc"' in html
        for text in PageTexts(html).texts:
            assert outside(text, ["Gatefold"]) == [], text


async def test_a_page_is_in_the_language_that_the_browser_asks_for(stage: Stage, browser: Browser) -> None:
    for language in LANGUAGES:
        asked = language.replace("_", "-")
        page = await browser.get("/", headers={"Accept-Language": f"{asked}, en;q=0.5"})
        assert f'<html lang="{asked}">' in page.text
        assert page.title == texts(language)("Albums, from Discord to your own Spotify library.")


async def test_the_page_after_linking_is_in_the_members_language(stage: Stage, browser: Browser) -> None:
    spotify = await browser.to_spotify(await stage.ask(MIA, locale=PSEUDO))
    page = await browser.get(await browser.agree("mia", spotify), headers={"Accept-Language": "fr"})
    assert page.status == 200
    assert page.title.startswith("⟦")


async def test_a_stranger_at_a_link_does_not_learn_its_members_language(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(NOAH, await browser.open(await stage.ask(MIA, locale=PSEUDO)))
    page = await browser.get(callback, headers={"Accept-Language": "de"})
    assert page.status == 403
    assert '<html lang="de">' in page.text
