"""Where settings come from: the environment, `.env`, and files named like a setting. Names are matched in any case."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bot.private import Private

SECRETS = Path("/run/secrets")
"""Where containers hand in secrets as files."""
_OTHERS = ("COMPOSE_", "GATEFOLD_")
"""Variables with these prefixes in `.env` are docker compose's, which reads the same file."""
_SHOWN = re.compile(r"[A-Z][A-Z0-9_]{0,39}|[a-z][a-z0-9_]{0,39}")
"""Names that may be repeated. Anything else may be a part of a secret that went over two lines."""


_MOST_MEANT = 3
"""With more settings to choose from, naming them does not help."""

_REST = re.compile(r"(?=[!-~]*[0-9A-Za-z])[!\"$-<>-~]+={0,2}\\?")
_QUOTES = "'\""
_NAME = re.compile(r"[A-Z_]{1,40}=?|[A-Z][A-Z0-9_]{0,40}=")


class Unreadable(Exception):
    """A file that cannot be read; the text says why, as the end of a sentence."""


def read_text(file: Path) -> str:
    """The text of a file in UTF-8, with a byte order mark or without. Unreadable, FileNotFoundError."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise Unreadable("is a folder; put the file in its place") from None
    except OSError as error:
        to_do = "; run this as its owner" if isinstance(error, PermissionError) else ""
        raise Unreadable(f"cannot be read ({error.strerror}){to_do}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise Unreadable("is saved as UTF-16 or is not a text file; save it as UTF-8")
    # Not through the codec's error: that one holds the whole content.
    text = content.decode("utf-8-sig", errors="replace")
    if "\ufffd" in text:
        raise Unreadable("is not saved as UTF-8; save it as UTF-8")
    return text


class Line(Private, frozen=True):
    """One statement of an env file, which may hold a secret. `name`: None when it cannot be read; `value`: None when it has no `=`."""

    number: int
    name: str | None
    value: str | None
    original: str


def env_lines(content: str) -> Iterator[Line]:
    """The statements of an env file. Nothing is expanded: a `$` is a `$`."""
    from dotenv.parser import parse_stream  # here, because a service has no .env

    for found in parse_stream(io.StringIO(content)):
        if found.key is not None or found.error:
            skipped = len(found.original.string) - len(found.original.string.lstrip())
            number = found.original.line + found.original.string[:skipped].count("\n")
            yield Line(number, found.key, found.value, found.original.string.strip())


def of_env_file(content: str, secrets: Collection[str] = ()) -> dict[str, str]:
    """The values by name in lower case; a later line overrides an earlier one.

    `secrets`: settings that are secrets, in lower case. If one was pasted over several lines, its value has them all:
    half a secret would be taken for a whole one.
    """
    found: dict[str, str] = {}
    name = ""
    for line in env_lines(content):
        if name in secrets and found.get(name) and is_rest(line.original):
            found[name] += f"\n{line.original}"
        elif line.name and line.value is not None:
            name = line.name.lower()
            found[name] = line.value
        else:
            name = ""
    return found


def is_rest(line: str) -> bool:
    """Whether a line of an env file sets nothing and looks like the rest of a secret on the line above it."""
    return bool(_REST.fullmatch(line.strip())) and not _NAME.fullmatch(line.strip())


def of_files(names: Collection[str], places: Collection[Path]) -> dict[str, str]:
    """The contents of the files named like these settings (given in lower case). The last place overrides the others.

    Unreadable: its text begins with the setting's name, or with that of the folder.
    """
    found = {}
    for place in places:
        try:
            files = {file.name.lower(): file for file in place.iterdir()}
        except OSError as error:
            if place != SECRETS and not isinstance(error, FileNotFoundError):
                raise Unreadable(f"CREDENTIALS_DIRECTORY: {place} cannot be read ({error.strerror})") from None
            continue
        for name in names & files.keys():
            try:
                found[name] = read_text(files[name]).strip()
            except (Unreadable, FileNotFoundError) as error:
                raise Unreadable(f"{name.upper()}: its secret file {files[name]} {error}") from None
    return {name: value for name, value in found.items() if value}


def not_used(content: str, file: Path, names: Collection[str], free_texts: Collection[str] = ()) -> list[str]:
    """What in an env file sets nothing, one sentence each with the nearest setting.

    `names`: the settings, in lower case. `free_texts`: those of them in whose value a # may be meant.
    """
    found = []
    seen: dict[str, int] = {}
    for line in env_lines(content):
        where = f"{file}, line {line.number}:"
        if line.name is None:
            found.append(f"{where} This line cannot be read.{_hint(line.original, names)}")
        elif line.name.lower() in names:
            name = line.name.upper()
            if line.value is None:
                found.append(f"{where} {name} has no = behind it, so nothing is set. Write {name}=value.")
            elif name in seen:
                found.append(f"{where} {name} is set again; line {seen[name]} is ignored.")
            if line.name.lower() in free_texts and _has_comment(line.original):
                found.append(
                    f"{where} What follows # is taken as a comment. If it belongs to {name}, put the value between single "
                    "quotes. If it is a comment, give it a line of its own."
                )
            seen[name] = line.number
        elif not line.name.upper().startswith(_OTHERS):
            found.append(f"{where} {_unknown(line, names)}")
    return found


def _has_comment(original: str) -> bool:
    """Whether an unquoted value ends where a comment begins."""
    value = original.partition("=")[2]
    return not value.lstrip().startswith(("'", '"')) and re.search(r"\s#", value) is not None


def nearly_set(environment: Collection[str], names: Collection[str]) -> list[str]:
    """Environment variables that are a setting's name misspelled. Only near ones: most variables are not ours."""
    found = []
    for name in sorted(environment):
        if name.lower() in names:
            continue
        near = nearest(name, names, 0.87)
        if near and "_" in near:
            found.append(f"Environment variable {_printable(name)}: This is not a setting. Did you mean {near}?")
    return found


def nearly_named(places: Collection[Path], names: Collection[str]) -> list[str]:
    """Secret files whose name is a setting's misspelled. Only near ones: others may keep their secrets there, too."""
    found = []
    for place in places:
        with suppress(OSError):
            for file in sorted(place.iterdir()):
                near = None if file.name.lower() in names else nearest(file.name, names, 0.87)
                if near:
                    found.append(f"Secret file {_printable(str(file))}: This is not a setting. Did you mean {near}?")
    return found


def _unknown(line: Line, names: Collection[str]) -> str:
    assert line.name is not None
    if "\uff1d" in line.name:
        return "This line has a full-width = and sets nothing. Type it by hand."
    name, colon, _ = line.name.partition(":")
    if colon and (setting := nearest(name, names, 0.87)):
        # What follows the colon may be a secret.
        return f"This line has a colon where the = belongs, and sets nothing. Write {setting}=value."
    near = meant(line.name, names)
    if near and not line.name.isascii():
        return f"The name has an invisible character, or one that only looks like a letter. Type {near[0]} by hand."
    if near and line.name.strip(_QUOTES).upper() == near[0]:
        return f"The name begins with a quote, so this line sets nothing. Write {near[0]}=value."
    if near:
        # Close to a public name, so it cannot be a part of a secret.
        return f"{_printable(line.name).strip(_QUOTES)} is not a setting.{did_you_mean(near)}"
    if line.value is None:
        return "This line has no = and sets nothing. If it belongs to the line above it, write both as one line."
    if "=" in line.value and (inner := _setting_in(line.value, names)):
        return f"This line does not begin with a setting. Write {inner}=value, with nothing before it."
    return f"{line.name if _SHOWN.fullmatch(line.name) else 'This name'} is not a setting."


def _hint(line: str, names: Collection[str]) -> str:
    # a space may have been meant as an underscore, or as the =
    near = (
        nearest(re.split("[=:]", line, maxsplit=1)[0].strip().replace(" ", "_"), names)
        or nearest(_first_word(line), names)
        or _setting_in(line, names)
    )
    if near:
        return f" Write {near}=value, and put a value with spaces or quotes between single quotes."
    return " Write NAME=value, and put a value with spaces or quotes between single quotes."


def _setting_in(text: str, names: Collection[str]) -> str | None:
    """The first setting that is named in a text, in capitals."""
    return next((word.upper() for word in re.findall(r"\w+", text) if word.lower() in names), None)


def _first_word(text: str) -> str:
    return re.split(r"[\s=:]", text.removeprefix("export ").strip(), maxsplit=1)[0]


def nearest(word: str, names: Collection[str], likeness: float = 0.75) -> str | None:
    """The setting whose name is most like this word, in capitals; None if none is."""
    plain = _plain(word)
    possible = [name for name in sorted(names) if _may_be_like(plain, name, likeness)]
    if not possible:
        return None
    from difflib import get_close_matches  # here, since it is needed only where something may be wrong

    near = get_close_matches(plain, possible, n=1, cutoff=likeness)
    return near[0].upper() if near else None


def _may_be_like(word: str, name: str, likeness: float) -> bool:
    """Whether enough letters of each occur in the other. difflib decides, but every start would wait for it."""
    in_common = min(len(word) - len({*word} - {*name}), len(name) - len({*name} - {*word}))
    return 2 * in_common >= likeness * (len(word) + len(name))


def meant(word: str, names: Collection[str]) -> list[str]:
    """The settings that a wrong name may stand for, in capitals: misspelled, or without a part of the name."""
    if near := nearest(word, names, 0.87):
        return [near]
    parts = _plain(word).split("_")
    if _SHOWN.fullmatch(word):
        shortened = [name for name in names if set(parts) <= set(name.split("_"))]
        if 0 < len(shortened) <= _MOST_MEANT:
            return [name.upper() for name in shortened]
    if near := nearest(word, names):
        return [near]
    same_end = [name.upper() for name in names if name.split("_")[-1] == parts[-1]] if _SHOWN.fullmatch(word) else []
    return same_end if len(same_end) <= _MOST_MEANT else []


def did_you_mean(names: Sequence[str]) -> str:
    """The question behind a wrong name; empty when nothing is near it."""
    return f" Did you mean {' or '.join(names)}?" if names else ""


def _plain(word: str) -> str:
    return _printable(word).strip("'\":").replace("-", "_").lower()


def _printable(word: str) -> str:
    return "".join(c for c in word if c.isprintable())


def secret_places(environment: Mapping[str, str]) -> list[Path]:
    """The folders that may hold a file per setting; the last one overrides the others."""
    directory = environment.get("CREDENTIALS_DIRECTORY")
    return [SECRETS, Path(directory)] if directory else [SECRETS]
