"""Album clubs at work: what members and curators do, and what is due, is stored with the messages that tell of it.

The rules are in `bot/curation/`, the rows in `bot/storage/`. `album_clubs` applies one event at a time in one
transaction, `effects` turns what the rules ask for into messages, `channels` follows what becomes of
them, and `views` reads what cards show.
"""

from bot.clubs.album_clubs import AlbumClubs, NameTaken
from bot.clubs.channels import NoSuchClub
from bot.clubs.views import RoundView

__all__ = ["AlbumClubs", "NameTaken", "NoSuchClub", "RoundView"]
