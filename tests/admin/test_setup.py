"""`gatefold setup`: what it asks, what it refuses, what it writes; and the whole of it at a terminal, then a start."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import attrs
import pytest

from bot.admin.setup import CannotAsk, Question, Setup, SetupError, Tried
from bot.admin.setup.envfile import names, with_values
from bot.admin.setup.questions import ABOUT, IN_ORDER, TOKEN_KEYS_FILE, cleaned, mistaken_for
from bot.settings import Settings, load, read_key
from bot.storage.vault import new_key
from tests.process.harness import ROOT, Outside, bare_environment, outside
from tests.world import APP, BOT_TOKEN, DISCORD_SECRET, KEY, SPOTIFY_ID, SPOTIFY_SECRET

GOOD = {
    "PUBLIC_URL": "https://gatefold.example.org",
    "DISCORD_TOKEN": BOT_TOKEN,
    "DISCORD_CLIENT_ID": str(APP),
    "DISCORD_CLIENT_SECRET": DISCORD_SECRET,
    "SPOTIFY_CLIENT_ID": SPOTIFY_ID,
    "SPOTIFY_CLIENT_SECRET": SPOTIFY_SECRET,
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder where the bot starts, and an environment without any of our names."""
    for name in [name for name in os.environ if name.lower() in attrs.fields_dict(Settings)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Person:
    """Gives answers, one after another for each question; notes what was asked and said."""

    answers: dict[str, list[str]]
    asked: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    platforms: dict[str, Tried] = field(default_factory=dict)

    def ask(self, question: Question) -> str:
        self.asked.append(question.name)
        if question.is_secret:
            self.hidden.add(question.name)
        if question.name in ("CHANGE", "DONE") and not self.answers.get(question.name):
            return ""
        return self.answers[question.name].pop(0)

    def run(self, **environment: str) -> Settings:
        return Setup(Path(".env"), self.ask, self.said.append, environment, self.try_).run()

    def try_(self, name: str, settings: Settings) -> Tried:
        self.tried.append(name)
        return self.platforms.get(name, Tried())


def person(**answers: str | list[str] | None) -> Person:
    """Who gives good answers but for these; None: is not asked."""
    given = {name: value for name, value in (GOOD | answers).items() if value is not None}
    return Person({name: [value] if isinstance(value, str) else value for name, value in given.items()})


def text() -> str:
    return Path(".env").read_text(encoding="utf-8")


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


# -- from nothing


def test_from_nothing_it_asks_one_thing_at_a_time_and_writes_what_the_bot_starts_with() -> None:
    ada = person()
    settings = ada.run()
    assert ada.asked == [*GOOD, "CHANGE", "DONE"]
    assert ada.hidden == {"DISCORD_TOKEN", "DISCORD_CLIENT_SECRET", "SPOTIFY_CLIENT_SECRET"}
    assert vars(load()) == vars(settings)
    assert settings.public_url == GOOD["PUBLIC_URL"]
    assert settings.database_path == Path("data/gatefold.db")
    assert mode(".env") == 0o600
    assert sorted(os.listdir(".")) == [".env", "keys"]


def test_the_key_is_made_in_a_folder_of_its_own_for_its_owner_alone() -> None:
    settings = person().run()
    assert settings.token_keys_file == Path("keys/gatefold.keys")
    assert (mode("keys"), mode("keys/gatefold.keys")) == (0o700, 0o600)
    assert settings.sealing_keys() == (read_key(Path("keys/gatefold.keys").read_text()),)
    assert read_key(Path("keys/gatefold.keys").read_text()) != read_key(KEY)


def test_it_prints_both_redirect_uris() -> None:
    ada = person()
    ada.run()
    said = "\n".join(ada.said)
    assert re.search(r" https://gatefold\.example\.org/callback/discord$", said, re.MULTILINE)
    assert re.search(r" https://gatefold\.example\.org/callback/spotify$", said, re.MULTILINE)


def test_no_secret_is_said() -> None:
    ada = person(DISCORD_CLIENT_ID=["no number", str(APP)])
    settings = ada.run()
    assert [secret for secret in settings.secrets() if secret in "\n".join(ada.said)] == []


@pytest.mark.parametrize(
    ("name", "wrong", "word"),
    [
        ("PUBLIC_URL", "http://localhost:8080", "127.0.0.1"),
        ("PUBLIC_URL", "gatefold.example.org", "https://"),
        ("DISCORD_CLIENT_ID", "gatefold", "DISCORD_CLIENT_ID"),
        ("SPOTIFY_CLIENT_ID", "two words", "SPOTIFY_CLIENT_ID"),
        ("SPOTIFY_CLIENT_ID", "0123456789abcdef", "32 digits"),
        ("DISCORD_TOKEN", "a\x00b", "no such secret has"),
        ("DISCORD_TOKEN", DISCORD_SECRET, "three parts"),
        ("DISCORD_TOKEN", str(APP), "looks like an id"),
        ("DISCORD_CLIENT_SECRET", BOT_TOKEN, "is the same as DISCORD_TOKEN"),
        ("DISCORD_CLIENT_SECRET", "short", "is not a client secret"),
    ],
)
def test_an_answer_is_judged_at_once_and_asked_again(name: str, wrong: str, word: str) -> None:
    ada = person(**{name: [wrong, wrong, f" {GOOD[name]} "]})
    ada.run()
    assert ada.asked.count(name) == 3
    assert ada.asked[ada.asked.index(name) : ada.asked.index(name) + 3] == [name] * 3
    assert any(word in line for line in ada.said)
    assert getattr(load(), name.lower()) is not None


@pytest.mark.parametrize(
    ("name", "wrong", "looks"),
    [
        ("DISCORD_TOKEN", str(APP), "the id of a Discord app"),
        ("DISCORD_TOKEN", "5f0a1c2d" * 4, "a client id or a client secret of Spotify's"),
        ("DISCORD_TOKEN", "5f0a1c2d" * 8, "the public key of a Discord app, which the bot does not need"),
        ("DISCORD_CLIENT_ID", "5f0a1c2d" * 4, "a client id or a client secret of Spotify's"),
        ("DISCORD_CLIENT_ID", BOT_TOKEN, "the token of a Discord bot"),
        ("DISCORD_CLIENT_SECRET", "5f0a1c2d" * 4, "a client id or a client secret of Spotify's"),
        ("SPOTIFY_CLIENT_ID", "1100000000000000009", "the id of a Discord app"),
        ("SPOTIFY_CLIENT_SECRET", "1100000000000000009", "the id of a Discord app"),
        ("SPOTIFY_CLIENT_SECRET", f"{BOT_TOKEN}x", "the token of a Discord bot"),
    ],
)
def test_an_answer_that_was_copied_from_another_place_is_told_as_what_it_looks_like(
    name: str, wrong: str, looks: str
) -> None:
    ada = person(**{name: [wrong, GOOD[name]]})
    ada.run()
    assert [line for line in ada.said if line.endswith(f" It looks like {looks}.")]


def test_a_wrong_answer_of_the_right_kind_is_not_called_another_kind() -> None:
    assert [mistaken_for(name, value) for name, value in GOOD.items()] == [""] * len(GOOD)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("DISCORD_CLIENT_ID", "https://discord.com/developers/applications/{}/oauth2"),
        ("SPOTIFY_CLIENT_ID", "https://developer.spotify.com/dashboard/{}"),
    ],
)
def test_the_address_of_an_apps_page_gives_its_client_id(name: str, page: str) -> None:
    settings = person(**{name: page.format(GOOD[name])}).run()
    assert getattr(settings, name.lower()) == GOOD[name]


def test_without_a_spotify_secret_it_is_a_public_client() -> None:
    assert person(SPOTIFY_CLIENT_SECRET="").run().spotify_secret is None
    assert "\nSPOTIFY_CLIENT_SECRET=\n" in text()
    again = person()
    assert again.run().spotify_secret is None
    assert again.asked == ["CHANGE"]


def test_a_spotify_secret_that_was_never_asked_for_is_asked_for_later() -> None:
    person().run()
    Path(".env").write_text(re.sub("SPOTIFY_CLIENT_SECRET=.*\n", "", text()))
    later = person()
    assert later.run().spotify_secret == SPOTIFY_SECRET
    assert later.asked == ["SPOTIFY_CLIENT_SECRET", "CHANGE"]


@pytest.mark.parametrize("around", ['"{}"', "'{}'", "“{}”", " {} ", "{name}={}", "export {name} = '{}'", "<{}>"])
def test_what_is_pasted_around_an_answer_is_no_part_of_it(around: str) -> None:
    pasted = {name: around.format(value, name=name) for name, value in GOOD.items()}
    settings = person(**pasted).run()
    assert settings.discord_token.get_secret_value() == BOT_TOKEN
    assert (settings.public_url, settings.spotify_secret) == (GOOD["PUBLIC_URL"], SPOTIFY_SECRET)


@pytest.mark.parametrize("word", ["Bot ", "Bearer  "])
def test_a_token_may_be_pasted_with_the_word_before_it(word: str) -> None:
    assert person(DISCORD_TOKEN=f"{word}{BOT_TOKEN}").run().discord_token.get_secret_value() == BOT_TOKEN


@pytest.mark.parametrize("value", ["it's", '"', "a=b", "CONTACT us at x", '"a" or "b'])
def test_signs_that_belong_to_an_answer_stay(value: str) -> None:
    assert cleaned("CONTACT", value) == value


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("SPOTIFY_CLIENT_SECRET", SPOTIFY_ID),
        ("SPOTIFY_CLIENT_SECRET", DISCORD_SECRET),
    ],
)
def test_a_value_that_was_pasted_twice_is_told_at_once(name: str, same: str) -> None:
    ada = person(**{name: [same, GOOD[name]]})
    assert ada.run().spotify_secret == SPOTIFY_SECRET
    assert any(line.startswith(f"{name}: is the same as ") for line in ada.said)
    assert name not in ada.tried[: ada.tried.index(name)]


def test_a_change_that_does_not_fit_another_setting_is_told_and_asked_again() -> None:
    person(CHANGE=["METRICS_PORT", ""], METRICS_PORT="9464").run()
    ada = person(CHANGE=["WEB_PORT", ""], WEB_PORT=["9464", "9090"])
    assert ada.run().web_port == 9090
    assert any(line.startswith("METRICS_PORT: is the same as WEB_PORT") for line in ada.said)


def test_every_other_setting_is_described_in_the_words_of_the_documentation() -> None:
    table = (ROOT / "docs/settings.md").read_text(encoding="utf-8").replace("`", "")
    documented = dict(re.findall(r"^\| ([A-Z_]+) \| [^|]* \| (.*) \|$", table, re.MULTILINE))
    asked = {question.name for question in (*IN_ORDER, TOKEN_KEYS_FILE)} | {"TOKEN_KEYS"}
    assert ABOUT.keys() == {name.upper() for name in attrs.fields_dict(Settings)} - asked
    assert [name for name, about in ABOUT.items() if not documented[name].startswith(about)] == []


def test_the_table_is_shown_again_only_after_a_change() -> None:
    person().run()
    ada = person(CHANGE=["nothing", "TOKEN_KEYS", ""])
    ada.run()
    assert sum(line.startswith("  PUBLIC_URL ") for line in ada.said) == 1


def test_redirect_uris_are_registered_only_when_they_may_be_new() -> None:
    person().run()
    ada = person(CHANGE=["CONTACT", ""], CONTACT="ada@example.org")
    ada.run()
    assert "DONE" not in ada.asked
    ben = person(CHANGE=["PUBLIC_URL", ""], PUBLIC_URL="https://music.example.org")
    ben.run()
    assert ben.asked[-1] == "DONE"


@pytest.mark.parametrize(
    "value", ["a b#c", "it's", 'a "quoted" word', "back\\slash", "$HOME", "${HOME}", "#x", "a=b", "ü"]
)
def test_whatever_a_value_contains_it_is_read_back(value: str) -> None:
    assert person(CHANGE=["CONTACT", ""], CONTACT=value).run().contact == value
    assert load().contact == value


def test_without_a_spotify_app_no_secret_is_asked_for() -> None:
    ada = person(SPOTIFY_CLIENT_ID="", SPOTIFY_CLIENT_SECRET=None)
    settings = ada.run()
    assert (settings.spotify_client_id, settings.spotify_secret) == ("", None)
    assert not any("/callback/spotify" in line for line in ada.said)


# -- live


def test_each_answer_is_tried_where_it_is_used() -> None:
    ada = person()
    ada.run()
    assert ada.tried == list(GOOD)


def test_an_answer_that_the_platform_refuses_is_asked_again_and_never_written() -> None:
    ada = person(DISCORD_TOKEN=["aaaa.bbbb.cccc", "stop"])
    ada.platforms["DISCORD_TOKEN"] = Tried("Discord does not accept it.")
    with pytest.raises(IndexError):
        ada.run()
    assert ada.said.count("Discord does not accept it.") == 1
    assert os.listdir(".") == []


def test_where_a_platform_cannot_be_reached_the_answer_is_taken_and_that_is_said() -> None:
    ada = person()
    ada.platforms["SPOTIFY_CLIENT_SECRET"] = Tried(note="Spotify cannot be reached, so this was not checked.")
    assert ada.run().spotify_secret == SPOTIFY_SECRET
    assert "Spotify cannot be reached, so this was not checked." in ada.said


def test_the_client_id_that_the_token_belongs_to_is_suggested() -> None:
    ada = person(DISCORD_CLIENT_ID="")
    ada.platforms["DISCORD_TOKEN"] = Tried(suggestions={"DISCORD_CLIENT_ID": str(APP)})
    assert ada.run().discord_client_id == str(APP)


# -- keep or change


def test_what_is_set_can_be_kept_or_changed() -> None:
    person().run()
    before = text()
    later = person(CHANGE=["web_port", "contact", ""], WEB_PORT=["many", "9090"], CONTACT="ada@example.org")
    settings = later.run()
    assert later.asked == ["CHANGE", "WEB_PORT", "WEB_PORT", "CHANGE", "CONTACT", "CHANGE"]
    assert (settings.web_port, settings.contact) == (9090, "ada@example.org")
    assert [line for line in before.splitlines() if line not in text().splitlines()] == []


def test_a_change_that_is_not_answered_keeps_the_value_and_a_dash_removes_it() -> None:
    person(CHANGE=["CONTACT", ""], CONTACT="ada@example.org").run()
    person(CHANGE=["CONTACT", "DISCORD_TOKEN", ""], CONTACT="", DISCORD_TOKEN="").run()
    assert load().contact == "ada@example.org"
    assert load().discord_token.get_secret_value() == BOT_TOKEN
    person(CHANGE=["CONTACT", ""], CONTACT="-").run()
    assert load().contact == ""


def test_a_required_setting_cannot_be_removed() -> None:
    person().run()
    ada = person(CHANGE=["PUBLIC_URL", ""], PUBLIC_URL=["-", ""])
    assert ada.run().public_url == GOOD["PUBLIC_URL"]
    assert any(line.startswith("PUBLIC_URL: ") and "https://" in line for line in ada.said)
    assert "Press Enter to keep the value." in ada.said


def test_what_is_set_is_shown_and_secrets_are_stars() -> None:
    person().run()
    later = person()
    later.run()
    shown = "\n".join(later.said)
    assert f"PUBLIC_URL             {GOOD['PUBLIC_URL']}" in shown
    assert "DISCORD_TOKEN          ********" in shown
    assert [secret for secret in (BOT_TOKEN, DISCORD_SECRET, SPOTIFY_SECRET) if secret in shown] == []


def test_values_are_shown_as_they_are_written_in_the_file() -> None:
    person(
        CHANGE=["HOSTS", "MESSAGE_CONTENT", ""],
        HOSTS="123456789012345678 223456789012345678",
        MESSAGE_CONTENT="on",
    ).run()
    later = person()
    later.run()
    shown = "\n".join(later.said)
    assert "HOSTS                  123456789012345678,223456789012345678\n" in shown
    assert "MESSAGE_CONTENT        on\n" in shown


def test_who_types_a_whole_line_to_change_a_setting_is_asked_for_its_value() -> None:
    person().run()
    assert person(CHANGE=["contact=me", ""], CONTACT="ada@example.org").run().contact == "ada@example.org"


def test_keys_misspelled_names_and_the_environment_are_not_changed_here() -> None:
    person().run()
    ada = person(CHANGE=["TOKEN_KEYS_FILE", "BACKUP_FOLDR", "yes", "CONTACT", ""])
    ada.run(CONTACT="x")
    shown = "\n".join(ada.said)
    assert "docs/operations.md, section Keys" in shown
    assert "There is no such setting. Did you mean BACKUP_FOLDER?" in shown
    assert "There is no such setting. Press Enter to keep these settings." in shown
    assert "CONTACT comes from the environment" in shown


def test_lines_that_set_nothing_are_told_first() -> None:
    Path(".env").write_text("BACKUP_FOLDR=x\n")
    ada = person()
    ada.run()
    assert ada.said[0] == ".env, line 1: BACKUP_FOLDR is not a setting. Did you mean BACKUP_FOLDER?"
    assert "BACKUP_FOLDR=x" in text()


# -- from a file


def test_what_stands_there_stays_with_its_comments_and_only_the_rest_is_asked() -> None:
    before = (
        "# mine\n"
        f"PUBLIC_URL={GOOD['PUBLIC_URL']}  # with a comment\n"
        "DISCORD_TOKEN=\n"
        "\n"
        "#WEB_PORT=8080\n"
        "export LOG_LEVEL=DEBUG\n"
        "UNKNOWN='x y'\n"
        f"TOKEN_KEYS={KEY}\n"
    )
    Path(".env").write_text(before)
    ada = person(PUBLIC_URL=None)
    ada.run()
    assert ada.asked == [*(name for name in GOOD if name != "PUBLIC_URL"), "CHANGE", "DONE"]
    kept = [line for line in before.splitlines() if line != "DISCORD_TOKEN="]
    assert [line for line in text().splitlines() if line in kept][: len(kept)] == kept
    assert text().splitlines()[2] == f"DISCORD_TOKEN={BOT_TOKEN}"
    assert text().count("DISCORD_TOKEN=") == 1
    assert not Path("keys").exists()
    assert mode(".env") == 0o600


def test_a_copy_of_the_example_is_filled_in_where_its_lines_are() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    Path(".env").write_text(example)
    person().run()
    assert [line for line in example.splitlines() if line.startswith("#")] == [
        line for line in text().splitlines() if line.startswith("#")
    ]
    assert "#DATABASE_PATH=gatefold.db\nDATABASE_PATH=data/gatefold.db\n" in text()


def test_with_everything_there_nobody_is_asked_and_the_file_stays() -> None:
    person().run()
    before = text()
    Path(".env").chmod(0o644)
    nobody = Person({})
    nobody.run()
    assert nobody.asked == ["CHANGE"]
    assert text() == before
    assert mode(".env") == 0o600


def test_what_the_environment_has_is_neither_asked_nor_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", BOT_TOKEN)
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", SPOTIFY_SECRET)
    ada = person(DISCORD_TOKEN=None, SPOTIFY_CLIENT_SECRET=None)
    ada.run(DISCORD_TOKEN=BOT_TOKEN, SPOTIFY_CLIENT_SECRET=SPOTIFY_SECRET)
    assert BOT_TOKEN not in text()
    assert SPOTIFY_SECRET not in text()


def test_what_is_wrong_in_the_environment_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "http://localhost")
    ada = person()
    with pytest.raises(SetupError, match=r"environment variables first(.|\n)*PUBLIC_URL"):
        ada.run(PUBLIC_URL="http://localhost")
    assert ada.asked == []


def test_a_value_that_cannot_be_read_is_asked_for_too() -> None:
    Path(".env").write_text("WEB_PORT=many\nLOG_LEVEL=loud\nTOKEN_KEYS=nonsense\n")
    ada = person(WEB_PORT=["lots", "9090"], LOG_LEVEL="", TOKEN_KEYS=KEY)
    settings = ada.run()
    assert (settings.web_port, settings.log_level, settings.sealing_keys()) == (9090, "INFO", (read_key(KEY),))
    assert "TOKEN_KEYS" in ada.hidden
    assert sum(line.startswith("WEB_PORT: must be a whole number") for line in ada.said) == 2


# -- keys


def test_a_key_that_lies_there_is_taken_and_never_overwritten() -> None:
    Path("keys").mkdir(mode=0o700)
    Path("keys/gatefold.keys").write_text(f"{KEY}\n")
    Path("keys/gatefold.keys").chmod(0o600)
    assert person().run().sealing_keys() == (read_key(KEY),)


def test_no_new_key_is_made_for_a_database_that_needs_its_old_one() -> None:
    Path("gatefold.db").touch()
    Path("safe").mkdir()
    Path("safe/old.keys").write_text(new_key())
    Path("safe/old.keys").chmod(0o600)
    settings = person(TOKEN_KEYS_FILE=["nowhere", "safe/old.keys"]).run()
    assert settings.token_keys_file == Path("safe/old.keys")
    assert settings.database_path == Path("gatefold.db")
    assert not Path("keys").exists()


def test_two_ways_to_give_keys_and_an_open_key_file_are_told_before_anything_is_asked() -> None:
    Path("k").write_text(KEY)
    Path("k").chmod(0o644)
    for lines, word in (("TOKEN_KEYS=a\nTOKEN_KEYS_FILE=k\n", "Remove one"), ("TOKEN_KEYS_FILE=k\n", "chmod 600")):
        Path(".env").write_text(lines)
        ada = person()
        with pytest.raises(SetupError, match=word):
            ada.run()
        assert ada.asked == []


# -- when it ends early


@pytest.mark.parametrize("last", list(GOOD))
def test_whoever_stops_in_the_middle_finds_the_old_file_untouched(last: str) -> None:
    Path(".env").write_text("# mine\n")
    Path(".env").chmod(0o640)

    def ask(question: Question) -> str:
        if question.name == last:
            raise KeyboardInterrupt
        return GOOD[question.name]

    with pytest.raises(KeyboardInterrupt):
        Setup(Path(".env"), ask, lambda line: None, {}).run()
    assert text() == "# mine\n"
    assert mode(".env") == 0o640
    assert os.listdir(".") == [".env"]


def test_where_nobody_can_answer_it_ends_without_a_question() -> None:
    said: list[str] = []
    conversation = Setup(Path(".env"), None, said.append, {})
    with pytest.raises(CannotAsk):
        conversation.run()
    assert {"PUBLIC_URL", "DISCORD_TOKEN"} <= conversation.problems().keys()
    assert said == []


def test_where_nobody_can_answer_what_is_optional_stays_empty_and_a_key_is_made() -> None:
    required = {name: value for name, value in GOOD.items() if not name.startswith("SPOTIFY")}
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in required.items()))
    settings = Setup(Path(".env"), None, lambda line: None, {}).run()
    assert (settings.spotify_client_id, settings.token_keys_file) == ("", Path("keys/gatefold.keys"))


@pytest.mark.parametrize("is_there", [False, True])
def test_whoever_stops_at_the_review_leaves_no_key_that_setup_made(is_there: bool) -> None:
    if is_there:
        Path("keys").mkdir(mode=0o700)
        Path("keys/gatefold.keys").write_text(f"{KEY}\n")
        Path("keys/gatefold.keys").chmod(0o600)

    def ask(question: Question) -> str:
        if question.name == "CHANGE":
            raise KeyboardInterrupt
        return GOOD[question.name]

    with pytest.raises(KeyboardInterrupt):
        Setup(Path(".env"), ask, lambda line: None, {}).run()
    assert os.listdir(".") == (["keys"] if is_there else [])
    assert not is_there or Path("keys/gatefold.keys").read_text() == f"{KEY}\n"


def test_whoever_stops_while_registering_keeps_what_was_written() -> None:
    def ask(question: Question) -> str:
        if question.name == "DONE":
            raise KeyboardInterrupt
        return GOOD.get(question.name, "")

    with pytest.raises(KeyboardInterrupt):
        Setup(Path(".env"), ask, lambda line: None, {}).run()
    assert load().sealing_keys()


def test_where_nothing_can_be_written_nothing_is_asked() -> None:
    """A folder that is not there, since root may write to every other one."""
    ada = person()
    with pytest.raises(SetupError, match="cannot be written to"):
        Setup(Path("gone/.env"), ada.ask, ada.said.append, {}).run()
    assert ada.asked == []


def test_a_disk_that_takes_no_settings_is_told_and_nothing_is_left() -> None:
    """Nothing of more than 100 bytes can be written, so the key can and `.env` cannot."""

    def ask(question: Question) -> str:
        if question.name == "CHANGE":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        return GOOD.get(question.name, "")

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(SetupError, match=r"\.env cannot be written \(File too large\)"):
            Setup(Path(".env"), ask, lambda line: None, {}).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(".") == []


# -- the text


def test_a_token_over_two_lines_is_asked_for_again_and_written_as_one() -> None:
    person().run()
    Path(".env").write_text(text().replace(BOT_TOKEN, f"{BOT_TOKEN[:30]}\n{BOT_TOKEN[30:]}"))
    ada = person(**dict.fromkeys(GOOD) | {"DISCORD_TOKEN": BOT_TOKEN})
    ada.run()
    assert ada.asked[0] == "DISCORD_TOKEN"
    assert any("goes over two lines" in line for line in ada.said)
    assert load().discord_token.get_secret_value() == BOT_TOKEN
    assert BOT_TOKEN[30:] not in text().splitlines()


def test_a_doubled_line_is_left_once() -> None:
    assert with_values("A=1\nB=2\nA=3\n", {"A": "4"}, {}) == "B=2\nA=4\n"


def test_names_are_those_with_a_value() -> None:
    assert names("A=1\n#B=2\nC=\nexport D=4\n E = 5\n") == {"A", "D", "E"}


def test_a_comment_in_place_of_a_value_is_no_value(folder: Path) -> None:
    assert names("TOKEN_KEYS= # see the documentation\n") == set()
    Path(".env").write_text("TOKEN_KEYS= # or the next\nTOKEN_KEYS_FILE= # a file\nCONTACT=#music\n")
    settings = person().run()
    assert settings.token_keys_file == Path("keys/gatefold.keys")
    assert settings.contact == "#music"


# -- the whole of it


@dataclass
class Terminal:
    """A `gatefold` at a terminal."""

    process: asyncio.subprocess.Process
    master: int
    shown: str = ""
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self) -> None:
        try:
            self.shown += os.read(self.master, 65536).decode()
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self.master)
        self._more.set()

    async def asks(self, name: str) -> None:
        """Wait until it asks for this."""
        async with asyncio.timeout(60):
            while not re.search(rf"\n{name}(?: \[[^\]\n]*\])?: $", self.shown):
                self._more.clear()
                await self._more.wait()

    def type(self, answer: str) -> None:
        self.shown += "|"  # what comes next is a new question, also where nothing is echoed
        os.write(self.master, f"{answer}\n".encode())

    async def interrupted(self) -> int:
        """Press Ctrl-C, and again where Python missed it: between the prompt and the reading it does not see it."""
        async with asyncio.timeout(40):
            while True:
                self.process.send_signal(signal.SIGINT)
                with suppress(TimeoutError):
                    return await asyncio.wait_for(self.process.wait(), 5)

    async def ended(self) -> int:
        async with asyncio.timeout(40):
            return await self.process.wait()


@asynccontextmanager
async def terminal(out: Outside, *arguments: str, **env: str) -> AsyncIterator[Terminal]:
    master, slave = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=out.folder,
        env=bare_environment(str(ROOT)) | env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        # What a shell starts in the background, such as these tests, ignores Ctrl-C, and so does what it starts itself.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    os.close(slave)
    there = Terminal(process, master)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, there.read)
    try:
        yield there
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        loop.remove_reader(master)
        os.close(master)


@pytest.fixture
async def out(tmp_path: Path) -> AsyncIterator[Outside]:
    async with outside(tmp_path) as out:
        yield out
        assert out.discord.problems == []


def addresses(out: Outside) -> str:
    """The part of `.env` that only tests need."""
    kept = [name for name in out.env if name.endswith("_URL") and name != "PUBLIC_URL"]
    return "".join(f"{name}={out.env[name]}\n" for name in [*kept, "WEB_PORT"])


async def told(out: Outside, *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a `gatefold` without a terminal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=out.folder,
        env=bare_environment(str(ROOT)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        said, warned = await process.communicate()
    assert process.returncode is not None
    assert [secret for secret in out.secrets() if secret in (said + warned).decode()] == []
    return process.returncode, said.decode(), warned.decode()


def type_in(out: Outside) -> Sequence[tuple[str, str]]:
    return [
        ("PUBLIC_URL", "http://localhost:8080"),
        ("PUBLIC_URL", out.env["PUBLIC_URL"]),
        ("DISCORD_TOKEN", "MTEw.GxWrong.a-token-that-was-reset"),
        *((name, GOOD[name]) for name in list(GOOD)[1:]),
    ]


async def test_a_whole_setup_at_a_terminal_ends_with_the_doctor_and_the_bot_starts_with_it(out: Outside) -> None:
    env = out.folder / ".env"
    env.write_text(f"# for the tests\n{addresses(out)}")
    async with terminal(out, "setup") as there:
        for name, answer in type_in(out):
            await there.asks(name)
            there.type(answer)
        await there.asks("CHANGE")
        there.type("")
        await there.asks("DONE")
        assert "discord-redirect" not in there.shown  # nothing is checked before it can be registered
        there.type("")
        assert await there.ended() == 0, there.shown
    shown = there.shown
    assert "Spotify does not accept `localhost`" in shown
    assert f"{out.env['PUBLIC_URL']}/callback/spotify" in shown
    assert re.search(r"ok\S* +discord-secret", shown)
    assert "\x1b[" in shown  # a terminal gets colours
    assert "debug" not in shown  # and no log
    assert re.search(r"\n18 ok, 1 warning, 5 skipped\r?\n", shown)
    assert f"DISCORD_TOKEN: |{'*' * len(BOT_TOKEN)}\r\n" in shown
    assert "Discord does not accept DISCORD_TOKEN." in shown  # the first answer, which was asked again
    assert f"DISCORD_CLIENT_ID [{APP}]: " in shown  # Discord named the app that the token belongs to
    last = shown.replace("\r", "").rstrip().splitlines()
    assert last[-1] == f"  cd {out.folder} && {sys.executable} -m bot run"
    assert f"?client_id={APP}&integration_type=0&scope=bot+applications.commands" in last[-5]
    key = (out.folder / "keys/gatefold.keys").read_text().strip()
    assert [secret for secret in (BOT_TOKEN, DISCORD_SECRET, SPOTIFY_SECRET, key) if secret in shown] == []
    assert env.read_text().startswith("# for the tests\n")
    assert stat.S_IMODE(env.stat().st_mode) == 0o600

    running = await out.start(**dict.fromkeys(set(out.env) - {"WEB_PORT"}))
    status, said, warned = await told(out, "doctor", "--json")
    assert (status, warned) == (0, "")
    verdicts = {finding["name"]: finding["verdict"] for finding in json.loads(said)["findings"]}
    assert (verdicts["site"], verdicts["keys"], verdicts["migrations"]) == ("ok", "ok", "ok")
    await running.terminate()


async def test_ctrl_c_at_a_question_leaves_everything_as_it_was(out: Outside) -> None:
    env = out.folder / ".env"
    env.write_text("# mine\n")
    async with terminal(out, "setup", NO_COLOR="1") as there:
        await there.asks("PUBLIC_URL")
        there.type("https://gatefold.example.org")
        await there.asks("DISCORD_TOKEN")
        assert await there.interrupted() == 1
    assert "Traceback" not in there.shown
    assert there.shown.rstrip().endswith("Stopped. Nothing was changed.")
    assert env.read_text() == "# mine\n"
    assert os.listdir(out.folder) == [".env"]


async def test_ctrl_c_after_the_settings_are_written_says_so(out: Outside) -> None:
    env = out.folder / ".env"
    env.write_text(addresses(out))
    async with terminal(out, "setup", NO_COLOR="1", COLUMNS="200") as there:
        for name, answer in list(type_in(out))[1:2] + list(type_in(out))[3:]:
            await there.asks(name)
            there.type(answer)
        await there.asks("CHANGE")
        there.type("")
        await there.asks("DONE")
        assert await there.interrupted() == 1
    assert re.search(r"Stopped\. The settings are written\. \S+ -m bot doctor\s+checks them\.\s*$", there.shown)
    assert f"PUBLIC_URL={out.env['PUBLIC_URL']}" in env.read_text()


async def test_without_a_terminal_it_names_what_is_missing_or_goes_on_to_the_doctor(out: Outside) -> None:
    env = out.folder / ".env"
    env.write_text(addresses(out))
    status, _, warned = await told(out, "setup")
    assert status == 1
    assert "DISCORD_TOKEN: missing." in warned
    assert env.read_text() == addresses(out)
    env.write_text(addresses(out) + "".join(f"{name}={value}\n" for name, value in (GOOD | complete(out)).items()))
    status, said, _ = await told(out, "setup")
    assert status == 0
    assert "Nothing was changed." in said
    assert re.search(r"^ok +discord-token ", said, re.MULTILINE)
    assert "\x1b" not in said


async def test_the_exit_status_of_the_doctor_is_for_scripts(out: Outside) -> None:
    env = out.folder / ".env"
    env.write_text(addresses(out) + "".join(f"{name}={value}\n" for name, value in (GOOD | complete(out)).items()))
    out.discord.redirect_uris = []
    status, said, warned = await told(out, "doctor", "--json")
    assert (status, warned, json.loads(said)["ok"]) == (1, "", False)
    # `.env` is open to others, too: it was written by this test
    failed = {finding["name"] for finding in json.loads(said)["findings"] if finding["verdict"] == "failed"}
    assert failed == {"files", "discord-redirect"}
    assert (await told(out, "doctor", "--nonsense"))[0] == 2


async def test_no_color_is_honoured(out: Outside) -> None:
    async with terminal(out, "doctor", NO_COLOR="1") as there:
        assert await there.ended() == 1
    assert "failed   settings" in there.shown
    assert "\x1b" not in there.shown


def complete(out: Outside) -> dict[str, str]:
    return {"PUBLIC_URL": out.env["PUBLIC_URL"], "TOKEN_KEYS": KEY, "DATABASE_PATH": "data/gatefold.db"}
