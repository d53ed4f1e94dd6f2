"""The stand-in's pages for people: consent, what each account has saved, and refusals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from bot.sandbox.catalogue import Album
from bot.sandbox.markup import document, escape
from bot.sandbox.spotify_server.state import MODIFY, READ, Account

SHOWN = 60
_FRESH_S = 6

_SCOPES = {
    READ: ("See your library", "which albums you have saved"),
    MODIFY: ("Change your library", "save albums, and take them out again"),
    "user-read-email": ("See your e-mail address", "as you entered it"),
    "user-read-private": ("See your subscription", "and your country"),
}

STYLE = """
:root { color-scheme: dark; --accent: #2bd46b; --ground: #121212; --card: #1c1c1c; --line: #333;
  --text: #fff; --quiet: #b6b6b6; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.note { background: #3b2f00; color: #ffe28a; text-align: center; padding: .6rem 1rem; font-size: .9375rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
h1 { line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; }
.quiet { color: var(--quiet); }
"""

_CONSENT_STYLE = (
    STYLE
    + """
main { max-width: 30rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { font-size: 1.6rem; text-wrap: balance; }
ul { list-style: none; margin: 0; padding: 0; border-block: 1px solid var(--line); }
li { padding: .75rem 0; }
li + li { border-top: 1px solid var(--line); }
li b { display: block; }
fieldset { border: 0; margin: 1.75rem 0 0; padding: 0; display: grid; gap: .5rem; }
legend { font-weight: 700; padding: 0; margin: 0 0 .6rem; }
label { display: flex; gap: .75rem; align-items: center; padding: .7rem .9rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; cursor: pointer; }
label:has(:checked) { border-color: var(--accent); }
label span { flex: 1 1 9rem; min-width: 0; overflow-wrap: anywhere; }
label small { color: var(--quiet); text-align: right; }
input { accent-color: var(--accent); width: 1.1rem; height: 1.1rem; margin: 0; flex: none; }
.acts { display: grid; gap: .75rem; margin: 1.75rem 0; }
button { font: inherit; font-weight: 700; padding: .85rem 1rem; border-radius: 999px; cursor: pointer;
  border: 1px solid transparent; }
.agree { background: var(--accent); color: #000; }
.cancel { background: none; color: var(--text); border-color: #7c7c7c; }
"""
)

_LIBRARY_STYLE = (
    STYLE
    + """
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 2rem; }
section { border-top: 1px solid var(--line); padding: 1.5rem 0 1rem; margin-top: 1.25rem; }
h2 { margin: 0 0 1rem; font-size: 1.35rem; overflow-wrap: anywhere; }
h2 small { font-size: .9375rem; font-weight: 400; color: var(--quiet); margin-left: .5rem; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 1.25rem 1rem;
  grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
li { min-width: 0; overflow-wrap: anywhere; }
img { display: block; width: 100%; height: auto; aspect-ratio: 1; background: var(--card);
  margin-bottom: .5rem; }
li b, li span { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
li b { line-height: 1.3; }
li span, time { color: var(--quiet); font-size: .875rem; }
time { font-variant-numeric: tabular-nums; }
.fresh time { color: var(--accent); font-weight: 700; }
"""
)

NOTE = '<div class="note" role="note"><b>A stand-in for Spotify, on this machine.</b> {}</div>'


def consent(app_name: str, scopes: Sequence[str], accounts: Sequence[tuple[Account, bool]], redirect_uri: str) -> str:
    """The page that asks. Its form posts `account` and `decision` to the address it is shown at.

    `accounts`: each with whether it is linked already; the first that is not is chosen beforehand.
    """
    wanted = "".join(
        f'<li><b>{escape(title)}</b><span class="quiet">{escape(rest)}</span></li>'
        for title, rest in (_SCOPES.get(scope, (scope, "")) for scope in scopes)
    )
    chosen = next((account for account, linked in accounts if not linked), accounts[0][0] if accounts else None)
    choices = "".join(_choice(account, linked, account is chosen) for account, linked in accounts)
    name = escape(app_name)
    body = (
        NOTE.format("No real account is used.")
        + f"<main><h1>Let {name} use your account?</h1>"
        + f'<p class="quiet">{name} will be able to do this, and nothing else:</p>'
        + f"<ul>{wanted or '<li>See your name</li>'}</ul>"
        + f'<form method="post"><fieldset><legend>Which account?</legend>{choices}</fieldset>'
        + '<div class="acts"><button class="agree" name="decision" value="agree">Agree</button>'
        + '<button class="cancel" name="decision" value="cancel" formnovalidate>Cancel</button></div></form>'
        + f'<p class="quiet">Either way you go back to {escape(urlsplit(redirect_uri).netloc)}. '
        + "You can take this back at any time on the page of your account.</p></main>"
    )
    return document(f"Let {app_name} use your account?", _CONSENT_STYLE, body)


def _choice(account: Account, linked: bool, chosen: bool) -> str:
    remarks = []
    if linked:
        remarks.append("linked already")
    if not account.allowlisted:
        remarks.append("not on the app’s list")
    return (
        f'<label><input type="radio" name="account" value="{escape(account.id)}" required'
        f"{' checked' if chosen else ''}><span>Continue as <b>{escape(account.name)}</b></span>"
        f"<small>{escape(', '.join(remarks))}</small></label>"
    )


def refusal(text: str) -> str:
    """The page in place of the question, when the address is wrong."""
    body = NOTE.format("") + f'<main><h1>This request is wrong</h1><p class="quiet">{escape(text)}</p></main>'
    return document(text, _CONSENT_STYLE, body)


def library(shelves: Iterable[tuple[Account, Sequence[tuple[Album, datetime]]]], now: datetime) -> str:
    """What every account has saved, the newest first. Loads itself again every 2 seconds."""
    sections = "".join(_section(account, rows, now) for account, rows in shelves)
    body = (
        NOTE.format("Its albums are invented, their covers drawn by us.")
        + "<main><h1>Saved albums</h1><p class='quiet'>What each account has in its library. "
        + "This page looks again every 2 seconds.</p>"
        + (sections or "<p>There is no account yet.</p>")
        + "</main>"
    )
    return document("Saved albums", _LIBRARY_STYLE, body, refresh_s=2)


def _section(account: Account, rows: Sequence[tuple[Album, datetime]], now: datetime) -> str:
    items = "".join(_item(album, added_at, now) for album, added_at in rows[:SHOWN])
    count = f"{len(rows):,} album{'' if len(rows) == 1 else 's'}"
    more = f"<p class='quiet'>and {len(rows) - SHOWN:,} more</p>" if len(rows) > SHOWN else ""
    shelf = f"<ol>{items}</ol>{more}" if rows else "<p class='quiet'>Nothing saved yet.</p>"
    return f"<section><h2>{escape(account.name)}<small>{count}</small></h2>{shelf}</section>"


def _item(album: Album, added_at: datetime, now: datetime) -> str:
    fresh = 0 <= (now - added_at).total_seconds() < _FRESH_S
    moment = "just now" if fresh else f"{added_at:%d %b, %H:%M:%S}"
    return (
        f'<li{" class=fresh" if fresh else ""}><img src="/cover/{album.cover}.png" width="300" height="300" '
        f'alt="Cover of {escape(album.title)} by {escape(album.by)}" loading="lazy">'
        f"<b><bdi>{escape(album.title)}</bdi></b>"
        f"<span><bdi>{escape(album.by)}</bdi> ({album.release_date[:4]})</span>"
        f'<time datetime="{added_at.isoformat()}">{moment}</time></li>'
    )


def link_page(target: str) -> str:
    """The page of a short link for those who are not redirected: `og:url` has the target."""
    address = escape(target)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Open the link</title>'
        f'<meta property="og:url" content="{address}"></head>'
        f'<body><p><a href="{address}">Open</a></p></body></html>'
    )
