"""What pages say when a link was made, when nothing is there, and when too much is asked. Errors: test_error_pages.py."""

from __future__ import annotations

import pytest

from bot.accounts.linking import Linked
from bot.storage.links import Link
from bot.text import texts
from bot.web.pages import bad_request, broken, linked, too_many
from tests.storage.rows import link

ENGLISH = texts("en-US")
QUEUED = "queued. I am working on"


@pytest.mark.parametrize(
    ("before", "waiting", "title", "text"),
    [
        (None, 0, "Linked", ""),
        (link(), 0, "Renewed", "Spotify's permission is valid for another six months."),
        (link(account="acc-ben"), 0, "Linked", "This account replaces acc-ben's music."),
        (None, 1, "Linked", f"1 album was {QUEUED} it, and will tell you in Discord how it went."),
        (
            link(),
            12,
            "Renewed",
            "Spotify's permission is valid for another six months. "
            f"12 albums were {QUEUED} them, and will tell you in Discord how it went.",
        ),
    ],
    ids=["first", "renewed", "replaced", "one album was queued", "renewed, and many were queued"],
)
def test_a_page_says_what_was_linked_what_it_replaces_and_what_is_done_now(
    before: Link | None, waiting: int, title: str, text: str
) -> None:
    page = linked(ENGLISH, Linked(link(), before, "Ada", waiting))
    assert (page.status, page.is_done) == (200, True)
    assert (page.title, page.text) == (f"{title}. You can go back to Discord.", text)
    assert page.accounts == (("On Discord", "Ada"), ("On Spotify", "acc-ada's music"))
    assert page.then == "You can close this page. In Discord, /save saves an album to your library."


def test_what_is_no_page_or_no_request_has_a_page_that_leads_back_to_discord() -> None:
    assert (bad_request(ENGLISH, 404).status, bad_request(ENGLISH, 404).title) == (404, "Page not found.")
    assert (bad_request(ENGLISH, 413).status, bad_request(ENGLISH, 413).title) == (413, "This request is not valid.")
    assert bad_request(ENGLISH, 413).then == "Go back to Discord and use /link to get a new link."
    assert not bad_request(ENGLISH, 404).is_done


def test_our_own_fault_has_a_number_and_too_many_requests_have_an_end() -> None:
    ours, crowd = broken(ENGLISH, "a1b2c3"), too_many(ENGLISH)
    assert (ours.status, ours.then) == (500, "The host can look this number up: a1b2c3")
    assert "use /link again" in ours.text
    assert (crowd.status, crowd.then) == (429, "Wait a minute, then load this page again.")
