"""What in `.env` and in the environment sets nothing is named, with the nearest setting and without any secret."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.settings import Settings, ignored, load
from bot.settings.sources import nearest
from tests.test_settings import GOOD


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and an environment without any of our names."""
    for name in [name for name in os.environ if name.lower() in attrs.fields_dict(Settings)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(content: str) -> list[str]:
    Path(".env").write_text(content)
    return ignored()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("BACKUP_FOLDR", "BACKUP_FOLDER"),
        ("backup_foldr", "BACKUP_FOLDER"),
        ("BACKUPFOLDER", "BACKUP_FOLDER"),
        ("BACKUP-FOLDER", "BACKUP_FOLDER"),
        ("SPOTIFY_CLIENT_SECERT", "SPOTIFY_CLIENT_SECRET"),
        ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"),
        ("TOKEN_KEY", "TOKEN_KEYS"),
        ("HOST", "HOSTS"),
        ("BOT_TOKEN", "DISCORD_TOKEN"),
        ("SPOTIFY_SECRET", "SPOTIFY_CLIENT_SECRET"),
        ("spotify_id", "SPOTIFY_CLIENT_ID"),
        ("CLIENT_SECRET", "DISCORD_CLIENT_SECRET or SPOTIFY_CLIENT_SECRET"),
        ("PORT", "WEB_PORT or METRICS_PORT"),
        ("SEATS", "SPOTIFY_SEATS"),
        ("DB_PATH", "DATABASE_PATH"),
    ],
)
def test_a_misspelled_name_is_told_with_the_nearest_setting(written: str, meant: str) -> None:
    [sentence] = told(f"WEB_PORT=1\n\n# a comment\n{written}=x\n")
    assert sentence.startswith(".env, line 4: ")
    assert sentence.endswith(f" is not a setting. Did you mean {meant}?")
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("\u200bDISCORD_TOKEN=x", "The name has an invisible character, or one that only looks like a letter."),
        ("\ufeffDISCORD_TOKEN=x", "Type DISCORD_TOKEN by hand."),
        ("DISCORD_T\u041eKEN=x", "Type DISCORD_TOKEN by hand."),
        ("DISCORD_TOKEN\uff1dx", "This line has a full-width = and sets nothing."),
    ],
)
def test_a_name_that_only_looks_right_is_told(line: str, words: str) -> None:
    [sentence] = told(f"WEB_PORT=1\n{line}\n")
    assert sentence.startswith(".env, line 2: ")
    assert words in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("DISCORD_TOKEN: abc.def.ghi", "Write DISCORD_TOKEN=value"),
        ("WEB_PORT 8080", "Write WEB_PORT=value"),
        ("BACKUP FOLDER=/backups", "Write BACKUP_FOLDER=value"),
        ("backup foldr: /backups", "Write BACKUP_FOLDER=value"),
        ("WEB_PORT", "WEB_PORT has no = behind it"),
        ("'WEB_PORT", "cannot be read"),
        ('CONTACT="ada', "Write CONTACT=value"),
        ("=value", "cannot be read"),
        ("DISCORD_TOKEN:abc.def.ghi", "colon where the = belongs, and sets nothing. Write DISCORD_TOKEN=value"),
        ("PUBLIC_URL:https://abc.example/?ada=1", "Write PUBLIC_URL=value"),
        ("WEB_PORT:abc", "Write WEB_PORT=value"),
        ("Environment=DISCORD_TOKEN=abc", "Write DISCORD_TOKEN=value, with nothing before it"),
        ('Environment="DISCORD_TOKEN=abc"', "Write DISCORD_TOKEN=value, with nothing before it"),
        ("set -x DISCORD_TOKEN abc", "Write DISCORD_TOKEN=value"),
        ("  - DISCORD_TOKEN=abc", "Write DISCORD_TOKEN=value"),
        ('"DISCORD_TOKEN": "abc",', "Write DISCORD_TOKEN=value"),
        ('"DISCORD_TOKEN=abc"', "The name begins with a quote, so this line sets nothing. Write DISCORD_TOKEN=value"),
    ],
)
def test_a_line_that_cannot_be_read_is_told(line: str, words: str) -> None:
    [sentence] = told(f"LOG_LEVEL=INFO\n{line}\n")
    assert sentence.startswith(".env, line 2: ")
    assert words in sentence
    assert "abc" not in sentence
    assert "ada" not in sentence


def test_the_second_half_of_a_token_is_never_repeated() -> None:
    for half in ("qWeRtZ123456", "qWeRtZ123456==", "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d", "qWe.RtZ-12_34 56"):
        sentences = told(f"DISCORD_TOKEN=abc\n{half}\n")
        assert len(sentences) == 1, half
        assert "line 2" in sentences[0]
        assert not [part for part in half.replace("=", " ").split() if part in sentences[0]], sentences


@pytest.mark.parametrize("written", ["xY9_token", "aB_url", "Zz_id"])
def test_a_name_that_may_be_half_a_secret_is_not_repeated_for_its_end(written: str) -> None:
    [sentence] = told(f"{written}=x\n")
    assert written not in sentence


@pytest.mark.parametrize("name", ["CONTACT", "BACKUP_FOLDER", "DATABASE_PATH", "TOKEN_KEYS_FILE"])
@pytest.mark.parametrize("value", ["Ask Ada # in the channel", "Ada\t#help", " # a comment", "a # b # c", "a #1 'x'"])
def test_a_text_that_a_comment_may_have_cut_is_told(name: str, value: str) -> None:
    [sentence] = told(f"LOG_LEVEL=INFO\nexport {name}={value}\n")
    assert sentence == (
        f".env, line 2: What follows # is taken as a comment. If it belongs to {name}, put the value between single "
        "quotes. If it is a comment, give it a line of its own."
    )


@pytest.mark.parametrize(
    "line",
    [
        "CONTACT='Ask Ada # in the channel'",
        'CONTACT="a # b" # a comment',
        "CONTACT=#help",
        "CONTACT=a#b",
        "WEB_PORT=1 # x",
    ],
)
def test_a_hash_that_is_no_comment_or_where_no_text_is_meant_is_not_told(line: str) -> None:
    assert told(f"{line}\n") == []


def test_a_setting_that_is_there_twice_is_told() -> None:
    assert told("WEB_PORT=1\nLOG_LEVEL=INFO\nweb_port=2\n") == [
        ".env, line 3: WEB_PORT is set again; line 1 is ignored."
    ]


def test_what_is_right_is_not_told_and_neither_is_what_belongs_to_compose() -> None:
    lines = [*(f"{name}={value}" for name, value in GOOD.items()), "export LOG_LEVEL=INFO", "web_port = 1", "HOSTS="]
    assert told("\n".join([*lines, "COMPOSE_PROFILES=caddy", "GATEFOLD_TAG=1", "#BACKUP_FOLDR=x", ""])) == []


def test_an_unknown_name_that_is_near_to_nothing_is_told() -> None:
    assert told("SOMETHING_ELSE=1\n") == [".env, line 1: SOMETHING_ELSE is not a setting."]


def test_a_misspelled_environment_variable_is_told_and_other_peoples_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "LOGLEVEL", "WEBHOST", "PYTHONPATH", "DATABASE_URL", "PUBLIC_IP"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("BACKUP_FOLDR", "x")
    assert [sentence.partition(":")[0] for sentence in ignored()] == [
        *("Environment variable BACKUP_FOLDR", "Environment variable LOGLEVEL", "Environment variable WEBHOST")
    ]


def test_a_misspelled_secret_file_is_told_and_other_peoples_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("discord_token", "spotify_client_secrt", "tls.key", "database_password"):
        (secrets / name).write_text("x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    assert ignored() == [
        f"Secret file {secrets}/spotify_client_secrt: This is not a setting. Did you mean SPOTIFY_CLIENT_SECRET?"
    ]


def test_a_dollar_sign_is_a_dollar_sign() -> None:
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in GOOD.items()) + "CONTACT='${HOME} $x'\n")
    assert load().contact == "${HOME} $x"


NAMES = sorted(attrs.fields_dict(Settings))


@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from("_aeilprstx")), max_size=8),
    st.sampled_from((0.75, 0.87)),
)
@example("web_host", [], 0.87)
def test_the_nearest_setting_is_the_one_that_difflib_finds_among_all(
    name: str, changes: list[tuple[int, str]], likeness: float
) -> None:
    letters = [*name]
    for place, letter in changes:
        letters[place % len(letters)] = letter
    word = "".join(letters)
    near = get_close_matches(word, NAMES, n=1, cutoff=likeness)
    assert nearest(word, NAMES, likeness) == (near[0].upper() if near else None)
