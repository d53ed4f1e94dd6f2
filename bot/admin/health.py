"""`gatefold health`: whether the bot that runs here works, for an image's health check, which has no curl.

`python -m bot.admin.health` does the same without loading what the other commands need.
"""

from __future__ import annotations

import http.client
import json
import sys

import click

from bot.settings import SettingsError, SiteSettings, load_only


@click.command(short_help="Ask the running bot whether everything works.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, 3600, min_open=True),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Seconds to wait for an answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
def health(timeout_s: float, as_json: bool) -> None:
    """Ask the bot on this machine whether everything works. The exit status is 0 if it does, otherwise 1.

    \b
    Examples:
      gatefold health
      gatefold health --json
    """
    try:
        settings = load_only(SiteSettings)
    except SettingsError as error:
        click.echo("\n".join(error.problems), err=True)
        sys.exit(1)
    is_well, sentence, parts = asked(settings.web_host, settings.web_port, timeout_s)
    if as_json:
        click.echo(json.dumps({"ok": is_well, "sentence": sentence, "parts": parts}))
    else:
        click.echo(sentence, err=not is_well)
    sys.exit(0 if is_well else 1)


def asked(host: str, port: int, timeout_s: float) -> tuple[bool, str, dict[str, bool]]:
    """Whether everything works according to /healthz, a sentence, and each part. Proxies of the environment are not used."""
    if not port:
        return False, "WEB_PORT is 0, which means any free port. Set a port, so that the bot can be found.", {}
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (nothing is bound here)
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        parts = json.loads(answer.read(65536))
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = type(error).__name__
        return False, f"No bot responds at {host}:{port} ({why}). Start it, or correct WEB_HOST and WEB_PORT.", {}
    finally:
        connection.close()
    known = {str(name): bool(works) for name, works in parts.items()} if isinstance(parts, dict) else {}
    if answer.status == http.client.OK:
        return True, "Everything works.", known
    broken = [name for name, works in known.items() if not works]
    return False, f"These parts do not work: {', '.join(broken) or f'status {answer.status}'}.", known


if __name__ == "__main__":
    health()
