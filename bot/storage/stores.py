"""All stores, and what they declare together."""

from __future__ import annotations

from bot.storage import keys
from bot.storage.alerts import ToldAlerts
from bot.storage.apps import SpotifyApps
from bot.storage.attempts import LinkAttempts
from bot.storage.ballots import Ballots
from bot.storage.changes import LibraryChanges
from bot.storage.club_imports import ClubImports
from bot.storage.clubs import Clubs
from bot.storage.commands import RegisteredCommands
from bot.storage.crates import Crates
from bot.storage.declarations import Declaration, Store, lasting_columns, sealed_columns
from bot.storage.guilds import Guilds
from bot.storage.histories import Histories
from bot.storage.imports import Imports
from bot.storage.links import Links
from bot.storage.outbox import Outbox
from bot.storage.preferences import MemberPreferences
from bot.storage.public_pages import PublicPages
from bot.storage.ratings import Ratings
from bot.storage.seats import SeatRequests
from bot.storage.timers import Timers
from bot.storage.watches import Watches

STORES: tuple[type[Store], ...] = (
    Links,
    LinkAttempts,
    LibraryChanges,
    SpotifyApps,
    SeatRequests,
    RegisteredCommands,
    ToldAlerts,
    Timers,
    Outbox,
    MemberPreferences,
    Guilds,
    Clubs,
    Ballots,
    Ratings,
    ClubImports,
    Crates,
    Imports,
    Watches,
    Histories,
    PublicPages,
)
DECLARED: tuple[Declaration, ...] = (*(store.declares for store in STORES), keys.declares)
CURATION: tuple[type[Store], ...] = (
    MemberPreferences,
    Guilds,
    Clubs,
    Ballots,
    Ratings,
    ClubImports,
    Crates,
    Watches,
    Histories,
    PublicPages,
)
"""What members do together in servers, with or without Spotify. Unlinking leaves it, and forgetting does not."""
ABOUT_SPOTIFY: tuple[Declaration, ...] = tuple(store.declares for store in STORES if store not in CURATION)
SEALED = sealed_columns(DECLARED)
LASTING = lasting_columns(DECLARED)
