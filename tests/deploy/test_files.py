"""The other files of deploy/: alert rules, compose, and the recipes for proxies."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process.harness import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "deploy/prometheus-alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_uses_metrics_that_the_bot_has_and_says_what_to_do(rule: dict[str, Any]) -> None:
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference.md").read_text(encoding="utf-8"), re.MULTILINE))
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"gatefold_\w+", rule["expr"])}
    assert used
    assert used <= documented
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_parts_of_the_alert_rules_are_those_of_the_bot() -> None:
    """An outcome that the bot does not count would never raise an alert."""
    outcomes = set(re.findall(r'outcome="(\w+)"', " ".join(rule["expr"] for rule in RULES)))
    assert outcomes == {"InternalError"}
    assert "class InternalError" in (ROOT / "bot/errors.py").read_text(encoding="utf-8")


def test_in_compose_the_bot_is_reached_from_this_machine_only_and_caddy_is_a_choice() -> None:
    bot, caddy = COMPOSE["services"]["gatefold"], COMPOSE["services"]["caddy"]
    assert bot["ports"] == ["127.0.0.1:${GATEFOLD_PORT:-8080}:8080"]
    assert caddy["profiles"] == ["caddy"]
    assert "profiles" not in bot
    assert re.fullmatch(r"\d+m", bot["mem_limit"])


def test_in_compose_backups_have_a_mount_and_the_image_a_folder_for_it() -> None:
    bot = COMPOSE["services"]["gatefold"]
    folder = bot["environment"]["BACKUP_FOLDER"]
    assert f"${{GATEFOLD_BACKUPS:-backups}}:{folder}" in bot["volumes"]
    assert "backups" in COMPOSE["volumes"]
    assert f" {folder}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_recipe_leads_to_the_port_of_the_bot() -> None:
    for name in ("nginx.conf", "cloudflared.yml", "Caddyfile"):
        assert "127.0.0.1:8080" in (ROOT / "deploy" / name).read_text(encoding="utf-8")
    traefik = yaml.safe_load((ROOT / "deploy/traefik.yaml").read_text(encoding="utf-8"))
    labels = traefik["services"]["gatefold"]["labels"]
    assert labels["traefik.http.services.gatefold.loadbalancer.server.port"] == "8080"
    tunnel = yaml.safe_load((ROOT / "deploy/cloudflared.yml").read_text(encoding="utf-8"))
    assert tunnel["ingress"][-1] == {"service": "http_status:404"}


def test_every_alert_has_a_case_in_which_it_is_raised_and_one_in_which_it_is_not() -> None:
    """promtool runs them where it is installed: deploy/check.sh."""
    cases = yaml.safe_load((ROOT / "tests/deploy/alerts.yml").read_text(encoding="utf-8"))["tests"]
    asked = [case for test in cases for case in test["alert_rule_test"]]
    for is_raised in (True, False):
        found = {case["alertname"] for case in asked if bool(case["exp_alerts"]) is is_raised}
        assert found == {rule["alert"] for rule in RULES}


def test_no_recipe_writes_what_a_browser_asked_for_to_a_log() -> None:
    nginx = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    assert "access_log off;" in nginx
    assert re.search(r"error_log \S+ crit;", nginx)  # a bot that is down is an `error`, with the whole address
    for name in ("deploy/Caddyfile", "docs/hosting.md"):
        assert "\tlog {\n\t\texclude http.log.error\n\t}\n" in (ROOT / name).read_text(encoding="utf-8")


def test_the_build_does_not_take_a_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/build.sh"), str(tmp_path / "README.md")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'README.md'} is a file. Name a folder, such as /opt/gatefold.\n"


def test_the_build_does_not_install_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/build.sh"), str(tmp_path)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"There are other files in {tmp_path}. Name a folder of its own, such as {ROOT}-bot.\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "README.md"]


def test_commands_as_the_service_have_what_the_unit_and_its_additions_give_it(tmp_path: Path) -> None:
    unit, added = tmp_path / "gatefold.service", tmp_path / "gatefold.service.d"
    unit.write_text((ROOT / "deploy/gatefold.service").read_text(encoding="utf-8"))
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)

    def given() -> list[str]:
        done = subprocess.run(
            ["sh", str(ROOT / "deploy/as-service.sh"), "backup", "a b"],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "UNIT": str(unit)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    alone = given()
    assert alone[-3:] == ["/opt/gatefold/bin/gatefold", "backup", "a b"]
    assert "--property=DynamicUser=yes" in alone
    added.mkdir()
    (added / "override.conf").write_text("[Service]\nReadWritePaths=/mnt/usb/gatefold\n")
    assert {*given()} - {*alone} == {"--property=ReadWritePaths=/mnt/usb/gatefold"}


@pytest.mark.parametrize(
    ("python", "words"),
    [("python9", "There is no python9 here."), ("/bin/false", "Gatefold needs Python 3.11 or newer")],
)
def test_the_build_says_which_python_is_missing(python: str, words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/build.sh"), str(tmp_path / "target")],
        env={"PATH": "/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("prefix", "is_at_home", "is_told"),
    [
        ("/root/.pyenv/versions/3.11.7", False, True),
        ("/home/ada/.local", False, True),
        ("/home/ada/.local", True, False),
        ("/usr", False, False),
    ],
)
def test_the_build_says_when_a_service_could_not_see_this_python(
    prefix: str, is_at_home: bool, is_told: bool, tmp_path: Path
) -> None:
    """The stand-in for Python knows where it is, and cannot make a venv, which ends the build."""
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase $* in *base_prefix*) echo {prefix} ;; *"-m venv"*) exit 7 ;; esac\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/build.sh"), str(tmp_path / "target")],
        env={"PATH": os.environ["PATH"], "PYTHON": str(python), "HOME": str(tmp_path) if is_at_home else "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert (f"Careful: {python} is in {prefix}, which a systemd service cannot see." in done.stderr) is is_told


def test_make_says_which_python_is_missing_also_when_everything_is_set_up(tmp_path: Path) -> None:
    (tmp_path / ".ready").touch()

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-C", str(ROOT), "--dry-run", "test", f"VENV={tmp_path}", *words],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    refused = make("PYTHON=python9")
    assert refused.returncode == 2
    assert "Gatefold needs Python 3.11 or newer, and there is no python9 here." in refused.stderr
    assert "pytest" not in refused.stdout
    for named in ((), ("PYTHON=/bin/sh",)):
        assert make(*named).returncode == 0
        assert f"{tmp_path}/bin/python -m pytest" in make(*named).stdout
