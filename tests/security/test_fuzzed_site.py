"""Every address of the site, with whatever can be put into a request: always one of our pages, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.reading import parsed, protected, raw
from tests.web.stage import MIA, Browser, Stage

MARK = b"zqmarkqz"
"""Stands in every part that the visitor chooses, and so never in an answer nor in the log."""
STATE = "A" * 43

# One byte that does not belong there, and nothing of a request is read: these come now and then, and are not the rule.
wild = st.binary(max_size=60).map(lambda raw: raw.translate(None, b"\r\n"))
in_header = bytes(byte for byte in range(0x20, 0x100) if byte != 0x7F)
in_address = bytes(byte for byte in range(0x21, 0x7F) if byte not in b"#?")


def made_of(allowed: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of these, and in one case of 40 any."""
    fit = st.lists(st.sampled_from(allowed), max_size=80).map(bytes)
    return st.integers(0, 39).flatmap(lambda chance: wild if chance == 17 else fit)


bites = st.one_of(
    made_of(in_address),
    st.text(max_size=40).map(lambda text: "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace")).encode()),
    st.sampled_from(
        [
            b"",
            b"%00",
            b"%",
            b"%zz",
            b"%FF",
            b"..%2f..",
            b"<script>",
            b"%E2%80%AE",
            b"&&=&",
            b"{{7*7}}",
        ]
    ),
    st.sampled_from([b"A" * 43, b"A" * 43 + b"%FF", b"a" * 3000, b"access_denied", b"%0d%0aSet-Cookie:%20x=y"]),
)
marked = bites.map(lambda bite: bite + MARK)
paths = st.one_of(
    st.sampled_from([b"/", b"/privacy", b"/healthz", b"/readyz", b"/callback/discord", b"/callback/spotify"]),
    marked.map(lambda bite: b"/link/" + bite),
    marked.map(lambda bite: b"/static/" + bite),
    marked.map(lambda bite: b"/club/" + bite),
    marked.map(lambda bite: b"/crate/" + bite + b"/feed.atom"),
    marked.map(lambda bite: b"/" + bite),
)  # fmt: skip
names = st.sampled_from([b"state", b"code", b"error", b"error_description", b"next", b"redirect_uri"])
queries = st.lists(st.tuples(st.one_of(names, marked), st.one_of(bites, marked)), max_size=5).map(
    lambda pairs: b"&".join(name + b"=" + value for name, value in pairs)
)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"Cookie", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"Accept",
                         b"Range", b"If-None-Match", b"Authorization", b"Origin", b"Expect", b"Upgrade", b"TE"]),
        made_of(in_header).map(lambda value: value + MARK),
    ),
    max_size=4,
)  # fmt: skip
cookies = st.one_of(bites, made_of(in_header), st.just(b"A" * 43)).map(
    lambda bite: b"gatefold=" + bite.replace(b";", b"")
)
methods = st.sampled_from([b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE"])


@pytest.fixture
def were_read() -> Iterator[list[bool]]:
    """Whether each request of the run was read: if most were not, the run would be a test of aiohttp's parser."""
    found: list[bool] = []
    yield found
    assert sum(found) > 0.8 * len(found)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=methods, path=paths, query=queries, more=headers, cookie=cookies)
async def test_no_request_gets_more_than_a_page_of_ours(
    stage: Stage,
    capsys: pytest.CaptureFixture[str],
    were_read: list[bool],
    method: bytes,
    path: bytes,
    query: bytes,
    more: list[tuple[bytes, bytes]],
    cookie: bytes,
) -> None:
    lines = [method + b" " + path + b"?" + query + b" HTTP/1.1", b"Host: x", b"Connection: close", b"Cookie: " + cookie]
    lines += [name + b": " + value for name, value in more]
    status, answered, text = parsed(await raw(stage, b"\r\n".join([*lines, b"", b""])))
    assert status in (200, 400, 404, 405, 413, 417)
    protected(answered)
    assert not answered.get("location")
    assert not answered.get("set-cookie")
    log = capsys.readouterr().out
    were_read.append("unreadable" not in log)
    for seen in (text, str(answered), log):
        assert MARK.decode() not in seen
        assert "Traceback" not in seen
    if answered["content-type"].startswith("text/html") and method != b"HEAD":
        assert re.search(r"<title>[A-Z][^<]+</title>", text)
    assert stage.discord.calls == []
    assert stage.spotify.calls == []
    assert stage.told == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(provider=st.sampled_from(["discord", "spotify"]), query=queries, cookie=cookies)
async def test_a_good_state_without_its_cookie_gets_no_further_whatever_else_comes(
    stage: Stage, browser: Browser, provider: str, query: bytes, cookie: bytes
) -> None:
    """The worst case: somebody has the state of a flow that is under way, and lacks only the browser."""
    browser.session.cookie_jar.clear()
    link = await stage.ask()
    consent = await browser.open(link)
    if provider == "spotify":
        consent = (await browser.get(await browser.be(MIA, consent))).goes_to
    before = stage.identifications
    state = re.search(r"state=([\w-]+)", consent)
    assert state is not None
    asked = b"/callback/%s?state=%s&%s" % (provider.encode(), state[1].encode(), query)
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: %s\r\n\r\n" % (asked, cookie)
    status, answered, text = parsed(await raw(stage, request))
    assert status in (400, 403)
    protected(answered)
    assert MARK.decode() not in text
    assert stage.identifications == before
    assert not any(call.path == "/api/token" for call in stage.spotify.calls)
    assert (await stage.counts())[0] == 0
