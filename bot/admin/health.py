"""`gatefold health`: whether the bot that runs here works, for an image's health check, which has no curl.

`python -m bot.admin.health` does the same without loading all that the other commands need.
"""

from __future__ import annotations

import http.client
import json
import sys

import click

from bot.settings import SettingsError, SiteSettings, load_only


@click.command()
@click.option("--timeout", "timeout_s", default=5.0, show_default=True, help="How many seconds to wait.")
def health(timeout_s: float) -> None:
    """Ask the bot on this machine whether everything works; the exit status is 0 if it does, else 1.

    Example: gatefold health
    """
    try:
        settings = load_only(SiteSettings)
    except SettingsError as error:
        click.echo("\n".join(error.problems), err=True)
        sys.exit(1)
    is_well, sentence = asked(settings.web_host, settings.web_port, timeout_s)
    click.echo(sentence, err=not is_well)
    sys.exit(0 if is_well else 1)


def asked(host: str, port: int, timeout_s: float) -> tuple[bool, str]:
    """Whether all is well at /healthz, and a sentence. No proxy of the environment is used."""
    if not port:
        return False, "WEB_PORT is 0, which means any port: set one, so that it can be asked."
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (nothing is bound here)
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        parts = json.loads(answer.read(65536))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"Nothing that is Gatefold answers at {host}:{port} ({type(error).__name__})."
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return True, "Everything works."
    missing = [name for name, works in parts.items() if not works] if isinstance(parts, dict) else []
    return False, f"This does not work: {', '.join(missing) or f'status {answer.status}'}."


if __name__ == "__main__":
    health()
