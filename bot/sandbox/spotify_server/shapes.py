"""How Spotify writes albums, tracks and pages of them, less the fields gone in development mode. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from bot.sandbox.catalogue import Album, Artist, Track
from bot.sandbox.spotify_server.state import Account, fingerprint

Json = dict[str, object]


def simplified_album(album: Album, api: str) -> Json:
    """An album as searches and tracks hold it. `api`: the Web API's address, for `href`."""
    return {
        "album_type": album.kind,
        "artists": [_artist(artist, api) for artist in album.artists],
        "images": [{"url": i.url, "height": i.width, "width": i.width} for i in album.images],
        "name": album.title,
        "release_date": album.release_date,
        "release_date_precision": album.release_date_precision,
        "total_tracks": album.total_tracks,
        **_thing("album", album.id, api),
    }


def full_album(album: Album, api: str) -> Json:
    """An album as it is answered by id and among the saved ones."""
    tracks = [simplified_track(track, album, api) for track in album.tracks[:50]]
    return {
        **simplified_album(album, api),
        "copyrights": [{"text": f"{album.release_date[:4]} {album.by}", "type": "C"}],
        "external_ids": {"upc": f"{int(fingerprint(album.id)[:12], 16) % 10**12:012}"},
        "genres": [],
        "tracks": paging(tracks, album.total_tracks, f"{api}/albums/{album.id}/tracks", 50, 0),
    }


def simplified_track(track: Track, album: Album, api: str) -> Json:
    """A track as its album holds it."""
    return {
        "artists": [_artist(artist, api) for artist in album.artists],
        "disc_number": 1,
        "duration_ms": track.duration_ms,
        "explicit": False,
        "is_local": False,
        "name": track.name,
        "track_number": track.number,
        **_thing("track", track.id, api),
    }


def full_track(track: Track, album: Album, api: str) -> Json:
    """A track as it is answered by id, with its album."""
    return {**simplified_track(track, album, api), "album": simplified_album(album, api)}


def oembed(album: Album) -> Json:
    """An album as oEmbed tells of it. https://developer.spotify.com/documentation/embeds/reference/oembed"""
    cover = next(image for image in album.images if image.width == 300)
    player = f"https://open.spotify.com/embed/album/{album.id}?utm_source=oembed"
    return {
        "html": f'<iframe width="100%" height="352" title="Spotify Embed" src="{player}"></iframe>',
        "iframe_url": player,
        "width": 456,
        "height": 352,
        "version": "1.0",
        "provider_name": "Spotify",
        "provider_url": "https://spotify.com",
        "type": "rich",
        "title": album.title,
        "thumbnail_url": cover.url,
        "thumbnail_width": cover.width,
        "thumbnail_height": cover.width,
    }


def saved_album(album: Album, added_at: datetime, api: str) -> Json:
    """A row of the library."""
    return {"added_at": added_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "album": full_album(album, api)}


def profile(account: Account, api: str) -> Json:
    """Whose token it is. What needs further scopes, or is gone, is not there."""
    return {
        "account_id": account.account_id,
        "display_name": account.display_name,
        "external_urls": {"spotify": f"https://open.spotify.com/user/{account.id}"},
        "href": f"{api}/users/{account.id}",
        "id": account.id,
        "images": [],
        "type": "user",
        "uri": f"spotify:user:{account.id}",
    }


def paging(
    items: Sequence[Json],
    total: int,
    address: str,
    limit: int,
    offset: int,
    query: Mapping[str, str] | None = None,
) -> Json:
    """One page of many, with the addresses of its neighbours."""

    def at(place: int) -> str:
        return f"{address}?{urlencode({**(query or {}), 'offset': place, 'limit': limit})}"

    return {
        "href": at(offset),
        "items": list(items),
        "limit": limit,
        "next": at(offset + limit) if offset + limit < total else None,
        "offset": offset,
        "previous": at(max(0, offset - limit)) if offset else None,
        "total": total,
    }


def _artist(artist: Artist, api: str) -> Json:
    return {"name": artist.name, **_thing("artist", artist.id, api)}


def _thing(kind: str, id_: str, api: str) -> Json:
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{id_}"},
        "href": f"{api}/{kind}s/{id_}",
        "id": id_,
        "type": kind,
        "uri": f"spotify:{kind}:{id_}",
    }
