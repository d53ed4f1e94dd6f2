"""Everything that serves the club's commands, buttons and forms. Loaded with the first of them."""

from __future__ import annotations

from bot.accounts.tokens import Tokens
from bot.chat.attachments import Attachments
from bot.chat.club.answering import Answering
from bot.chat.club.curating import Curating
from bot.chat.club.importing import Importing
from bot.chat.club.looking import Looking
from bot.chat.club.nominating import Nominating
from bot.chat.club.rating import RatingAlbums
from bot.chat.club.settings import Settings
from bot.chat.club.starting import Starting
from bot.chat.club.turns import Turns
from bot.chat.club.voting import Voting
from bot.clubs.past_rounds import PastRounds
from bot.clubs.public_pages import PublicPages
from bot.spotify.client import Spotify
from bot.storage.club_imports import ClubImports
from bot.storage.crates import Crates


class Handlers:
    """One of each."""

    def __init__(
        self,
        answering: Answering,
        pages: PublicPages,
        spotify: Spotify,
        tokens: Tokens,
        crates: Crates,
        imports: ClubImports,
        past_rounds: PastRounds,
        attachments: Attachments,
    ) -> None:
        self.nominating = Nominating(answering)
        self.voting = Voting(answering)
        self.rating = RatingAlbums(answering)
        self.turns = Turns(answering)
        self.looking = Looking(answering, pages, spotify, tokens, crates)
        self.starting = Starting(answering)
        self.settings = Settings(answering)
        self.curating = Curating(answering)
        self.importing = Importing(answering, imports, past_rounds, attachments)
