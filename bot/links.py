"""Links, URIs and ids inside any text: where they are, and what they name. Pure, and linear in the text's length.

An id is exactly 22 characters of [0-9A-Za-z], so a Spotify link is safe to read wherever it is, with nothing or with
any sign before and after it. There is one exception: inside another address it is not read
("https://example.org/?u=https://open.spotify.com/...").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.albums import AlbumId, AlbumRef, NotAnAlbum, Reference, ShortLink, TrackRef, Unreadable, is_control, shown
from bot.patterns import pattern

PAGES = (
    *("artist", "audiobook", "chapter", "collection", "concert", "episode", "local", "playlist", "prerelease"),
    *("search", "show", "user"),
)
"""What Spotify has beside albums and tracks, as the `kind` of a `NotAnAlbum`. Anything else at Spotify is a "page"."""

OLD_SHORT = "spoti.fi"
"""The `kind` of a short link at Spotify's former domain. What becomes of those is not known, so they are not followed."""

SERVICES = {
    "Album of the Year": r"(?:www\.)?albumoftheyear\.org",
    "AllMusic": r"(?:www\.)?allmusic\.com",
    "Amazon": r"(?:www\.)?amazon\.[a-z.]{2,6}|amzn\.(?:to|eu)|a\.co",
    "Amazon Music": r"music\.amazon\.[a-z.]{2,6}",
    "Anghami": r"(?:[\w-]{1,20}\.)?anghami\.com",
    "Apple Music": r"(?:[a-z]{1,10}\.)?(?:music|itunes)\.apple\.com|apple\.co|itun\.es",
    "Audiomack": r"(?:www\.)?audiomack\.com",
    "Bandcamp": r"(?:[\w-]{1,63}\.)?bandcamp\.com",
    "Beatport": r"(?:www\.)?beatport\.com",
    "Boomplay": r"(?:www\.)?boomplay\.com",
    "Deezer": r"(?:[\w-]{1,20}\.)?deezer\.(?:com|page\.link)|dzr\.page\.link",
    "Discord": r"(?:[a-z]{1,10}\.)?discord(?:app)?\.com|discord\.gg",
    "Discogs": r"(?:www\.)?discogs\.com",
    "Facebook": r"(?:[a-z]{1,10}\.)?facebook\.com|fb\.(?:me|watch)",
    "Feature.fm": r"(?:[\w-]{1,63}\.)?ffm\.to",
    "Gaana": r"(?:www\.)?gaana\.com",
    "Genius": r"(?:www\.)?genius\.com",
    "Instagram": r"(?:www\.)?instagram\.com",
    "JioSaavn": r"(?:www\.)?jiosaavn\.com",
    "KKBOX": r"(?:www\.)?kkbox\.(?:com|fm)",
    "Last.fm": r"(?:www\.)?last\.fm|(?:www\.)?lastfm\.[a-z]{2,3}(?:\.[a-z]{2})?",
    "LINE MUSIC": r"music\.line\.me",
    "Linkfire": r"(?:[\w-]{1,63}\.)?lnk\.to",
    "Linktree": r"(?:www\.)?linktr\.ee",
    "Melon": r"(?:[a-z]{1,10}\.)?melon\.com",
    "Metacritic": r"(?:www\.)?metacritic\.com",
    "Mixcloud": r"(?:www\.)?mixcloud\.com",
    "Musicboard": r"(?:www\.)?musicboard\.app",
    "MusicBrainz": r"(?:[a-z]{1,10}\.)?musicbrainz\.org",
    "Napster": r"(?:[a-z]{1,10}\.)?napster\.com",
    "NetEase Cloud Music": r"(?:[a-z]\.)?music\.163\.com",
    "Pandora": r"(?:[\w-]{1,20}\.)?pandora\.(?:com|app\.link)",
    "Pitchfork": r"(?:www\.)?pitchfork\.com",
    "QQ Music": r"(?:[a-z]{1,2}\d?\.)?y\.qq\.com",
    "Qobuz": r"(?:[\w-]{1,20}\.)?qobuz\.com",
    "Rate Your Music": r"(?:www\.)?rateyourmusic\.com",
    "Reddit": r"(?:[a-z]{1,10}\.)?reddit\.com|redd\.it",
    "Shazam": r"(?:www\.)?shazam\.com",
    "Songlink": r"(?:song|album|artist)\.link|odesli\.co",
    "Songwhip": r"(?:www\.)?songwhip\.com",
    "SoundCloud": r"(?:[\w-]{1,20}\.)?soundcloud\.(?:com|app\.goo\.gl)",
    "Sputnikmusic": r"(?:www\.)?sputnikmusic\.com",
    "TIDAL": r"(?:[\w-]{1,20}\.)?tidal\.(?:com|link)",
    "TikTok": r"(?:[a-z]{1,10}\.)?tiktok\.com",
    "VK": r"(?:[a-z]{1,10}\.)?vk\.com",
    "Wikipedia": r"(?:[\w-]{1,20}\.)?(?:m\.)?wikipedia\.org",
    "X": r"(?:(?:www|mobile)\.)?(?:twitter|x)\.com",
    "Yandex Music": r"music\.yandex\.[a-z]{2,3}(?:\.[a-z]{2})?",
    "YouTube": r"(?:[\w-]{1,20}\.)?youtube(?:-nocookie)?\.com|youtu\.be",
}
"""The hosts of other services' links, by the service's name, which is the `kind` of a `NotAnAlbum`."""

OUTER = "<>()[]{}\"'`*_~|.,;:!?\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""Signs around a link that are no part of it."""
SHORTEST = len("last.fm")
"""No link is shorter, in characters."""
LINKISH = pattern(r"://|spotify:|spotify\.(?:com|link|app)|spoti\.fi/", re.IGNORECASE)
"""What no text that is searched may hold, also with the long s (U+017F), which is an "s" to those who fold case."""

_FLAGS = re.ASCII | re.IGNORECASE
_COLON, _SLASH = "(?::|%(?:25){0,3}3A)", "(?:/|%(?:25){0,3}2F)"
_PORT = r"\.?(?::0{0,3}(?:443|80)?(?!\d))?"  # what may follow a host's name and leaves it the same host
_SITE = rf"(?:www\.)?(?:open|play)\.spotify\.com{_PORT}"
_ALBUM_SITE = rf"(?:{_SITE}|(?:www\.|embed\.)?spotify\.com{_PORT})"  # more hosts, which name an album as clearly
_SPOTIFY = rf"(?:{_SITE}|(?:www\.|embed\.)?spotify\.com{_PORT}(?={_SLASH})|spotify\.link|spotify\.app\.link)"
# Also cut off at its beginning, come twice, or mistyped before a host that leaves no doubt.
_SCHEME = f"(?:h?ttps?(?:{_COLON}{_SLASH}{_SLASH}|[:;/]{{1,4}}(?={_SPOTIFY}))){{1,2}}"
_NEXT = f"(?:h?ttps?{_COLON}|h?ttps?[:;/]{{1,4}}(?={_SPOTIFY})|spotify{_COLON}|{_SPOTIFY})"  # where another link begins, with nothing in between
_ID = f"[0-9A-Za-z]{{22}}(?:(?={_NEXT})|(?![0-9A-Za-z]))"
_REGION = f"(?:(?:intl-)?[a-z]{{2}}(?:-[0-9a-z]{{2,4}}){{0,2}}{_SLASH}{{1,3}})?"
_BLANK = "%(?:25){0,3}(?:20|0A|0D|09|2C|3B)"  # white space or a separator, percent-encoded

_PAGE = pattern(
    f"(?:{_SCHEME})?{_ALBUM_SITE}{_SLASH}{{1,3}}{_REGION}(?:embed(?:-[a-z]{{1,9}})?{_SLASH}{{1,3}})?{_REGION}"
    f"(?:user{_SLASH}[^/?#]{{1,100}}/)?(?P<kind>[a-z]{{1,20}}){_SLASH}{{1,3}}(?:%20){{0,3}}(?P<id>{_ID})",
    _FLAGS,
)
_URI = pattern(
    f"spotify{_COLON}(?://)?(?:user{_COLON}[^:/,;|?#]{{1,100}}(?<!spotify):)?(?P<kind>[a-z]{{1,20}})(?:{_COLON}|/)(?P<id>{_ID})",
    _FLAGS,
)
# The end of a page's address alone, as somebody copies it who leaves out the host.
_PATH = (
    f"(?:/{{0,3}}|spotify/{{1,3}})(?:intl-[a-z]{{2}}(?:-[0-9a-z]{{2,4}})?/{{1,3}})?(?:embed/{{1,3}})?(?:user/[^/?#]{{1,100}}/)?"
    "(?P<kind>album|artist|audiobook|chapter|concert|episode|playlist|prerelease|show|track)"
    f"(?:/{{1,3}}|:)(?P<path_id>{_ID})"
)
_BARE = pattern(_PATH, _FLAGS)
_SHORT = pattern(
    rf"(?:{_SCHEME})?(?:(?P<host>spotify\.link|spotify\.app\.link)/|{_SITE}/{_REGION}s/)"
    rf"(?P<code>[\w-]{{1,64}}?)(?:(?={_NEXT})|(?![\w-]))",
    _FLAGS,
)
# The address of a player or of the login, with another link or a URI in its query.
_PLAYER = pattern(
    rf"(?:{_SCHEME})?(?:(?:embed\.spotify\.com|{_SITE}(?:/(?:o?embed|go))?)/?\?(?:[\w%=.-]{{1,60}}&){{0,5}}ur[il]="
    rf"|accounts\.spotify\.com/{_REGION}(?:v2/)?login/?\?(?:[\w%=.-]{{1,60}}&){{0,5}}continue=(?={_NEXT}))",
    _FLAGS,
)
_OTHER_PAGE = pattern(rf"(?:{_SCHEME})?{_SITE}(?![\w.@:%\\-])/{{0,3}}{_REGION}(?P<kind>[a-z-]{{0,30}})", _FLAGS)
# Any other page of Spotify's, such as its support; one that should be an album's and is none stays unreadable.
_OTHER_SITE = rf"(?:[a-z0-9-]{{1,63}}\.){{0,3}}spotify\.com{_PORT}(?![\w.@:%\\-])"
_SPOTIFYS = pattern(rf"(?:{_SCHEME})?{_OTHER_SITE}(?!/{{1,3}}{_REGION}(?:album|track|s)(?:/|$))", _FLAGS)
_OTHER_URI = pattern(r"spotify:(?:user:[^:]{1,100}:)?(?P<kind>[a-z]{1,20})(?![\w%-])", _FLAGS)
_OLD_SHORT = pattern(rf"(?:{_SCHEME})?(?:www\.)?spoti\.fi/[\w-]{{1,64}}", _FLAGS)
_SERVICE = pattern(rf"(?:{_SCHEME})?(?:{'|'.join(f'({hosts})' for hosts in SERVICES.values())})(?![\w.@-])", _FLAGS)
_UNSAFE = pattern(r"\.\.|%2e|%00|[@\\]", re.IGNORECASE)

_CANDIDATE = pattern(
    rf"(?P<scheme>{_SCHEME})|(?P<uri>spotify{_COLON})|(?P<path>(?<![^\W_]){_PATH})"
    rf"|(?P<host>(?<![a-z0-9])[a-z0-9][a-z0-9-]{{0,62}}(?:\.(?!https?{_COLON})[a-z0-9-]{{1,63}}){{1,4}})"
    rf"|(?P<id>(?<![0-9A-Za-z]){_ID})",
    _FLAGS,
)
_HOST = pattern(f"(?P<known>{_SPOTIFY}/)", _FLAGS)
# A query goes on until another link begins; one that is the value of a parameter is a part of it, except for "si".
_VALUE = (
    rf"(?<=[?&;#])[\w.-]{{1,40}}(?<![?&;#]si)=(?:spotify{_COLON}|h?ttps?{_COLON}{_SLASH}{{0,2}}[\w.@:-]{{0,100}}"
    rf"|/{{0,2}}(?:[\w-]{{1,40}}[.@]){{0,3}}{_SPOTIFY})"
)
_QUERY = pattern(
    rf"/?\?si=[\w-]{{0,64}}(?=/{_ID})|/?(?![?#&]{_ID}(?!=\w))(?:[?#&]|%(?:25){{0,3}}(?:3F|23|26))(?:{_VALUE}|(?!"
    rf"h?ttps?{_COLON}{_SLASH}|spotify{_COLON}|(?<=si=)/{{0,2}}{_NEXT}"
    rf"|(?<!/)(?<!%2F){_SPOTIFY}|(?<=[^/:=])/{{1,2}}{_SPOTIFY}|[,;?#&]{_ID}(?!=\w)"
    r")[\w.~:/?#@!$&'*+,;=%-])*",
    _FLAGS,
)
# What may follow a link without a query: signs and the end, signs and another link, or a sign that ends it.
_END = pattern(rf"/?(?:{_BLANK}){{0,9}}(?=[^0-9A-Za-z]*(?:$|{_NEXT}|{_ID}))|(?=[^0-9A-Za-z%:@\\_~+=/&-])", _FLAGS)
_AFTER_ID = pattern(rf"(?=(?:{_BLANK}){{0,9}}[\W_]*(?:$|{_NEXT})|[\W_]{{1,8}}{_ID}|[,;|])", re.IGNORECASE)
# The rest of an address that is no link to an album.
_REST = pattern(rf"\S*?(?=$|[,;|](?:{_NEXT}))", re.IGNORECASE)
_REST_OF_KNOWN = pattern(rf"(?:[!-~]|\w)*?(?=$|[^!-~\w]|[<>\"`|]|[,;](?:{_NEXT})|(?<!=)https?://)", re.IGNORECASE)
_ADDRESS = pattern(r"\w\.[a-z]{2,}[/?:@#]|[^\W_]://", _FLAGS)
_SEPARATORS = pattern(f"(?:[,;|/+]|{_BLANK})*", _FLAGS)
_NO_ID_AFTER = pattern(r"[^\W_]|[@/\\=%&#+]")
_NO_HOST_AFTER = pattern(r"[^\W_]|[@\\.%]")
_LETTER = pattern(r"[^\W_]")


def scan(piece: str) -> Iterator[Reference | str]:
    """What a piece of text without white space holds, in order: references, and the words between them."""
    if len(piece) < SHORTEST:
        yield piece
        return
    if not piece.isprintable() and any(map(is_control, piece)):
        yield piece if not LINKISH.search(piece) else Unreadable(shown(piece.strip(OUTER)))
        return
    # where the words before the next reference begin, and where to look for it
    begin = search = 0
    while match := (begin and _HOST.match(piece, begin)) or _CANDIDATE.search(piece, search):
        start = match.start()
        if not _may_begin(match, piece, begin):
            search = max(match.end(), search + 1)
            continue
        if _is_address(piece, begin, start):
            break
        yield from _words(piece[begin:start])
        reference, begin = _link_at(piece, start)
        if separators := _SEPARATORS.match(piece, begin):
            begin = separators.end()
        search = begin
        yield reference
    yield from _words(piece[begin:])


def read_link(text: str) -> Reference | None:
    """One link, URI or id, or None. For autocomplete's values and the target of a short link."""
    found = [part for piece in text.split() for part in scan(piece) if not isinstance(part, str)]
    return found[0] if len(found) == 1 else None


def _may_begin(match: re.Match[str], piece: str, begin: int) -> bool:
    start = match.start()
    if match.lastgroup in ("known", "scheme"):
        return True
    before = piece[max(begin, start - 1) : start]
    if match["uri"]:
        return not before.isalnum()
    # right behind another reference, only signs between them
    is_next = begin > 0 and not _LETTER.search(piece, begin, start)
    if match["host"]:
        if not (
            _SERVICE.match(piece, start)
            or _OLD_SHORT.match(piece, start)
            or _SPOTIFYS.match(piece, start)
            or re.match(_ALBUM_SITE, match["host"], _FLAGS)
            or re.match(_SPOTIFY, match["host"], _FLAGS)
        ):
            return False
        return is_next or before not in tuple("./@:%=\\&") or not _NO_HOST_AFTER.search(piece, begin, start)
    if match["path"]:
        # 22 letters after a word may be two words of a title; only an album has words to search for instead
        if _end(piece, match.end()) is None or (match["path_id"].isalpha() and match["kind"].lower() != "album"):
            return False
    elif not _AFTER_ID.match(piece, match.end()):
        return False
    return (
        is_next
        or (not before or before in ",;|")
        or (start - begin < 40 and not _NO_ID_AFTER.search(piece[begin:start]))
    )


def _is_address(piece: str, begin: int, start: int) -> bool:
    """Whether what is before `start` is an address, of which what begins there is a part."""
    if start > begin and piece[start - 1] in "@\\" and _LETTER.search(piece, begin, start):
        return True
    return bool(_ADDRESS.search(piece, begin, start))


def _words(text: str) -> Iterator[Reference | str]:
    if not any(map(str.isalnum, text)):
        return
    yield Unreadable(shown(text.strip(OUTER))) if LINKISH.search(text) else text


def _link_at(piece: str, start: int) -> tuple[Reference, int]:
    """The reference that begins at `start`, and where it ends."""
    if match := _PLAYER.match(piece, start):
        inner = _CANDIDATE.match(piece, match.end())
        return _link_at(piece, match.end()) if inner else _unreadable(piece, start)
    match = _PAGE.match(piece, start) or _URI.match(piece, start)
    if match and (end := _end(piece, match.end())) is not None:
        return _named(match["kind"].lower(), match["id"], piece[start : match.end()]), end
    if (match := _BARE.match(piece, start)) and (end := _end(piece, match.end())) is not None:
        return _named(match["kind"].lower(), match["path_id"], piece[start : match.end()], is_sure=False), end
    if match := _SHORT.match(piece, start):
        end = _end(piece, match.end())
        host = (match["host"] or "open.spotify.com").lower()
        path = f"/{match['code']}" if match["host"] else f"/s/{match['code']}"
        return (ShortLink(host, path), end) if end is not None else _unreadable(piece, start)
    if (match := _CANDIDATE.match(piece, start)) and match["id"]:
        return AlbumRef(AlbumId(match["id"]), match["id"] if match["id"].isalpha() else ""), match.end()
    return _other(piece, start)


def _named(kind: str, id_: str, text: str, *, is_sure: bool = True) -> Reference:
    """What a kind and an id name. `is_sure`: the text around them is certainly a link, also where the id is a word."""
    if kind == "album":
        return AlbumRef(AlbumId(id_), "" if is_sure or not id_.isalpha() else text)
    if kind == "track":
        return TrackRef(id_)
    return NotAnAlbum(kind if kind in PAGES else "page", shown(text))


def _other(piece: str, start: int) -> tuple[Reference, int]:
    if match := _OLD_SHORT.match(piece, start):
        end = _end_of(_REST_OF_KNOWN, piece, match.end())
        if _UNSAFE.search(piece, start, end):
            return _unreadable(piece, start)
        return NotAnAlbum(OLD_SHORT, shown(piece[start:end].rstrip(OUTER))), end
    if match := _SERVICE.match(piece, start):
        end = _end_of(_REST_OF_KNOWN, piece, match.end())
        assert match.lastindex is not None
        return NotAnAlbum([*SERVICES][match.lastindex - 1], shown(piece[start:end].rstrip(OUTER))), end
    page = _OTHER_PAGE.match(piece, start)
    spotifys = None if page else _SPOTIFYS.match(piece, start)
    match = page or spotifys or _OTHER_URI.match(piece, start)
    if match is None:
        return _unreadable(piece, start)
    end = _end_of(_REST_OF_KNOWN, piece, match.end())
    kind = "page" if spotifys else match["kind"].lower()
    is_known = spotifys is not None or kind in PAGES or (page is not None and kind not in ("album", "track", "s"))
    is_whole = not piece[match.end() : end].strip(OUTER) or piece[match.end()] in "/?#:"
    if not (is_known and is_whole) or _UNSAFE.search(piece, start, end):
        return _unreadable(piece, start)
    return NotAnAlbum(kind if kind in PAGES else "page", shown(piece[start:end].rstrip(OUTER))), end


def _unreadable(piece: str, start: int) -> tuple[Reference, int]:
    end = _end_of(_REST, piece, start)
    return Unreadable(shown(piece[start:end].strip(OUTER))), end


def _end_of(rest: re.Pattern[str], piece: str, start: int) -> int:
    match = rest.match(piece, start)
    return match.end() if match else len(piece)


def _end(piece: str, end: int) -> int | None:
    """Where a link ends whose id or code ends at `end`, or None if it goes on as no such link does."""
    match = _QUERY.match(piece, end) or _END.match(piece, end)
    return None if match is None else match.end()
