"""Whether words name an album: titles, labels in any usual form, and what else to search for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import structs

from bot.albums import Album, fold
from bot.patterns import pattern

LABEL_CUT = 60
"""A label that ends in "…" was cut to what a choice may hold; it is longer than this, in characters."""
QUERIES = 4
"""How many more searches are made at most for words that no album is called."""

_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "\u0131": "i"}
    | dict.fromkeys("'\u02bb\u02bd\u00b4`")
)
_YEAR = pattern(r"(?:\([^()]*?)?\W?(?<![0-9])([0-9]{4})(?![0-9])(?:[^()]*\))?\W*$")
"""The year at the end, with the rest of its parentheses: "(2011)", "(12 tracks, 2011)", "(September 16, 2011)"."""
_YEAR_WITHIN = pattern(r"\s*(?:[(\[]([0-9]{4})[)\]]|(?:^|(?<=[-–—|/·,]))\s*([0-9]{4})\s*(?:[-–—|/·,]|$))\s*")
"""A year between title and artist or before both, apart from them: "Joni Mitchell (1971) Blue", "1971 - Blue"."""
_AND = pattern(r"\s*(?<!\S)[&+]\s+|\s+[&+](?!\S)\s*|(?<=\w)&(?=\w)")
_SIGN = pattern(r"\s+[-–—|/·•](?=\s)|\s*[「」『』]")
"""What is between title and artist, and in neither."""
_WORD = pattern(r"\s+(?:by|von|de|par|por|du|van|av|af|di)(?=\s)", re.IGNORECASE)
"""What may be between title and artist, in the languages that the bot writes and in some more."""

_AROUND = "\"'`*_~\u201c\u201d\u201e\u2018\u2019«»「」『』 "
"""Quotes and emphasis."""


def best(albums: Iterable[Album], text: str) -> list[Album]:
    """The albums that a text names best: by their very titles, else by title and artists, else by the same words."""
    ranked = [(_rank(album, text), album) for album in albums]
    top = min((rank for rank, _ in ranked if rank is not None), default=None)
    found = [album for rank, album in ranked if rank is not None and rank == top]
    return _as_typed(found, text) if top == 1 else found


def _as_typed(albums: list[Album], text: str) -> list[Album]:
    """Of labels that differ in signs alone, those whose title was typed with its signs; all if none was."""
    typed = fold(text)
    lengths = [len(title) if (title := fold(album.title)) in typed else 0 for album in albums]
    return [album for album, length in zip(albums, lengths, strict=True) if length == max(lengths)]


def is_whole(album: Album, text: str) -> bool:
    """Whether the text is the album's label, or one artist's whole name with nothing beside it but words of the title.

    So that "Earth, Wind & Fire" and "Gratitude, Earth, Wind & Fire (1975)" are not taken for several titles.
    """
    if _rank(album, text) is not None:
        return True
    words, title = _words_of(text), {*_words_of(album.title), album.year}
    for artist in map(_words_of, album.artists):
        for at in range(len(words)):
            if (
                artist
                and words[at : at + len(artist)] == artist
                and title.issuperset(words[:at] + words[at + len(artist) :])
            ):
                return True
    return False


def matching(albums: list[Album], text: str) -> list[Album]:
    """Albums that the text names exactly, else those whose title and artists hold all the words, best first."""
    if exact := [album for album in albums if _is_label(album, text) or _is_dated_title(album, text)]:
        return exact
    loosely = _typed_loosely if _typed_loosely(text) else fold
    wanted = loosely(text)
    # signs beside words are no matter; "÷" has no words
    words = set(re.findall(r"\w+", wanted) or wanted.split())
    folded = ((loosely(album.title), loosely(album.by), album) for album in albums)
    hits = [
        (not title.startswith(wanted), album)
        for title, by, album in folded
        if all(word in title or word in by for word in words)
    ]
    return [album for _, album in sorted(hits, key=lambda hit: hit[0])]


def queries(words: str) -> list[str]:
    """What else to search for than the words as they are: without the year, and the parts of a label."""
    plain = _YEAR_WITHIN.sub(" ", _YEAR.sub("", words)).strip().removesuffix("…").strip()
    # a title may hold such a word, too, so that the last one is likeliest; a sign leaves less doubt
    between = [*[*_SIGN.finditer(plain)][::-1], *[*_WORD.finditer(plain)][::-1]]
    parts = [plain.strip(_AROUND)]
    parts += [f"{plain[: match.start()]} {plain[match.end() :].lstrip()}".strip() for match in between]
    parts.append(re.sub(r"\s+and\s+", " ", plain, flags=re.IGNORECASE))
    return [query for query in dict.fromkeys((plain, *parts)) if query and query != words][:QUERIES]


def _rank(album: Album, text: str) -> int | None:
    """As `_close_rank`. 3: the same with the album's year between or before them. 4: the same as it is typed loosely."""
    if (rank := _close_rank(album, text)) is not None:
        return rank
    undated = _YEAR_WITHIN.sub(lambda year: " - " if album.year in year.groups() else year[0], text)
    undated = undated.strip(" -")
    if undated != text and _close_rank(album, undated) is not None:
        return 3
    typed, title = _typed_loosely(undated), _typed_loosely(album.title)
    loose = structs.replace(album, title=title, artists=tuple(map(_typed_loosely, album.artists)))
    return 4 if typed and title and _close_rank(loose, typed) is not None else None


def _close_rank(album: Album, text: str) -> int | None:
    """0: the text is the album's title. 1: it is title and artists in any usual form. 2: it has the title's words,
    alone or with one of several artists.

    Such as "Title by Artist (Year)" in any language, "Artist - Title" or "Title Artist". None: it names another.
    """
    if fold(album.title) in (fold(text), _unquoted(text)):
        return 0
    if _is_label(album, text):
        return 1
    is_meant = _is_title(album, text) or _is_dated_title(album, text) or _names_one_artist(album, text)
    return 2 if is_meant else None


def _is_title(album: Album, text: str) -> bool:
    words = _words_of(text)
    return words == _words_of(album.title) if words else _bare(text) == _bare(album.title) != ""


def _is_dated_title(album: Album, text: str) -> bool:
    undated = _undated(album, text)
    return undated != text and _is_title(album, undated)


def _is_label(album: Album, text: str) -> bool:
    undated = _undated(album, text)
    if _holds_both(album, text) or (undated != text and _holds_both(album, undated)):
        return True
    return len(undated) >= LABEL_CUT and undated.endswith("…") and _begins_label(album, _words_of(undated))


def _undated(album: Album, text: str) -> str:
    """A text without the album's year at its end."""
    year = _YEAR.search(text)
    return text if year is None or year[1] != album.year else text[: year.start()].rstrip()


def _begins_label(album: Album, words: list[str]) -> bool:
    """Whether these words, of which the last one may be cut off, begin the album's label."""
    title = _words_of(album.title)
    label = [*title, *words[len(title) : len(title) + 1], *_words_of(album.by)]
    return " ".join(label).startswith(" ".join(words))


def _names_one_artist(album: Album, text: str) -> bool:
    texts = {text, _undated(album, text)}
    return any(_holds_both(album, one, by) for one in texts for by in album.artists)


def _holds_both(album: Album, text: str, artist: str = "") -> bool:
    """Whether a text is the title and the artists, in either order, with at most a short word in between.

    `artist`: one of the artists; empty: all of them.
    """
    title, by, words = _words_of(album.title), _words_of(artist or album.by), _words_of(text)
    if not title and (sign := fold(album.title)) in (pieces := [_bare(piece) for piece in text.split()]):
        # "÷" has no words, so the sign itself is looked for
        title, words = [sign], [word for piece in pieces for word in ([sign] if piece == sign else _words_of(piece))]
    for first, second in ((title, by), (by, title)):
        between = len(words) - len(first) - len(second)
        if not first or not second or not 0 <= between <= 1:
            continue
        if words[: len(first)] == first and words[len(first) + between :] == second:
            return not between or len(words[len(first)]) <= 3
    return False


def _words_of(text: str) -> list[str]:
    return re.findall(r"\w+", fold(text))


def _unquoted(text: str) -> str:
    """A text without quotes and emphasis around it."""
    return fold(text).strip(_AROUND)


def _bare(text: str) -> str:
    """A text without whatever may be around it."""
    return _unquoted(text).strip("()[]|,;:. ")


def _typed_loosely(text: str) -> str:
    """A text as it is typed on a keyboard that lacks its letters, and by whoever leaves out apostrophes or writes "and"."""
    return _AND.sub(" and ", fold(text).translate(_LETTERS)).strip()
