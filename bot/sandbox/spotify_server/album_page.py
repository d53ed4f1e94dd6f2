"""The stand-in's page of an album, to which "Open in Spotify" leads. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.catalogue import Album
from bot.sandbox.markup import document, escape
from bot.sandbox.spotify_server.pages import NOTE, STYLE
from bot.sandbox.spotify_server.state import Account

_STYLE = (
    STYLE
    + """
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
.head { display: grid; grid-template-columns: minmax(0, 15rem) minmax(0, 1fr); gap: 1.75rem; align-items: end; }
.head img { display: block; width: 100%; height: auto; aspect-ratio: 1; background: var(--card); }
.kind { margin: 0 0 .25rem; color: var(--quiet); font-size: .9375rem; }
h1 { font-size: clamp(1.75rem, 1.2rem + 2.4vw, 3rem); overflow-wrap: anywhere; }
.head p { overflow-wrap: anywhere; }
.who { margin: 2rem 0 0; padding: .75rem 1rem; background: var(--card); border-radius: .5rem; }
ol { list-style: none; margin: 1.5rem 0 0; padding: 0; }
li { display: grid; grid-template-columns: 2rem minmax(0, 1fr) auto; gap: .75rem; padding: .5rem .25rem;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
li span { color: var(--quiet); font-variant-numeric: tabular-nums; }
@media (max-width: 34rem) { .head { grid-template-columns: 1fr; } .head img { max-width: 15rem; } }
"""
)


def album(shown: Album, keepers: Sequence[Account]) -> str:
    """An album with its tracks. `keepers`: the accounts in whose libraries it is."""
    tracks = "".join(
        f"<li><span>{track.number}</span><bdi>{escape(track.name)}</bdi><span>{_length(track.duration_ms)}</span></li>"
        for track in shown.tracks
    )
    names = ", ".join(f"<b>{escape(account.name)}</b>" for account in keepers)
    title, by = escape(shown.title), escape(shown.by)
    count = f"{shown.total_tracks} track{'' if shown.total_tracks == 1 else 's'}"
    body = (
        NOTE.format("Its albums are invented, their covers drawn by us.")
        + f'<main><div class="head"><img src="/cover/{shown.cover}.png" width="300" height="300" '
        + f'alt="Cover of {title} by {by}"><div><p class="kind">{escape(shown.kind.capitalize())}</p>'
        + f"<h1><bdi>{title}</bdi></h1><p><bdi>{by}</bdi> · {escape(shown.release_date[:4])} · {count}</p></div></div>"
        + f'<p class="who">{f"Saved by {names}." if names else "In nobody’s library."} '
        + '<a href="/library">All libraries</a></p>'
        + f"<ol>{tracks}</ol></main>"
    )
    return document(f"{shown.title} by {shown.by}", _STYLE, body)


def _length(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes}:{seconds:02}"
