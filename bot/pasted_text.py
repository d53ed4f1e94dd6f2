"""What members type or paste when they mean albums. Pure.

`read` turns text into references. It never guesses: what only looks like a Spotify link becomes `Unreadable`, and
only words are searched for. Nothing that was typed is lost without a word: each link, title and word is in one of
the references. What is left out is markup (the label of a masked link, the attributes of a pasted player), the query
of a link, signs beside links, and characters that nobody sees.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from unicodedata import category

from bot.albums import (
    MAX_QUERY,
    UNSEEN,
    AlbumId,
    AlbumRef,
    Ignored,
    Reference,
    SearchText,
    Unreadable,
    is_control,
    shown,
)
from bot.links import LINKISH, OUTER, scan
from bot.patterns import pattern

MAX_TITLES = 50
"""The most titles in one text that are searched for: each costs at least one call."""

# What a suggestion of the autocomplete sends when it is picked, or an id alone: what most commands get.
_PICKED = pattern(r"(?:spotify:album:)?([0-9A-Za-z]{22})", re.ASCII)
# The two that override a direction (U+202D, U+202E) are not among them: text that holds one may read quite differently
# from what it is, and is refused.
_UNSEEN = pattern(f"[{UNSEEN}]")
# The name of the service in a sentence, no URI.
_SAID = pattern(r"\b(spotify):(?=[ \t]+\S)", re.IGNORECASE)
_BREAKS = str.maketrans(dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n") | {"\t": " "})
# ASCII, as a keyboard for Japanese may write it.
_WIDE = pattern("[\uff01-\uff5e]+")
_WIDE_SIGN = pattern("[\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e]")
_PIECE = pattern(r"\S+")
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_SPACE = pattern(r"[^\S\x1c-\x1f]+")  # the separators that Python takes for white space are controls
# How JSON and HTML write signs that mean something to them.
_ESCAPED = pattern(
    r"(?P<slash>\\(?:/|u002f))|(?P<break>\\[nrt](?=https?:|spotify:|open\.spotify\.))"
    r"|&(?P<name>amp|lt|gt|quot|apos|nbsp|#39|#34|#x27|#x2f);",
    re.IGNORECASE,
)
_MARKDOWN = pattern(
    r"\[(?:\\.|[^\[\]\\]++|\[[^\[\]]*+\]){0,60}+\]\(\s*<?([^\s()<>]{1,2000})>?(?:\s+(?:[\"\u201c][^\"\u201d]{0,200}[\"\u201d]|'[^']{0,200}'))?\s*\)"
)
_TAG = pattern(
    r"</?(?:(?P<block>blockquote|br|div|h[1-6]|hr|li|ol|p|t[dhr]|table|tbody|thead|ul)"
    r"|a|b|code|em|embed|font|i|iframe|img|link|object|pre|script|span|strong|u)(?:\s[^<>]{0,4000}|/)?>",
    re.IGNORECASE,
)
# What Discord's client writes for a mention, an emoji of a server, a point in time and a command.
_DISCORD = pattern(
    r"<(?:(?:@[!&]?|#)\d{15,21}|a?:\w{2,32}:\d{15,21}|t:-?\d{1,13}(?::[tTdDfFsSR])?|/[^<>:]{1,100}:\d{15,21})>"
)
_TARGET = pattern(r"(?:src|href|cite|data)\s*=\s*[\"'\u201c\u201d]?([^\"'\s<>\u201c\u201d]{1,2000})", re.IGNORECASE)
_BULLET = pattern(r"(?:>{1,3}\s+)*(?:(?:[-*•‣▪·–—]|-?#{1,3}|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?|\[[ xX]?\]\s+)?(?=\S)")
# What numbers the lines of a list, if it counts from one line to the next.
_NUMBER = pattern(
    r"(?:[(\[#№]\s?)?(?:(\d{1,3})(?:\ufe0f?\u20e3|\s?[.):\]\uff0e\uff09\uff1a、–—-]|(?=\s))|([①-⑳]))\s*(?=\S)"
)
# What may be a list's bullet, if each line has it.
_SIGN = pattern(r"(?![*_~`]\S)([^\w\s\"'“”‘’«»„\u2039\u203a「」『』()\[\]{}<>#@$%&…¿¡.,;!?/\\|=×÷])\ufe0f?\s*(?=\S)")
_MARK = pattern(r"\[[xX]?\]|[(\[#№]\d{1,3}[)\]]?|\(?\d{1,3}[.):\]]|\d\ufe0f?\u20e3|[①-⑳]")
"""A word beside a link that only numbers it."""
_FENCE = pattern(r"```\w*|\*{3,}|_{3,}")
_DURATION = pattern(r"[(\[]?\d{1,3}:\d{2}(?::\d{2})?[)\]]?")
# "Album: Blue" above "Artist: Joni Mitchell", in the languages that the bot writes.
_FIELD = pattern(
    r"(?:[aá]lbum|title|titel|titre|t[ií]tulo|artist[ae]?|interpret|künstler(?:in)?|band|by|year|jahr|année|año|ano"
    r"|アルバム|タイトル|アーティスト)\s?[:\uff1a]\s*(?=\S)",
    re.IGNORECASE,
)
_YEAR = pattern(r"\(?(?:19|20)\d{2}\)?", re.ASCII)
# What Spotify's own pages are called: "Blue - Album by Joni Mitchell | Spotify".
_PAGE_TITLE = pattern(
    r"(?<!\s)\s+[-–—]\s+(?:album|compilation|ep|single)\s+(by|de|par|por|von)\s+(\S[^|]{0,200}?)(?<!\s)\s+\|\s+Spotify$",
    re.IGNORECASE,
)
_SEPARATORS = pattern('[,;\uff0c\uff1b、､،؛()\\[\\]{}\uff08\uff09\uff3b\uff3d「」『』“”«»"]')
_OPENING, _CLOSING = "([{\uff08\uff3b「『“«", ")]}\uff09\uff3d」』”»"


def read(text: str) -> list[Reference]:
    """Read what somebody typed or pasted: references, each once, in the order of the text, words beside links last.

    Where there is a link, a URI or an id, words are `Ignored`. Otherwise each line is a title to search for, and so is
    each part of a line between commas or semicolons. A part also carries the readings in which it is not a title of
    its own (`SearchText.within`): its whole line, and two lines together, which may be a title and its artist.
    22 letters without a link may be an id or a word, and count as both (`AlbumRef.words`).
    """
    if (picked := _PICKED.fullmatch(text)) and not picked[1].isalpha():
        return [AlbumRef(AlbumId(picked[1]))]  # as below, in a fraction of the time
    lines = [_Line(line) for line in dict.fromkeys(_lines(text)) if line.strip()]
    if all(line.is_words for line in lines):
        return _each_once(_titles(lines))
    return _linked(lines)


def read_one(text: str) -> list[Reference]:
    """Read what is meant to name a single album: as `read`, but lines and commas do not separate titles."""
    lines = [_Line(line) for line in _lines(text) if line.strip()]
    if lines and all(line.is_words for line in lines):
        return [*dict.fromkeys(_title(" ".join(line.text for line in lines), ()))]
    return _linked(lines)


def _linked(lines: Sequence[_Line]) -> list[Reference]:
    """The links and ids in these lines, and that the words beside them are ignored."""
    found = dict.fromkeys(reference for line in lines for reference in line.references)
    words = [
        word
        for line in lines
        for word in line.words
        if not (line.references and _MARK.fullmatch(word)) and not _FENCE.fullmatch(word)
    ]
    return [*found, *_ignored(words)]


def _each_once(references: Iterator[Reference]) -> list[Reference]:
    """What 22 letters are beside is lost with none of them: the same letters in other words are other words."""
    found: dict[Reference, str] = {}
    for reference in references:
        words = reference.words if isinstance(reference, AlbumRef) else ""
        found.setdefault(reference if found.get(reference, words) == words else SearchText(words), words)
    return [*found]


def is_searchable(words: str) -> bool:
    """Whether a text is words alone, which may be searched for: no link, no id, no control character."""
    return not _Line(words).references and not _is_refused(words)


def _is_refused(text: str) -> bool:
    return bool(LINKISH.search(text)) or (not text.isprintable() and any(map(is_control, text)))


class _Line:
    """One line: the references in it, and the words beside them."""

    def __init__(self, text: str) -> None:
        self.text = _PAGE_TITLE.sub(r" \1 \2", text.strip())
        self.references: list[Reference] = []
        self.words: list[str] = []
        for piece in filter(None, _SPACE.split(text)):
            found = [*scan(piece)]
            self.references += [part for part in found if not isinstance(part, str)]
            # a piece without a reference stays as it is, signs included
            is_plain = not any(not isinstance(part, str) for part in found)
            self.words += [piece] if is_plain else [part for part in found if isinstance(part, str)]

    @property
    def is_words(self) -> bool:
        """Whether nothing in it is certainly a link or an id."""
        return all(isinstance(reference, AlbumRef) and reference.words for reference in self.references)


def _lines(text: str) -> list[str]:
    text = _PIECE.sub(_narrow, _UNSEEN.sub("", text)) if not text.isascii() else text
    if "\\" in text or "&" in text:
        text = _ESCAPED.sub(_unescaped, text)
    text = _SAID.sub(r"\1", text)
    plain = _TAG.sub(_target, _DISCORD.sub(" ", _MARKDOWN.sub(_masked, text)))
    if not any(map(str.isalnum, plain)):
        plain = text  # it is no markup if there is nothing else
    return plain.translate(_BREAKS).split("\n")


def _unescaped(match: re.Match[str]) -> str:
    if match["slash"] or match["break"]:
        return "/" if match["slash"] else "\n"
    return html.unescape(match[0].lower())


def _narrow(match: re.Match[str]) -> str:
    """What makes a link, in usual letters and signs; titles stay as they are, and so do the digits of an id."""
    piece = match[0]
    if not _WIDE.search(piece):
        return piece
    piece = _WIDE.sub(lambda wide: _if_link(wide[0].translate(_NARROW)) or wide[0], piece)
    return _if_link(_WIDE_SIGN.sub(lambda wide: wide[0].translate(_NARROW), piece)) or piece


def _if_link(text: str) -> str:
    return text if LINKISH.search(text) else ""


def _masked(match: re.Match[str]) -> str:
    is_link = any(not isinstance(part, str) for part in scan(match[1]))
    return f" {match[1]} " if is_link else match[0]


def _target(match: re.Match[str]) -> str:
    target = _TARGET.search(match[0])
    if target:
        return f" {target[1].removeprefix('//')} "
    return "\n" if match["block"] else " "


def _titles(lines: Sequence[_Line]) -> Iterator[Reference]:
    """Each title in lines of words: the first `MAX_TITLES` are searched for."""
    texts = [line.text for line in lines]
    if len(texts) > 1:
        texts = _unmarked([text for text in texts if not _is_rule(text)] or texts)
    is_one = len(texts) == 2 or (len(texts) == 3 and bool(_YEAR.fullmatch(texts[2])))
    together = [" ".join(texts)] if is_one else []
    titles = [(title, text) for text in texts for title in parts(text)]
    for title, text in titles[:MAX_TITLES]:
        within = (" ".join(longer.split()) for longer in (*together, text) if longer != title)
        yield from _title(title, tuple(w for w in within if len(w) <= MAX_QUERY and not _is_refused(w)))
    if len(titles) > MAX_TITLES:
        yield Ignored(shown(", ".join(title for title, _ in titles[MAX_TITLES:])), is_too_much=True)


def _is_rule(text: str) -> bool:
    """Whether a line of a list is markup alone: the fence of a code block, a rule, or the rule of a table."""
    return bool(_FENCE.fullmatch(text)) or ("---" in text and not text.strip("|:-+= "))


def _unmarked(texts: Sequence[str]) -> list[str]:
    """The titles in the lines of a list: without what marks or names each line, and without how long each album is."""
    texts = _without_marks(texts)
    fields = [match for text in texts if (match := _FIELD.match(text))]
    if len(fields) == len(texts) > 1:
        texts = [text[match.end() :] for text, match in zip(texts, fields, strict=True)]
    words = [text.split() for text in texts]
    if len(texts) > 1 and all(len(each) > 1 and _DURATION.fullmatch(each[-1]) for each in words):
        texts = [
            text[: text.rindex(each[-1])].rstrip(" -–—|·") or text for text, each in zip(texts, words, strict=True)
        ]
    return texts


def _without_marks(texts: Sequence[str]) -> list[str]:
    """The lines of a list without their bullets, their numbers, and the outer borders of a table."""
    texts = [text.strip("| ") if text[0] == text[-1] == "|" and text.strip("| ") else text for text in texts]
    texts = [_BULLET.sub("", text, count=1) for text in texts]
    numbers = [match for text in texts if (match := _NUMBER.match(text))]
    counted = [int(match[1]) if match[1] else ord(match[2]) - ord("①") + 1 for match in numbers]
    if (
        len(counted) == len(texts) > 1
        and counted[0] in (0, 1)
        and counted == [*range(counted[0], counted[0] + len(texts))]
    ):
        return [text[match.end() :] for text, match in zip(texts, numbers, strict=True)]
    signs = [match for text in texts if (match := _SIGN.match(text))]
    is_same = len({match[1] for match in signs}) == 1 or all(category(match[1]) == "So" for match in signs)
    if len(signs) == len(texts) > 1 and is_same:
        return [text[match.end() :] for text, match in zip(texts, signs, strict=True)]
    return texts


def _title(text: str, within: tuple[str, ...]) -> Iterator[Reference]:
    line = _Line(text)
    if _is_refused(text):
        yield Unreadable(shown(text))
    elif len(line.references) > 1:
        yield from line.references
        yield from _ignored(line.words)
    else:
        words, rest = _cut(" ".join(text.split()))
        for reference in line.references:
            assert isinstance(reference, AlbumRef)
            yield AlbumRef(reference.id, words)
        if not line.references:
            yield SearchText(words, within)
        if rest:
            yield Ignored(shown(rest), is_too_much=True)


def _ignored(words: Sequence[str]) -> Iterator[Ignored]:
    text = " ".join(word for word in words if any(map(str.isalnum, word)))
    if text:
        yield Ignored(shown(text).strip(OUTER + " "))


def _cut(words: str) -> tuple[str, str]:
    """As many whole words as a search takes, and the rest."""
    if len(words) <= MAX_QUERY:
        return words, ""
    end = words.rfind(" ", 0, MAX_QUERY + 1)
    end = end if end > 0 else MAX_QUERY
    return words[:end], words[end:].strip()


def parts(text: str) -> list[str]:
    """The parts of a line between commas or semicolons, but for those in brackets, in quotes and within numbers."""
    if text[0] == "[" and text[-1] == "]" and '"' in text:
        text = text[1:-1]  # a list in JSON
    found, begin, depth, is_quoted = [], 0, 0, False
    has_pairs = text.count('"') % 2 == 0
    for match in _SEPARATORS.finditer(text):
        at, sign = match.start(), match[0]
        if sign == '"':
            is_quoted = has_pairs and not is_quoted
        elif sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth = max(depth - 1, 0)
        elif depth == 0 and not is_quoted and not _is_within_word(text, at):
            found.append(text[begin:at].strip())
            begin = match.end()
    found.append(text[begin:].strip())
    return [part for part in found if part] or [text]


def _is_within_word(text: str, at: int) -> bool:
    """Whether a comma is part of a number ("10,000 Days"), or a semicolon of a name ("Steins;Gate")."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return (before.isdigit() and after.isdigit()) if text[at] == "," else (text[at] == ";" and after.isalnum())
