"""Settings: read from the environment and `.env`, all problems at once, and no secret in any of them."""

from __future__ import annotations

import base64
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot.settings import Settings, SettingsError, from_values, load, read_key

SECRET = "a-very-secret-value"
# Fixed, since they stand in the names of tests, which must be the same in every worker.
KEY, OTHER_KEY = "siW3WELQ-acBGbM3tJVt0dHpjui7iCOAYgFtZq-0UPA", "ufDC8ezQjtz-wx9yvzJ0NBaeOwO3PMlSlbFbR_ppew0"
GOOD = {
    "DISCORD_TOKEN": f"{SECRET}-token",
    "DISCORD_CLIENT_ID": "1100000000000000001",
    "DISCORD_CLIENT_SECRET": f"{SECRET}-discord",
    "SPOTIFY_CLIENT_ID": "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d",
    "SPOTIFY_CLIENT_SECRET": f"{SECRET}-spotify",
    "PUBLIC_URL": "https://gatefold.example.org",
    "TOKEN_KEYS": KEY,
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any of our names, and an empty folder to stand in."""
    names = {name.upper() for name in attrs.fields_dict(Settings)} | {"CREDENTIALS_DIRECTORY"}
    for name in [name for name in os.environ if name.upper() in names]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **values: str | None) -> Settings:
    """The settings of an environment with these values beside the good ones; None: not there."""
    for name, value in {**GOOD, **values}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load()


def refused(monkeypatch: pytest.MonkeyPatch, **values: str | None) -> list[str]:
    """What is wrong with such an environment; no secret is in it."""
    with pytest.raises(SettingsError) as caught:
        given(monkeypatch, **values)
    told = "\n".join((repr(caught.value), str(caught.value), *traceback.format_exception(caught.value)))
    assert SECRET not in told
    assert KEY not in told
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.problems


# -- what is read


def test_the_least_that_is_needed_is_enough_and_all_else_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, SPOTIFY_CLIENT_SECRET=None)
    plain = {name: value for name, value in attrs.asdict(settings).items() if name.upper() not in GOOD}
    assert plain == {
        "web_host": "127.0.0.1",
        "web_port": 8080,
        "metrics_host": "127.0.0.1",
        "metrics_port": 0,
        "database_path": Path("gatefold.db"),
        "backup_folder": None,
        "backup_every_hours": 24,
        "backup_keep": 4,
        "token_keys_file": None,
        "spotify_seats": 5,
        "hosts": (),
        "contact": "",
        "message_content": False,
        "spotify_album_endpoint": "auto",
        "dev_guild_id": None,
        "log_level": "INFO",
        "log_format": "console",
        "discord_api_url": "https://discord.com/api/v10",
        "discord_gateway_url": "wss://gateway.discord.gg/",
        "discord_cdn_url": "https://cdn.discordapp.com",
        "discord_authorize_url": "https://discord.com/oauth2/authorize",
        "spotify_api_url": "https://api.spotify.com/v1",
        "spotify_accounts_url": "https://accounts.spotify.com",
        "spotify_oembed_url": "https://open.spotify.com/oembed",
        "spotify_short_link_url": None,
    }
    assert settings.spotify_secret is None


def test_every_setting_is_read_from_the_environment_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "WEB_HOST": "0.0.0.0",
        "WEB_PORT": "9090",
        "DATABASE_PATH": "/var/lib/gatefold/g.db",
        "SPOTIFY_ALBUM_ENDPOINT": "library",
        "DEV_GUILD_ID": "613425648685547541",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "DISCORD_API_URL": "http://127.0.0.1:1/api/v10/",
        "DISCORD_GATEWAY_URL": "ws://127.0.0.1:1/gateway/",
        "DISCORD_AUTHORIZE_URL": "http://127.0.0.1:1/oauth2/authorize",
        "SPOTIFY_API_URL": "http://127.0.0.1:2/v1/",
        "SPOTIFY_ACCOUNTS_URL": "http://127.0.0.1:2/",
        "SPOTIFY_SHORT_LINK_URL": "http://127.0.0.1:3",
    }
    settings = given(monkeypatch, **values)
    assert (settings.web_host, settings.web_port, settings.dev_guild_id) == ("0.0.0.0", 9090, 613425648685547541)
    assert settings.database_path == Path("/var/lib/gatefold/g.db")
    assert (settings.spotify_album_endpoint, settings.log_level, settings.log_format) == ("library", "DEBUG", "json")
    # paths are put behind these: no slash at their end
    assert settings.discord_api_url == "http://127.0.0.1:1/api/v10"
    assert settings.spotify_api_url == "http://127.0.0.1:2/v1"
    assert settings.spotify_accounts_url == "http://127.0.0.1:2"
    assert settings.discord_gateway_url == "ws://127.0.0.1:1/gateway/"
    assert settings.spotify_short_link_url == "http://127.0.0.1:3"
    assert settings.discord_token.get_secret_value() == f"{SECRET}-token"
    assert settings.spotify_secret == f"{SECRET}-spotify"


def test_a_file_is_read_and_the_environment_comes_before_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [*(f"{name}={value}" for name, value in GOOD.items()), "WEB_PORT=1111", "# a comment", "SOMETHING_ELSE=1"]
    (tmp_path / ".env").write_text("\n".join([*lines, "LOG_LEVEL=warning"]))
    monkeypatch.setenv("WEB_PORT", "2222")
    settings = load()
    assert (settings.web_port, settings.log_level) == (2222, "WARNING")
    assert settings.discord_client_id == GOOD["DISCORD_CLIENT_ID"]


def test_empty_values_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("SPOTIFY_CLIENT_SECRET", "DEV_GUILD_ID", "SPOTIFY_SHORT_LINK_URL", "TOKEN_KEYS_FILE", "WEB_PORT")
    settings = given(monkeypatch, **dict.fromkeys(names, ""), LOG_LEVEL="", SPOTIFY_API_URL="")
    assert settings.spotify_secret is None
    assert (settings.dev_guild_id, settings.spotify_short_link_url, settings.web_port) == (None, None, 8080)
    assert (settings.log_level, settings.spotify_api_url) == ("INFO", "https://api.spotify.com/v1")


def test_values_that_are_handed_in_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PORT", "2222")
    monkeypatch.setenv("TOKEN_KEYS_FILE", "/nowhere")
    settings = from_values(**{name.lower(): value for name, value in GOOD.items()})
    assert (settings.web_port, settings.token_keys_file) == (8080, None)


@pytest.mark.parametrize("level", ["critical", "ERROR", "Warning", "iNFO", "debug"])
def test_a_log_level_is_read_in_any_case(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(monkeypatch, LOG_LEVEL=level).log_level == level.upper()


# -- problems


def test_all_problems_are_told_at_once_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = refused(
        monkeypatch,
        DISCORD_TOKEN=None,
        DISCORD_CLIENT_ID=f"{SECRET}",
        DISCORD_CLIENT_SECRET="",
        SPOTIFY_CLIENT_ID=f"{SECRET} !",
        PUBLIC_URL="http://localhost:8080",
        TOKEN_KEYS=None,
        WEB_PORT="99999",
        DEV_GUILD_ID=f"{SECRET}",
        LOG_LEVEL=f"{SECRET}",
        LOG_FORMAT="xml",
        SPOTIFY_ALBUM_ENDPOINT="both",
        SPOTIFY_API_URL=f"{SECRET}",
        DISCORD_GATEWAY_URL="https://gateway.example",
    )
    named = sorted(problem.partition(":")[0] for problem in problems)
    assert named == [
        "DEV_GUILD_ID",
        "DISCORD_CLIENT_ID",
        "DISCORD_CLIENT_SECRET",
        "DISCORD_GATEWAY_URL",
        "DISCORD_TOKEN",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "PUBLIC_URL",
        "SPOTIFY_ALBUM_ENDPOINT",
        "SPOTIFY_API_URL",
        "SPOTIFY_CLIENT_ID",
        "TOKEN_KEYS or TOKEN_KEYS_FILE",
        "WEB_PORT",
    ]
    told = dict(problem.split(": ", 1) for problem in problems)
    assert "developer portal" in told["DISCORD_TOKEN"]
    assert "developer portal" in told["DISCORD_CLIENT_SECRET"]
    assert "dashboard" in told["SPOTIFY_CLIENT_ID"]
    assert "127.0.0.1" in told["PUBLIC_URL"]
    assert "gatefold new-key" in told["TOKEN_KEYS or TOKEN_KEYS_FILE"]
    assert "wss://" in told["DISCORD_GATEWAY_URL"]


def test_nothing_set_at_all_names_all_that_is_needed() -> None:
    with pytest.raises(SettingsError) as caught:
        load()
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    needed = {"DISCORD_TOKEN", "DISCORD_CLIENT_ID", "DISCORD_CLIENT_SECRET", "PUBLIC_URL"}
    assert named == needed | {"TOKEN_KEYS or TOKEN_KEYS_FILE"}


@pytest.mark.parametrize("name", [*GOOD, "WEB_PORT", "DEV_GUILD_ID", "LOG_LEVEL", "SPOTIFY_ACCOUNTS_URL"])
def test_no_value_is_repeated_in_a_problem(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(refused(monkeypatch, **{name: f"{SECRET} \u202e !"})) == 1


# -- PUBLIC_URL


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://gatefold.example.org", "https://gatefold.example.org"),
        ("https://gatefold.example.org/", "https://gatefold.example.org"),
        ("https://example.org:8443/music/", "https://example.org:8443/music"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("https://localhost.example.org", "https://localhost.example.org"),
    ],
)
def test_a_public_url_that_spotify_takes_is_taken(url: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, PUBLIC_URL=url)
    assert settings.public_url == kept
    assert settings.redirect_to_discord == f"{kept}/callback/discord"
    assert settings.redirect_to_spotify == f"{kept}/callback/spotify"
    assert settings.is_https == url.startswith("https://")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost:8080", "`localhost`"),
        ("https://localhost", "`localhost`"),
        ("http://LOCALHOST:8080", "`localhost`"),
        ("https://gatefold.localhost", "`localhost`"),
        ("http://gatefold.example.org", "plain http"),
        ("http://192.168.0.7:8080", "plain http"),
        ("http://0.0.0.0:8080", "plain http"),
        ("http://[::]:8080", "plain http"),
        ("http://[2001:db8::1]", "plain http"),
        ("http://127.0.0.1.example.org", "plain http"),
        ("gatefold.example.org", "https://"),
        ("//gatefold.example.org", "https://"),
        ("ftp://gatefold.example.org", "https://"),
        ("https://", "https://"),
        ("https://example.org/?a=b", "https://"),
        ("https://example.org/#a", "https://"),
        ("https://user:password@example.org", "https://"),
        ("http://[::1", ""),
        ("https://example.org:port", ""),
        ("https://example.org:99999", ""),
    ],
)
def test_a_public_url_that_spotify_refuses_stops_the_start(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, PUBLIC_URL=url)
    assert problem.startswith("PUBLIC_URL: ")
    assert reason in problem
    assert "password" not in problem


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://gate fold.example.org", "space"),
        ("https://gatefold.example.org /music", "space"),
        ("https://gatefold.exam\u200bple.org", "invisible"),
        ("\ufeffhttps://gatefold.example.org", "invisible"),
        ("https://gatefold.example.org\u00a0", "invisible"),
        ("https://gatefold\n.example.org", "line break"),
        ("https://gate\tfold.example.org", "invisible"),
        ("https://jürgen.example.org", "https://xn--jrgen-kva.example.org."),
        ("https://jürgen.example.org:8443/music/", "https://xn--jrgen-kva.example.org:8443/music."),
        ("https://straße.example.org:444", "https://xn--strae-oqa.example.org:444."),
        ("https://example.org:\uff18\uff10", "https://example.org:80."),
        ("\u201chttps://example.org\u201d", "typographic quotes"),
        ("https://999.1.1.1", "https://"),
        ("https://example.1", "https://"),
        ("https://[fe80::1%25eth0]", "https://"),
        ("https://example.org.", "https://"),
        ("https://" + "a." * 130 + "org", "https://"),
        ("https://example.org/" + "a" * 300, "longer than 300"),
        ("https://example.org/müsik", "its path must be of the letters a to z."),
        ("https://example。org", "ASCII"),
        ("https://exa_mple..org", "https://"),
        ("https://example.org/a%20b", "https://"),
        ("https://example.org\\music", "https://"),
        ("https://@example.org", "https://"),
        ("https://example.org:0", "port"),
        ("https://-example.org", "https://"),
        ("https://example.org/music/../bot", "https://"),
        ("https://example.org/.", "https://"),
        ("https://example.org/callback/spotify", "https://gatefold.example.org"),
        ("https://example.org/music/callback/discord/", "https://gatefold.example.org"),
        ("'https://example.org'", "is in quotes; remove the quotes around it."),
    ],
)
def test_a_public_url_that_browsers_would_read_differently_is_refused(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, PUBLIC_URL=url)
    assert problem.startswith("PUBLIC_URL: ")
    assert reason in problem


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("HTTPS://Gatefold.Example.ORG/Music", "https://gatefold.example.org/Music"),
        (" https://gatefold.example.org \n", "https://gatefold.example.org"),
        ("https://gatefold.example.org:443/", "https://gatefold.example.org"),
        ("https://gatefold.example.org:", "https://gatefold.example.org"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:80/music", "http://[::1]/music"),
        ("https://gatefold.example.org:4430", "https://gatefold.example.org:4430"),
    ],
)
def test_a_public_url_is_kept_in_one_spelling(url: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(monkeypatch, PUBLIC_URL=url).public_url == kept


# -- one value each


@pytest.mark.parametrize(
    "path", [":memory:", "sqlite:///gatefold.db", "file:gatefold.db", "C:\\gatefold.db", "%APPDATA%/x.db"]
)
def test_what_is_no_path_on_this_machine_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, DATABASE_PATH=path)
    assert problem.startswith("DATABASE_PATH: must be a path on this machine")


@pytest.mark.parametrize("host", ["256.1.1.1", "1.2.3", "0", "127.1"])
def test_a_number_that_is_no_address_is_no_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, WEB_HOST=host)
    assert problem.startswith("WEB_HOST: must be an address of this machine")


@pytest.mark.parametrize("name", ["DATABASE_PATH", "BACKUP_FOLDER", "TOKEN_KEYS_FILE"])
@pytest.mark.parametrize("value", ["~/gatefold/x", "~ada/x", "$HOME/x", "${HOME}/x"])
def test_a_path_that_only_a_shell_would_understand_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = refused(monkeypatch, **{name: value})
    assert f"{name}: begins with ~ or $, which nothing expands here; write the whole path." in problems


@pytest.mark.parametrize("name", ["WEB_HOST", "METRICS_HOST"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [("[::]", "::"), ("[::1]", "::1"), ("::", "::"), (" 0.0.0.0 ", "0.0.0.0"), ("localhost", "localhost")],
)
def test_a_host_may_have_the_brackets_of_an_address(
    name: str, value: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(given(monkeypatch, **{name: value}), name.lower()) == kept


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1", "127.0.0.1:8080", "[::]:8080", "[", "[::", "*", "a b", "0.0.0.0/0", "bücher", "-x"]
)
def test_a_host_that_is_not_an_address_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, WEB_HOST=value)
    assert problem.startswith("WEB_HOST: must be an address")


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "DISCORD_CLIENT_SECRET", "SPOTIFY_CLIENT_SECRET"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f"{SECRET}\n{SECRET}", "two lines"),
        (f"{SECRET}\r\n{SECRET}", "two lines"),
        (f"Bot {SECRET}", "begins with the word Bot"),
        (f"{SECRET} {SECRET}", "space"),
        (f"{SECRET}\u200b", "no such secret has"),
        (f"“{SECRET}”", "no such secret has"),
        (f"{SECRET}ü", "no such secret has"),
        ("1100000000000000001", "looks like an id"),
    ],
)
def test_a_secret_in_a_form_that_none_has_is_refused(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, **{name: value})
    assert problem.startswith(f"{name}: ")
    assert reason in problem


@pytest.mark.parametrize(
    "value", ["\uff18\uff10\uff18\uff10", "80_80", "8080.0", "0x50", "-1", "65536", "eighty", "9" * 5000]
)
def test_a_port_is_a_whole_number_in_plain_digits(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, WEB_PORT=value)
    assert problem == "WEB_PORT: must be a whole number from 0 to 65535."


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BACKUP_KEEP", "4 # weeks", "a # begins no comment here, so remove it and what follows."),
        ("PUBLIC_URL", "https://gatefold.example.org # mine", "a # begins no comment here"),
        ("BACKUP_KEEP", "'4'", "remove the quotes around it."),
        ("PUBLIC_URL", '"https://gatefold.example.org"', "remove the quotes around it."),
        ("BACKUP_FOLDER", "'/mnt/usb'", "is in quotes; remove the quotes around it."),
        ("CONTACT", '"Ada"', "remove the quotes around it."),
    ],
)
def test_what_only_an_env_file_would_have_removed_is_told(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, **{name: value})
    assert problem.startswith(f"{name}: ")
    assert says in problem


@pytest.mark.parametrize("word", ["Bot", "Bearer"])
def test_a_token_with_the_word_before_it_is_told(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(monkeypatch, DISCORD_TOKEN=f"{word} a.b.c") == [
        f"DISCORD_TOKEN: begins with the word {word}; leave that out."
    ]


def test_hosts_are_ids_of_members(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = (200000000000000001, 200000000000000002)
    assert given(monkeypatch, HOSTS=" 200000000000000001, 200000000000000002,200000000000000001, ").hosts == ids
    assert given(monkeypatch, HOSTS="").hosts == ()
    for value in ("ada", "<@200000000000000001>", "1", "200000000000000001.0"):
        [problem] = refused(monkeypatch, HOSTS=value)
        assert "ids of Discord users" in problem


def test_message_content_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(monkeypatch, MESSAGE_CONTENT="On").message_content is True
    assert given(monkeypatch, MESSAGE_CONTENT="off").message_content is False
    assert refused(monkeypatch, MESSAGE_CONTENT="yes") == ["MESSAGE_CONTENT: must be on or off."]


def test_a_host_may_have_no_spotify_app(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, SPOTIFY_CLIENT_ID="", SPOTIFY_CLIENT_SECRET=None)
    assert (settings.spotify_client_id, settings.spotify_secret) == ("", None)
    [problem] = refused(monkeypatch, SPOTIFY_CLIENT_ID="", SPOTIFY_CLIENT_SECRET=f"{SECRET}")
    assert "set both or neither" in problem


# -- files


@pytest.mark.parametrize(
    ("mark", "coding"), [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8")], ids=["plain", "with a byte order mark"]
)
def test_files_may_begin_with_a_byte_order_mark(
    mark: bytes, coding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = "\n".join(f"{name}={value}" for name, value in GOOD.items() if name != "TOKEN_KEYS")
    file = key_file(tmp_path)
    file.write_bytes(mark + KEY.encode(coding))
    (tmp_path / ".env").write_bytes(mark + f"{lines}\nTOKEN_KEYS_FILE={file}\n".encode(coding))
    assert load().sealing_keys() == (read_key(KEY),)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "discord_client_secret").write_bytes(mark + b"of-the-file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    (tmp_path / ".env").write_text((tmp_path / ".env").read_text().replace("DISCORD_CLIENT_SECRET", "#"))
    assert load().discord_client_secret.get_secret_value() == "of-the-file"


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_utf_16_says_how_to_save_it(coding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("DISCORD_TOKEN=x".encode(coding))
    [problem] = refused(monkeypatch)
    assert problem.startswith(".env is saved as UTF-16 or is not a text file; save it as UTF-8.")
    (tmp_path / ".env").unlink()
    file = key_file(tmp_path)
    file.write_bytes(KEY.encode(coding))
    [problem] = refused(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file))
    assert "save it as UTF-8. The key in it stays the same." in problem
    assert "new-key" not in problem


def test_a_token_over_two_lines_of_the_env_file_is_a_sentence(tmp_path: Path) -> None:
    lines = "\n".join(f"{name}={value}" for name, value in GOOD.items() if name != "DISCORD_TOKEN")
    (tmp_path / ".env").write_text(f'{lines}\nDISCORD_TOKEN="{SECRET}\n{SECRET}"\n')
    with pytest.raises(SettingsError) as caught:
        load()
    [problem] = caught.value.problems
    assert problem.startswith("DISCORD_TOKEN: goes over two lines")


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "DISCORD_CLIENT_SECRET", "SPOTIFY_CLIENT_SECRET", "TOKEN_KEYS"])
@pytest.mark.parametrize("between", ["\n", "\r\n", "\n    ", "\\\n", "\n\t"], ids=ascii)
def test_a_secret_that_goes_on_in_the_next_line_without_quotes_stops_the_start(
    name: str, between: str, tmp_path: Path
) -> None:
    value = GOOD[name]
    whole = "\n".join(f"{other}={GOOD[other]}" for other in GOOD if other != name)
    for parts in ((value[:20], value[20:]), (value[:8], value[8:16], value[16:]), (value[:-3], "x2=")):
        (tmp_path / ".env").write_text(f"{name}={between.join(parts)}\n{whole}\n", newline="")
        with pytest.raises(SettingsError) as caught:
            load()
        [problem] = caught.value.problems
        assert problem.startswith(f"{name}: ")
        if name != "TOKEN_KEYS" or len(parts) == 2:
            assert "goes over two lines" in problem or "is not a key" in problem
        assert not [part for part in parts if part in problem]


@pytest.mark.parametrize(
    "line", ["", "# a comment", "```", "WEB_PORT=", "WEB_PORT", "OTHER_2=", "two words", "---", "LANG=C"]
)
def test_what_is_no_rest_of_a_secret_leaves_it_as_it_is(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n{line}\n" for name, value in GOOD.items()))
    assert load().discord_token.get_secret_value() == GOOD["DISCORD_TOKEN"]


def test_a_second_key_on_a_line_of_its_own_is_a_key(tmp_path: Path) -> None:
    other = "Ab-_" * 10 + "Abc"
    lines = "\n".join(f"{name}={value}" for name, value in GOOD.items() if name != "TOKEN_KEYS")
    (tmp_path / ".env").write_text(f"{lines}\nTOKEN_KEYS={KEY},\n{other}\n")
    assert len(load().sealing_keys()) == 2


@pytest.mark.parametrize("around", ["'{}", "{}'", "`{}`", "<{}>", "({})", "[{}]", "{},", "{};", "{{{}}}"])
def test_a_secret_that_was_copied_with_what_is_around_it_is_refused(
    around: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, DISCORD_TOKEN=around.format(GOOD["DISCORD_TOKEN"]))
    assert problem == "DISCORD_TOKEN: has a quote, a bracket or a separator around it; remove it."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'"{KEY}"', "remove it. The key stays the same"),
        (f"\u201c{KEY}\u201d", "remove it. The key stays the same"),
        (f"\ufeff{KEY}", "remove it. The key stays the same"),
        (f"{KEY}\u200b", "remove it. The key stays the same"),
        (f"TOKEN_KEYS={KEY}", "remove it. The key stays the same"),
        (f"{KEY} # of 2026", "remove it. The key stays the same"),
        (f"# of 2026\n{KEY}", "only keys may be there"),
        (f"{KEY[:20]}\n{KEY[20:]}", "write it as one line. The key stays the same"),
    ],
)
def test_a_key_that_is_there_with_something_else_is_never_told_to_be_replaced(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, TOKEN_KEYS=text)
    assert words in problem
    assert "new-key" not in problem
    assert KEY not in problem


def test_what_is_said_about_a_wrong_key_never_costs_the_links(monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, TOKEN_KEYS=KEY[:-2])
    assert "If members have linked already, put the key back that was used then." in problem


# -- keys


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("raw", [b"\xff" * 32, b"\x00" * 32, bytes(range(32))])
def test_a_key_is_read_with_and_without_padding(pad: bool, raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).decode()
    assert read_key(text if pad else text.rstrip("=")) == raw
    assert read_key(f"  {text}\n") == raw
    assert read_key(base64.standard_b64encode(raw).decode()) == raw  # as `openssl rand -base64 32` prints it


@pytest.mark.parametrize(
    "text",
    ["", "x", KEY[:-1], KEY + "A", KEY[:-1] + "!", KEY[:20] + " " + KEY[21:], "é" * 43, "=" * 44, "A" * 44, "A" * 64],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a key") as caught:
        read_key(text)
    assert caught.value.__cause__ is None
    assert len(text) < 20 or text not in str(caught.value)


@pytest.mark.parametrize("separator", [",", ", ", "\n", ",\n", "\n\n", " ,, "])
def test_several_keys_are_read_in_order_and_doubles_once(separator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = given(monkeypatch, TOKEN_KEYS=separator.join((KEY, OTHER_KEY + "=", KEY))).sealing_keys()
    assert keys == (read_key(KEY), read_key(OTHER_KEY))


def test_a_bad_key_is_named_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = refused(monkeypatch, TOKEN_KEYS=f"{KEY},{SECRET}")
    assert problem.startswith("TOKEN_KEYS: entry 2 is not a key")


def test_neither_and_both_ways_to_give_keys_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [neither] = refused(monkeypatch, TOKEN_KEYS=None)
    [both] = refused(monkeypatch, TOKEN_KEYS=KEY, TOKEN_KEYS_FILE=str(key_file(tmp_path)))
    assert neither == both
    assert "set exactly one of them" in neither


def key_file(folder: Path, text: str = f"{KEY}\n", mode: int = 0o600) -> Path:
    """A file with a key, in a folder of its own."""
    file = folder / "keys" / "gatefold.key"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def test_keys_are_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = key_file(tmp_path, f"{KEY}\n{OTHER_KEY}=\n")
    settings = given(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file))
    assert settings.sealing_keys() == (read_key(KEY), read_key(OTHER_KEY))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o620, 0o777])
def test_a_key_file_that_is_open_to_others_is_refused(
    mode: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = key_file(tmp_path, mode=mode)
    [problem] = refused(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file))
    assert f"chmod 600 {file}" in problem


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_for_its_owner_alone_is_taken(mode: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = key_file(tmp_path, mode=mode)
    assert given(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file)).sealing_keys() == (read_key(KEY),)


def test_a_key_beside_the_database_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = key_file(tmp_path)
    (tmp_path / "elsewhere").symlink_to(file.parent)
    for folder in (file.parent, tmp_path / "elsewhere", file.parent / ".." / "keys"):
        path = str(folder / "gatefold.db")
        [problem] = refused(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file), DATABASE_PATH=path)
        assert "in the database's folder" in problem


def test_a_key_among_the_backups_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = key_file(tmp_path)
    values = {"TOKEN_KEYS": None, "TOKEN_KEYS_FILE": str(file)}
    for folder in (file.parent, file.parent.parent):
        [problem] = refused(monkeypatch, **values, BACKUP_FOLDER=str(folder))
        assert "is in BACKUP_FOLDER" in problem
    assert given(monkeypatch, **values, BACKUP_FOLDER=str(tmp_path / "kept")).backup_folder == tmp_path / "kept"


@pytest.mark.parametrize("name", ["BACKUP_EVERY_HOURS", "BACKUP_KEEP"])
@pytest.mark.parametrize("value", ["0", "-1", "often"])
def test_backups_come_a_whole_number_of_hours_apart_and_at_least_one_stays(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [problem] = refused(monkeypatch, **{name: value})
    assert problem.startswith(f"{name}: ")


def test_where_the_system_hands_secrets_in_they_may_be_readable_for_a_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = key_file(tmp_path, mode=0o440)
    values = {"TOKEN_KEYS": None, "TOKEN_KEYS_FILE": str(file), "DATABASE_PATH": str(tmp_path / "data" / "g.db")}
    refused(monkeypatch, **values)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "other"))
    refused(monkeypatch, **values)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    assert given(monkeypatch, **values).sealing_keys() == (read_key(KEY),)


def test_a_folder_of_credentials_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container in which systemd may not mount it. Here it is a file, since root may read every folder."""
    (tmp_path / "credentials").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    [problem] = refused(monkeypatch, DISCORD_TOKEN=None)
    assert problem == f"CREDENTIALS_DIRECTORY: {tmp_path / 'credentials'} cannot be read (Not a directory)."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("", "contains no key"),
        ("\n , \n", "contains no key"),
        (SECRET, "entry 1 is not a key"),
        (f"{KEY}\nclé", "entry 2 is not a key"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why(
    text: str | None, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "nowhere" if text is None else key_file(tmp_path, text)
    [problem] = refused(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(file))
    assert problem.startswith("TOKEN_KEYS_FILE: ")
    assert reason in problem


def test_a_folder_in_place_of_a_key_file_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert refused(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(tmp_path)) == [
        f"TOKEN_KEYS_FILE: {tmp_path} is a folder; name the file in it."
    ]


# -- secrets


def shown(settings: Settings) -> list[Any]:
    return [repr(settings), str(settings), attrs.asdict(settings, recurse=False), f"{settings.discord_token}"]


def test_no_secret_is_in_a_repr_or_a_dump(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for settings in (
        given(monkeypatch),
        given(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(key_file(tmp_path))),
    ):
        for form in shown(settings):
            assert SECRET not in str(form)
            assert KEY not in str(form)
    assert SECRET.encode() in pickle.dumps(settings)  # they are there, only not shown


def test_every_secret_is_named_for_the_log_to_hide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = given(monkeypatch, TOKEN_KEYS=f"{KEY}=,{OTHER_KEY}").secrets()
    assert {*(f"{SECRET}-{name}" for name in ("token", "discord", "spotify")), KEY, OTHER_KEY} <= set(secrets)
    from_file = given(monkeypatch, TOKEN_KEYS=None, TOKEN_KEYS_FILE=str(key_file(tmp_path))).secrets()
    assert KEY in from_file
    assert "" not in given(monkeypatch, SPOTIFY_CLIENT_SECRET="", TOKEN_KEYS_FILE=None).secrets()


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.web_port = 1  # type: ignore[misc]


def test_an_env_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DISCORD_TOKEN=\xff")
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.problems == [".env is not saved as UTF-8; save it as UTF-8."]


def test_the_metrics_have_a_port_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="METRICS_PORT: is the same as WEB_PORT"):
        given(monkeypatch, METRICS_PORT="8080")
    assert given(monkeypatch, METRICS_PORT="0", WEB_PORT="0").metrics_port == 0


def test_a_wrong_form_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = refused(monkeypatch, DISCORD_CLIENT_ID="gatefold", WEB_PORT="http")
    assert [problem.partition(": must be ")[2].partition(",")[0] for problem in problems] == [
        *("a whole number from 0 to 65535.", "a number of 17 to 20 digits"),
    ]
