"""Why a port cannot be listened at, in words for the host. Pure."""

from __future__ import annotations

import errno
import os
import socket


def at(host: str, port: int) -> str:
    """Host and port as one writes them together."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def why_not(host: str, port: int, error: OSError) -> tuple[str, str]:
    """What is wrong, and what to do; in the latter, `{host}` and `{port}` are the names of the two settings."""
    if isinstance(error, socket.gaierror):
        return (
            f"{host} is not an address of this machine.",
            "Set {host} to 127.0.0.1, or to 0.0.0.0 for every interface.",
        )
    match error.errno:
        case errno.EADDRINUSE:
            return f"Another program already listens at {at(host, port)}.", "Stop that program, or set another {port}."
        case errno.EADDRNOTAVAIL:
            return (
                f"{host} is not an address of this machine.",
                "Set {host} to 127.0.0.1, or to 0.0.0.0 for every interface.",
            )
        case errno.EACCES | errno.EPERM if port < 1024:
            return (
                f"Only root may listen at ports below 1024, and {port} is one.",
                "Set {port} to a port above 1023. For https, a proxy such as Caddy listens at 443 and forwards to it.",
            )
        case number:
            reason = os.strerror(number) if number else str(error)
            return f"The bot cannot listen at {at(host, port)} ({reason}).", "Set another {host} or {port}."
