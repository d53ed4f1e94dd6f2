"""Albums and members on pages: what is shown of them, and what is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from markupsafe import Markup
from msgspec import Struct

from bot.albums import Album, AlbumId, album_url
from bot.web.html_text import HtmlText
from bot.web.outside_text import legible

IMAGE_HOSTS = ("i.scdn.co", "image-cdn-ak.spotifycdn.com", "image-cdn-fa.spotifycdn.com")
"""Spotify's hosts for covers: the Web API names the first, oEmbed the others."""
NAME_MOST, TITLE_MOST, TEXT_MOST = 80, 200, 2000
Albums = Mapping[AlbumId, Album]


class AlbumShown(Struct, frozen=True):
    """An album on a page. `title`: None where its name is not known yet. `cover`: None: not known, or not Spotify's."""

    url: str
    title: str | None
    by: str
    year: str
    cover: str | None
    large_cover: str | None
    alt: Markup


def album_shown(t: HtmlText, id_: AlbumId, albums: Albums) -> AlbumShown:
    """An album, with what is known of it."""
    album = albums.get(id_)
    if album is None:
        return AlbumShown(album_url(id_), None, "", "", None, None, Markup(""))
    title, by = legible(album.title, TITLE_MOST), legible(album.by, TITLE_MOST)
    alt = t("Cover of {title} by {artist}", title=title, artist=by) if by else t("Cover of {title}", title=title)
    small, large = _from_spotify(album.cover_url), _from_spotify(album.large_cover_url)
    return AlbumShown(album.url, title, by, legible(album.year, 10), small or large, large, alt)


def named(t: HtmlText, name: str | None) -> Markup:
    """A member, by the name that they agreed to."""
    return t("a member") if name is None else bdi(legible(name, NAME_MOST))


def bdi(text: str) -> Markup:
    """Text of unknown direction, which turns nothing around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def _from_spotify(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    return url if parts.scheme == "https" and parts.netloc in IMAGE_HOSTS else None
