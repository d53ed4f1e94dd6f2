"""Notices: messages of the outbox that tell what came of requests, links and the host's alerts.

Each kind has two halves here: what is stored (facts, in JSON), and the cards that are drawn from it when it is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from discord import ButtonStyle

from bot import errors
from bot.accounts.browser import DISCORD
from bot.accounts.linking import Linked, LinkNews
from bot.caller import MemberId, RequestId
from bot.chat import host_words, library_cards, transfer
from bot.chat.cards import Card, text_card
from bot.chat.components import CustomId
from bot.chat.delivery import Delivery
from bot.chat.parts import button
from bot.chat.words import Words
from bot.errors import (
    InternalError,
    LinkDeclined,
    NeedsRelink,
    RedirectMissing,
    Refused,
    StorageUnavailable,
    TryLater,
    UserError,
    WrongDiscordAccount,
)
from bot.library import Library
from bot.library.imports import Importing
from bot.monitoring.alerts import Alert, Cause, Facts
from bot.storage.attempts import LIFE_S
from bot.storage.changes import HELD_MESSAGE, OUTCOME_MESSAGE
from bot.storage.engine import Connection
from bot.storage.links import Link
from bot.storage.outbox import Answer, FollowUp, Hosts, Message, Outbox, State, Way

LINK_NEWS, HOST_ALERT = "link news", "host alert"
LINK_S = 5.0
"""How long the browser waits for the private message to change before it shows its page."""
HOST_S = 10.0

_BY_NAME = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, UserError)}


class Notices:
    """Stores notices about links and alerts, and draws all of them."""

    def __init__(
        self,
        delivery: Delivery,
        outbox: Outbox,
        library: Library,
        importing: Importing,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._delivery = delivery
        self._outbox = outbox
        self._now = now
        self._library = library
        self._importing = importing
        delivery.register(OUTCOME_MESSAGE, self._outcome)
        delivery.register(HELD_MESSAGE, self._held)
        delivery.register(LINK_NEWS, self._link_news)
        delivery.register(HOST_ALERT, self._alert)

    # -- requests; their messages are stored with the end of the request

    async def _outcome(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        report = await self._library.outcome(RequestId(payload["request"]))
        if report is None:
            return []
        if (imported := await self._importing.outcome(report.request)) is not None:
            return transfer.summary(words, imported)
        noted = payload.get("notes", 0)
        cards = library_cards.report(words, report, noted=noted, is_direct=payload["way"] != Way.ANSWER)
        # Whoever pressed Undo has read the card, which says so now: an edit that is tried again must not set it back.
        return [] if report.request.undone_by is not None and len(cards) == 1 else cards

    async def _held(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        why = NeedsRelink(NeedsRelink.Reason(payload["reason"]))
        report = await self._library.held(RequestId(payload["request"]), why)
        return [] if report is None else library_cards.report(words, report)

    # -- links

    async def tell_link(self, news: LinkNews) -> None:
        """Say what came of linking, in the private message of the command that offered it."""
        if (message := self._of_link(news)) is not None:
            await self._delivery.send_anyway(message, LINK_S)

    def put_link(self, c: Connection, news: LinkNews) -> None:
        """The same, stored in the transaction that stores the link; `tell_link` waits until it has arrived."""
        if (message := self._of_link(news)) is not None:
            self._outbox.put(c, message, self._now())

    def _of_link(self, news: LinkNews) -> Message | None:
        if news.interaction_token is None:
            return None
        # The link lives for 10 minutes, and the token for 15 since then.
        asked_at = self._now() - timedelta(seconds=LIFE_S)
        what = news.news
        address: Answer | FollowUp
        if not isinstance(what, Linked) and _keeps_link(what):
            address = FollowUp(news.member, news.interaction_token, asked_at)
        else:
            address = Answer(news.member, news.interaction_token, asked_at, or_directly=False)
        facts: dict[str, Any] = {"member": news.member}
        if isinstance(what, Linked):
            facts["link"] = _account(what.link)
            facts["before"] = None if what.before is None else _account(what.before)
        else:
            facts |= facts_of(what)
        return Message(LINK_NEWS, f"{news.member}:{news.id}", address, facts, news.locale)

    async def _link_news(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        member = MemberId(payload["member"])
        if "link" not in payload:
            return [await self._not_linked(member, error_of(payload), words)]
        before = None if payload["before"] is None else _link(member, payload["before"])
        return [text_card(words.linked(_link(member, payload["link"]), before))]

    async def _not_linked(self, member: MemberId, error: UserError, words: Words) -> Card:
        """Why nothing was linked, what still waits for that, and the way to try again."""
        if _keeps_link(error):
            return text_card(words.error(error))
        waiting = 0
        with suppress(StorageUnavailable):  # why nothing was linked matters more
            waiting = await self._library.waiting_for_link(member)
        said = [words.error(error), words.until_then(waiting)] if waiting else [words.error(error)]
        again = button(words.t("Link Spotify"), CustomId("link-now"), ButtonStyle.primary)
        return text_card(words.t.sentences(said), again)

    # -- alerts

    async def tell_host(self, alert: Alert) -> bool:
        """Say what only the host can solve; False if no way to them is open."""
        facts = alert.facts
        payload = {
            "cause": alert.cause.value,
            "since": alert.since.isoformat(),
            "until": None if facts.until is None else facts.until.isoformat(),
            "free": facts.free,
            "reason": facts.reason,
        }
        subject = f"{alert.cause.value}:{secrets.token_hex(8)}"
        state = await self._delivery.send_anyway(Message(HOST_ALERT, subject, Hosts(), payload), HOST_S)
        return state in (State.CONFIRMED, State.STORED)

    async def _alert(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        until = payload["until"]
        facts = Facts(None if until is None else datetime.fromisoformat(until), payload["free"], payload["reason"])
        alert = Alert(Cause(payload["cause"]), datetime.fromisoformat(payload["since"]), facts)
        return [text_card(host_words.sentences(words.t, alert))]


def _keeps_link(error: UserError) -> bool:
    """Whether the link goes on living after that, so that its button stays."""
    return isinstance(error, WrongDiscordAccount) or (isinstance(error, LinkDeclined) and error.provider == DISCORD)


def facts_of(error: UserError) -> dict[str, Any]:
    """An error as JSON: its name, and what it carries."""
    facts: dict[str, Any] = {"error": type(error).__name__, "is_own_app": error.is_own_app}
    match error:
        case TryLater():
            facts |= {"cause": error.cause.value, "until": error.until.isoformat() if error.until else None}
        case NeedsRelink():
            facts["reason"] = error.reason.value
        case LinkDeclined():
            facts["provider"] = error.provider
        case InternalError():
            facts["reference"] = error.reference
        case RedirectMissing():
            facts["redirect_uri"] = error.redirect_uri
        case Refused():
            facts |= {"status": error.status, "message": error.message}
    return facts


def error_of(facts: Mapping[str, Any]) -> UserError:
    """The error that `facts_of` took apart."""
    error = _made(_BY_NAME.get(facts["error"], UserError), facts)
    error.is_own_app = facts["is_own_app"]
    return error


def _made(kind: type[UserError], facts: Mapping[str, Any]) -> UserError:
    if kind is TryLater:
        until = facts["until"]
        return TryLater(TryLater.Cause(facts["cause"]), None if until is None else datetime.fromisoformat(until))
    if kind is NeedsRelink:
        return NeedsRelink(NeedsRelink.Reason(facts["reason"]))
    if kind is LinkDeclined:
        return LinkDeclined(facts["provider"])
    if kind is InternalError:
        return InternalError(facts["reference"])
    if kind is RedirectMissing:
        return RedirectMissing(facts["redirect_uri"])
    if issubclass(kind, Refused):
        return kind(facts["status"], facts["message"])
    return kind()


def _account(link: Link) -> dict[str, str]:
    return {"id": link.account_id, "name": link.account_name}


def _link(member: MemberId, account: Mapping[str, str]) -> Link:
    """As much of a link as its notice says."""
    long_ago = datetime.fromtimestamp(0, UTC)
    return Link(member, "", account["id"], account["name"], long_ago, long_ago, None)
