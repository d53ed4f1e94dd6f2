"""Settings: everything a host can set, from the environment, `.env` and secret files. All problems are reported at once.

Every outside address is a setting: hosts put proxies there, tests put stand-ins there.
"""

from bot.settings.loading import SettingsError, from_values, ignored, load, load_only
from bot.settings.model import AlbumEndpointChoice, FileSettings, KeySettings, Settings, SiteSettings, secret_names
from bot.settings.values import Secret, read_key

__all__ = [
    "AlbumEndpointChoice",
    "FileSettings",
    "KeySettings",
    "Secret",
    "Settings",
    "SettingsError",
    "SiteSettings",
    "from_values",
    "ignored",
    "load",
    "load_only",
    "read_key",
    "secret_names",
]
