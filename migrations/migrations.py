"""The database's schema, step by step. Append only: a step that was released is never changed.

Times are whole seconds since 1970 (UTC). Discord ids are 64-bit snowflakes. A column whose name ends in
`_sealed` holds a blob from `bot/storage/vault.py`, one that ends in `_hash` a SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS: list[Callable[[Database], None]] = []


def step(function: Callable[[Database], None]) -> Callable[[Database], None]:
    """Append a step. Its name is noted in each database that has it."""
    STEPS.append(function)
    return function


@step
def m001_first(db: Database) -> None:
    """Apps, links, link attempts, requests with their wishes, registered commands."""
    for statement in (
        # one row: shows at the start that the right key was given
        "CREATE TABLE key_check (id INTEGER PRIMARY KEY CHECK (id = 1), proof_sealed BLOB NOT NULL) STRICT",
        # what is known of a Spotify app: which album endpoint serves it, and until when Spotify said to wait
        """
        CREATE TABLE spotify_apps (
            client_id TEXT PRIMARY KEY,
            album_endpoint TEXT CHECK (album_endpoint IN ('albums', 'library')),
            closed_until INTEGER,
            closed_by TEXT CHECK (closed_by IN ('busy', 'quota'))
        ) STRICT
        """,
        """
        CREATE TABLE links (
            discord_id INTEGER PRIMARY KEY,
            client_id TEXT NOT NULL,
            account_id TEXT NOT NULL UNIQUE,
            account_name TEXT NOT NULL,
            access_sealed BLOB NOT NULL,
            refresh_sealed BLOB NOT NULL,
            access_expires_at INTEGER NOT NULL,
            linked_at INTEGER NOT NULL,
            consented_at INTEGER NOT NULL,
            broken TEXT
        ) STRICT
        """,
        """
        CREATE TABLE link_attempts (
            id_hash BLOB PRIMARY KEY,
            discord_id INTEGER NOT NULL,
            answer_sealed BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            warned INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX link_attempts_member ON link_attempts (discord_id)",
        """
        CREATE TABLE link_hops (
            state_hash BLOB PRIMARY KEY,
            attempt_hash BLOB NOT NULL REFERENCES link_attempts (id_hash) ON DELETE CASCADE,
            cookie_hash BLOB NOT NULL,
            provider TEXT NOT NULL CHECK (provider IN ('discord', 'spotify')),
            discord_name TEXT,
            created_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX link_hops_attempt ON link_hops (attempt_hash)",
        # one row a command or button; id: the interaction's, so that later ones are greater
        """
        CREATE TABLE requests (
            id INTEGER PRIMARY KEY,
            discord_id INTEGER NOT NULL,
            action TEXT NOT NULL CHECK (action IN ('save', 'remove')),
            undoes INTEGER,
            undone_by INTEGER,
            answer_sealed BLOB,
            created_at INTEGER NOT NULL,
            answered INTEGER NOT NULL DEFAULT 0,
            ended_at INTEGER,
            told TEXT CHECK (told IN ('yes', 'refused'))
        ) STRICT
        """,
        "CREATE INDEX requests_member ON requests (discord_id)",
        "CREATE INDEX requests_untold ON requests (discord_id) WHERE ended_at IS NOT NULL AND told IS NOT 'yes'",
        "CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL",
        # one row an album that was asked for; outcome NULL: pending
        """
        CREATE TABLE wishes (
            request_id INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            discord_id INTEGER NOT NULL,
            kind TEXT NOT NULL,
            reference TEXT NOT NULL,
            album_id TEXT,
            was_saved INTEGER,
            outcome TEXT,
            detail TEXT,
            PRIMARY KEY (request_id, position)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX wishes_pending ON wishes (discord_id, request_id) WHERE outcome IS NULL",
        "CREATE INDEX wishes_album ON wishes (discord_id, album_id, request_id) WHERE album_id IS NOT NULL",
        # guild_id 0: everywhere
        """
        CREATE TABLE registered_commands (
            application_id INTEGER NOT NULL,
            guild_id INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            ids TEXT NOT NULL,
            PRIMARY KEY (application_id, guild_id)
        ) STRICT
        """,
    ):
        # sqlite-utils begins a transaction around this step; conn.execute() joins it
        db.conn.execute(statement)


@step
def m002_alerts(db: Database) -> None:
    """What the host was told of: since when each cause holds (NULL: it is over), and when it was told last."""
    db.conn.execute(
        """
        CREATE TABLE alerts (
            cause TEXT PRIMARY KEY,
            open_since INTEGER,
            told_at INTEGER
        ) STRICT
        """
    )


@step
def m003_plain_names(db: Database) -> None:
    """Tables, columns and values take the names that the code uses."""
    for statement in (
        "ALTER TABLE links RENAME COLUMN discord_id TO member_id",
        "ALTER TABLE link_attempts RENAME COLUMN discord_id TO member_id",
        "ALTER TABLE link_attempts RENAME COLUMN answer_sealed TO interaction_token_sealed",
        "ALTER TABLE link_hops RENAME TO oauth_states",
        "DROP INDEX link_hops_attempt",
        "CREATE INDEX oauth_states_attempt ON oauth_states (attempt_hash)",
        "ALTER TABLE requests RENAME TO change_requests",
        "ALTER TABLE change_requests RENAME COLUMN discord_id TO member_id",
        "ALTER TABLE change_requests RENAME COLUMN answer_sealed TO interaction_token_sealed",
        "DROP INDEX requests_member",
        "DROP INDEX requests_untold",
        "DROP INDEX requests_ended",
        "CREATE INDEX change_requests_member ON change_requests (member_id)",
        "CREATE INDEX change_requests_untold ON change_requests (member_id)"
        " WHERE ended_at IS NOT NULL AND told IS NOT 'yes'",
        "CREATE INDEX change_requests_ended ON change_requests (ended_at) WHERE ended_at IS NOT NULL",
        "ALTER TABLE wishes RENAME TO library_changes",
        "ALTER TABLE library_changes RENAME COLUMN discord_id TO member_id",
        "DROP INDEX wishes_pending",
        "DROP INDEX wishes_album",
        "CREATE INDEX library_changes_pending ON library_changes (member_id, request_id) WHERE outcome IS NULL",
        "CREATE INDEX library_changes_album ON library_changes (member_id, album_id, request_id)"
        " WHERE album_id IS NOT NULL",
        "UPDATE library_changes SET kind = 'search' WHERE kind = 'words'",
        "UPDATE library_changes SET outcome = 'duplicate' WHERE outcome = 'double'",
        "UPDATE library_changes SET outcome = 'superseded' WHERE outcome = 'outdated'",
        "UPDATE library_changes SET outcome = 'ignored' WHERE outcome = 'left alone'",
        """
        CREATE TABLE new_spotify_apps (
            client_id TEXT PRIMARY KEY,
            album_endpoint TEXT CHECK (album_endpoint IN ('albums', 'library')),
            closed_until INTEGER,
            closed_by TEXT CHECK (closed_by IN ('rate_limited', 'quota'))
        ) STRICT
        """,
        "INSERT INTO new_spotify_apps SELECT client_id, album_endpoint, closed_until,"
        " CASE closed_by WHEN 'busy' THEN 'rate_limited' ELSE closed_by END FROM spotify_apps",
        "DROP TABLE spotify_apps",
        "ALTER TABLE new_spotify_apps RENAME TO spotify_apps",
    ):
        db.conn.execute(statement)


@step
def m004_locales(db: Database) -> None:
    """The language in which a member asked: later messages about the request or the link are written in it."""
    for statement in (
        "ALTER TABLE change_requests ADD COLUMN locale TEXT",
        "ALTER TABLE link_attempts ADD COLUMN locale TEXT",
    ):
        db.conn.execute(statement)


@step
def m005_timers(db: Database) -> None:
    """What is due and when. claimed_at: its handler runs; try_at: later than due_at after a failure."""
    for statement in (
        """
        CREATE TABLE timers (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            try_at INTEGER NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            version INTEGER NOT NULL DEFAULT 0,
            claimed_at INTEGER,
            PRIMARY KEY (kind, key)
        ) STRICT
        """,
        "CREATE INDEX timers_due ON timers (kind, try_at)",
    ):
        db.conn.execute(statement)


@step
def m006_outbox(db: Database) -> None:
    """Messages that do not answer an interaction directly: stored with the fact that they tell, until they arrive."""
    for statement in (
        # one row per message; `queue`: what leaves in order; `page`: the card that is next;
        # `sending_at`: when an attempt to send that card began that may have arrived
        """
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            queue TEXT NOT NULL,
            way TEXT NOT NULL CHECK (way IN ('answer', 'follow-up', 'direct', 'channel', 'edit', 'hosts')),
            member_id INTEGER,
            channel_id INTEGER,
            interaction_token_sealed BLOB,
            token_until INTEGER,
            or_directly INTEGER NOT NULL DEFAULT 0,
            edits_kind TEXT,
            edits_subject TEXT,
            payload TEXT NOT NULL,
            locale TEXT,
            nonce TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            due_at INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'stored'
                CHECK (state IN ('stored', 'sending', 'confirmed', 'refused', 'given up')),
            tries INTEGER NOT NULL DEFAULT 0,
            page INTEGER NOT NULL DEFAULT 0,
            sending_at INTEGER,
            message_id INTEGER,
            ended_at INTEGER,
            UNIQUE (kind, subject)
        ) STRICT
        """,
        "CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state IN ('stored', 'sending')",
        "CREATE INDEX outbox_queue ON outbox (queue, id) WHERE state IN ('stored', 'sending')",
        "CREATE INDEX outbox_member ON outbox (member_id) WHERE member_id IS NOT NULL",
        "CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL",
    ):
        db.conn.execute(statement)


@step
def m007_command_types(db: Database) -> None:
    """Ids of registered commands are kept by type and name. Commands are registered again, which gives new ids."""
    db.conn.execute("UPDATE registered_commands SET fingerprint = '', ids = '[]'")


@step
def m008_preferences_and_guilds(db: Database) -> None:
    """What members have chosen, and which servers the bot is in. removed_at: the server removed the bot."""
    for statement in (
        """
        CREATE TABLE member_preferences (
            member_id INTEGER PRIMARY KEY,
            is_named INTEGER NOT NULL DEFAULT 0,
            posts_collected INTEGER NOT NULL DEFAULT 1,
            club_reminders INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE TABLE guilds (guild_id INTEGER PRIMARY KEY, removed_at INTEGER) STRICT",
    ):
        db.conn.execute(statement)


@step
def m009_clubs(db: Database) -> None:
    """Album clubs: their state, the rounds that are over, ballots and ratings, and what curators did."""
    for statement in (
        # state: a Club as JSON. blocked_at: since when its channel takes no messages.
        """
        CREATE TABLE clubs (
            id INTEGER PRIMARY KEY,
            guild_id INTEGER NOT NULL,
            channel_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            started_by INTEGER,
            started_at INTEGER NOT NULL,
            locale TEXT,
            state TEXT NOT NULL,
            blocked_at INTEGER
        ) STRICT
        """,
        "CREATE INDEX clubs_guild ON clubs (guild_id)",
        # state: a Round as JSON, once it is over
        """
        CREATE TABLE club_rounds (
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (club_id, number)
        ) STRICT
        """,
        # what was posted for a round: where its message is, and the thread under it
        """
        CREATE TABLE club_posts (
            subject TEXT PRIMARY KEY,
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            step TEXT NOT NULL,
            channel_id INTEGER NOT NULL,
            message_id INTEGER,
            thread_id INTEGER
        ) STRICT
        """,
        "CREATE INDEX club_posts_round ON club_posts (club_id, number)",
        # one ballot per member while the vote is open
        """
        CREATE TABLE ballots (
            id INTEGER PRIMARY KEY,
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            member_id INTEGER NOT NULL,
            ballot_sealed BLOB NOT NULL,
            bound_to TEXT GENERATED ALWAYS AS (club_id || ':' || number || ':' || member_id) VIRTUAL,
            UNIQUE (club_id, number, member_id)
        ) STRICT
        """,
        "CREATE INDEX ballots_member ON ballots (member_id)",
        # the ballots of a counted vote, without names, in the order of their contents
        """
        CREATE TABLE counted_ballots (
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            place INTEGER NOT NULL,
            ballot TEXT NOT NULL,
            PRIMARY KEY (club_id, number, place)
        ) STRICT
        """,
        # member_id and review: NULL once the member is forgotten. score: in steps of the scale
        """
        CREATE TABLE ratings (
            id INTEGER PRIMARY KEY,
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            member_id INTEGER,
            scale TEXT NOT NULL,
            score INTEGER NOT NULL,
            review TEXT,
            is_named INTEGER NOT NULL,
            rated_at INTEGER NOT NULL,
            UNIQUE (club_id, number, member_id)
        ) STRICT
        """,
        "CREATE INDEX ratings_member ON ratings (member_id) WHERE member_id IS NOT NULL",
        # how many saved the album of a round with the button of its card
        """
        CREATE TABLE club_saves (
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            saves INTEGER NOT NULL,
            PRIMARY KEY (club_id, number)
        ) STRICT
        """,
        """
        CREATE TABLE club_themes (
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            theme TEXT NOT NULL,
            PRIMARY KEY (club_id, number)
        ) STRICT
        """,
        # who wants to be reminded of what ends in this club
        """
        CREATE TABLE club_reminders (
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            member_id INTEGER NOT NULL,
            locale TEXT,
            PRIMARY KEY (club_id, member_id)
        ) STRICT
        """,
        "CREATE INDEX club_reminders_member ON club_reminders (member_id)",
        # what curators did
        """
        CREATE TABLE curator_log (
            id INTEGER PRIMARY KEY,
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            member_id INTEGER,
            did TEXT NOT NULL,
            facts TEXT NOT NULL,
            did_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX curator_log_club ON curator_log (club_id, id)",
        "CREATE INDEX curator_log_member ON curator_log (member_id) WHERE member_id IS NOT NULL",
        # when the bot was last known to run
        "CREATE TABLE heartbeat (id INTEGER PRIMARY KEY CHECK (id = 1), beat_at INTEGER NOT NULL) STRICT",
    ):
        db.conn.execute(statement)


@step
def m010_own_apps(db: Database) -> None:
    """Members' own Spotify apps, seats of the host's app, reminders of consents, and logins for other pages.

    spotify_apps.member_id: whose own app it is. link_attempts.client_id: the own app to link through; probes: how often
    an id was tried. oauth_states.purpose: which part of the site the login is for; attempt_hash NULL: not for a link.
    seat_requests: what Spotify's list wants, until the seat is given; given_at: until the member links, it is held.
    """
    for statement in (
        "ALTER TABLE links ADD COLUMN is_own_app INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE links ADD COLUMN locale TEXT",
        "ALTER TABLE links ADD COLUMN is_reminded INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE links ADD COLUMN is_reminder_untold INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX links_client ON links (client_id)",
        "ALTER TABLE spotify_apps ADD COLUMN member_id INTEGER",
        "CREATE INDEX spotify_apps_member ON spotify_apps (member_id) WHERE member_id IS NOT NULL",
        "ALTER TABLE link_attempts ADD COLUMN client_id TEXT",
        "ALTER TABLE link_attempts ADD COLUMN probes INTEGER NOT NULL DEFAULT 0",
        "DROP TABLE oauth_states",
        """
        CREATE TABLE oauth_states (
            state_hash BLOB PRIMARY KEY,
            attempt_hash BLOB REFERENCES link_attempts (id_hash) ON DELETE CASCADE,
            cookie_hash BLOB NOT NULL,
            provider TEXT NOT NULL CHECK (provider IN ('discord', 'spotify')),
            purpose TEXT NOT NULL,
            discord_name TEXT,
            created_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX oauth_states_attempt ON oauth_states (attempt_hash)",
        """
        CREATE TABLE seat_requests (
            member_id INTEGER PRIMARY KEY,
            name_sealed BLOB,
            email_sealed BLOB,
            locale TEXT,
            asked_at INTEGER NOT NULL,
            given_at INTEGER
        ) STRICT
        """,
    ):
        db.conn.execute(statement)


@step
def m011_who_tells(db: Database) -> None:
    """Who tells a member what came of a request becomes one stored fact, and offered albums a column of their own.

    answer: "awaited", its command tells; "arrived", its message can be edited; "lost", there is none.
    """
    for statement in (
        "ALTER TABLE change_requests ADD COLUMN answer TEXT NOT NULL DEFAULT 'awaited'"
        " CHECK (answer IN ('awaited', 'arrived', 'lost'))",
        # of the others, the next start finds out
        "UPDATE change_requests SET answer = 'arrived' WHERE told IS NOT NULL",
        "ALTER TABLE change_requests DROP COLUMN answered",
        "DROP INDEX change_requests_untold",
        "CREATE INDEX change_requests_told ON change_requests (told, member_id)",
        # JSON
        "ALTER TABLE library_changes ADD COLUMN choices TEXT",
        "UPDATE library_changes SET choices = '[\"' || replace(detail, ',', '\",\"') || '\"]', detail = NULL"
        " WHERE outcome = 'offered' AND detail <> ''",
    ):
        db.conn.execute(statement)


@step
def m012_crates(db: Database) -> None:
    """A server's shared lists of albums, and the albums that members show that they kept."""
    for statement in (
        # `name_key`: the name as it is compared
        """
        CREATE TABLE crates (
            id INTEGER PRIMARY KEY,
            guild_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            name_key TEXT NOT NULL,
            is_default INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL,
            archived_at INTEGER,
            UNIQUE (guild_id, name_key)
        ) STRICT
        """,
        # `member_id` NULL: who added it asked to be forgotten; `message_id`: the message in a watched channel
        """
        CREATE TABLE crate_entries (
            crate_id INTEGER NOT NULL REFERENCES crates (id) ON DELETE CASCADE,
            album_id TEXT NOT NULL,
            member_id INTEGER,
            note TEXT,
            added_at INTEGER NOT NULL,
            picks INTEGER NOT NULL DEFAULT 0,
            channel_id INTEGER,
            message_id INTEGER,
            PRIMARY KEY (crate_id, album_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX crate_entries_member ON crate_entries (member_id) WHERE member_id IS NOT NULL",
        "CREATE INDEX crate_entries_message ON crate_entries (message_id) WHERE message_id IS NOT NULL",
        """
        CREATE TABLE kept_albums (
            guild_id INTEGER NOT NULL,
            album_id TEXT NOT NULL,
            member_id INTEGER NOT NULL,
            kept_at INTEGER NOT NULL,
            PRIMARY KEY (guild_id, album_id, member_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX kept_albums_member ON kept_albums (member_id)",
    ):
        db.conn.execute(statement)


@step
def m013_imports(db: Database) -> None:
    """What members' files hold, from the question whether to save it on.

    albums, unread, left_out: JSON. request_id: the change request that saves it; NULL: not answered.
    """
    for statement in (
        """
        CREATE TABLE imports (
            id INTEGER PRIMARY KEY,
            member_id INTEGER NOT NULL,
            locale TEXT,
            asked_at INTEGER NOT NULL,
            albums TEXT NOT NULL,
            repeated INTEGER NOT NULL,
            unread TEXT NOT NULL,
            unread_count INTEGER NOT NULL,
            left_out TEXT NOT NULL,
            request_id INTEGER UNIQUE,
            progress_channel_id INTEGER,
            progress_message_id INTEGER
        ) STRICT
        """,
        "CREATE INDEX imports_member ON imports (member_id)",
    ):
        db.conn.execute(statement)


@step
def m014_watched_channels(db: Database) -> None:
    """Channels in which albums that members post are answered and collected, and what was answered within a day.

    watches.crate_id NULL: the server's default crate. watch_answers.place: of the album in its message.
    """
    for statement in (
        """
        CREATE TABLE watches (
            channel_id INTEGER PRIMARY KEY,
            guild_id INTEGER NOT NULL,
            crate_id INTEGER REFERENCES crates (id) ON DELETE SET NULL,
            answers TEXT NOT NULL CHECK (answers IN ('card', 'button', 'silent')),
            locale TEXT,
            watched_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX watches_guild ON watches (guild_id)",
        """
        CREATE TABLE watch_answers (
            channel_id INTEGER NOT NULL,
            album_id TEXT NOT NULL,
            guild_id INTEGER NOT NULL,
            message_id INTEGER NOT NULL,
            place INTEGER NOT NULL,
            member_id INTEGER NOT NULL,
            answered_at INTEGER NOT NULL,
            PRIMARY KEY (channel_id, album_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX watch_answers_member ON watch_answers (member_id)",
    ):
        db.conn.execute(statement)


@step
def m015_histories(db: Database) -> None:
    """Histories of channels that are read once for albums. after_id and until_id are ids of messages."""
    for statement in (
        """
        CREATE TABLE histories (
            channel_id INTEGER PRIMARY KEY,
            guild_id INTEGER NOT NULL,
            crate_id INTEGER REFERENCES crates (id) ON DELETE SET NULL,
            locale TEXT,
            after_id INTEGER NOT NULL,
            until_id INTEGER NOT NULL,
            pages INTEGER NOT NULL DEFAULT 0,
            messages INTEGER NOT NULL DEFAULT 0,
            added INTEGER NOT NULL DEFAULT 0,
            begun_at INTEGER NOT NULL,
            ended_at INTEGER,
            is_refused INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX histories_guild ON histories (guild_id)",
    ):
        db.conn.execute(statement)


@step
def m016_club_imports(db: Database) -> None:
    """Spreadsheets of clubs that are imported as past rounds: the file until that is done, and what was found.

    state: asked, running, done, stopped or undone. people: JSON, names in the file to ids of members.
    club_rounds.import_id: which import the round is from. Reminders are per club, so their old column goes.
    """
    for statement in (
        """
        CREATE TABLE club_imports (
            id INTEGER PRIMARY KEY,
            club_id INTEGER NOT NULL REFERENCES clubs (id) ON DELETE CASCADE,
            member_id INTEGER,
            interaction_token_sealed BLOB,
            locale TEXT,
            name TEXT NOT NULL,
            file BLOB,
            date_order TEXT,
            people TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'asked',
            asked_at INTEGER NOT NULL,
            begun_at INTEGER,
            ended_at INTEGER,
            rounds INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX club_imports_club ON club_imports (club_id)",
        "CREATE INDEX club_imports_member ON club_imports (member_id) WHERE member_id IS NOT NULL",
        # album_id NULL: why says what is wrong. line: of the file
        """
        CREATE TABLE club_import_rows (
            import_id INTEGER NOT NULL REFERENCES club_imports (id) ON DELETE CASCADE,
            line INTEGER NOT NULL,
            album_id TEXT,
            why TEXT,
            PRIMARY KEY (import_id, line)
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE club_rounds ADD COLUMN import_id INTEGER REFERENCES club_imports (id)",
        "CREATE INDEX club_rounds_import ON club_rounds (import_id) WHERE import_id IS NOT NULL",
        "ALTER TABLE member_preferences DROP COLUMN club_reminders",
    ):
        db.conn.execute(statement)


@step
def m017_public_pages(db: Database) -> None:
    """Public pages of clubs and crates, by kind and id, and how members who agreed want to be named there.

    address_hash: SHA-256 of the address. bound_to: what the encrypted address is bound to.
    """
    for statement in (
        """
        CREATE TABLE public_pages (
            kind TEXT NOT NULL CHECK (kind IN ('club', 'crate')),
            about_id INTEGER NOT NULL,
            guild_id INTEGER NOT NULL,
            address_hash BLOB NOT NULL UNIQUE,
            address_sealed BLOB NOT NULL,
            bound_to TEXT GENERATED ALWAYS AS (kind || ':' || about_id) VIRTUAL,
            opened_at INTEGER NOT NULL,
            PRIMARY KEY (kind, about_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX public_pages_guild ON public_pages (guild_id)",
        "ALTER TABLE member_preferences ADD COLUMN shown_name TEXT",
    ):
        db.conn.execute(statement)


@step
def m018_stopped_histories(db: Database) -> None:
    """A curator can stop the reading of a history."""
    db.conn.execute("ALTER TABLE histories ADD COLUMN is_stopped INTEGER NOT NULL DEFAULT 0")


@step
def m019_repeated_votes(db: Database) -> None:
    """The step of a vote that is held again is called by a plain name, also in messages that are not sent yet."""
    db.conn.execute("UPDATE club_posts SET step = 'repeated_vote' WHERE step = 'vote_anew'")
    db.conn.execute(
        "UPDATE outbox SET payload = replace(payload, '\"vote_anew\"', '\"repeated_vote\"') WHERE kind LIKE 'club %'"
    )


@step
def m020_origins_of_requests(db: Database) -> None:
    """Which card a request came from, if that counts who saved the album: "club:round" of a club's card."""
    db.conn.execute("ALTER TABLE change_requests ADD COLUMN origin TEXT")


@step
def m021_requests_in_servers(db: Database) -> None:
    """Whether a request was made in a server, where its member can show that they kept the album."""
    db.conn.execute("ALTER TABLE change_requests ADD COLUMN in_server INTEGER NOT NULL DEFAULT 0")


@step
def m022_sealed_with_xchacha20(db: Database) -> None:
    """Nothing changes in the schema. Versions before this step cannot open what is sealed now, and say so by its name.

    What they sealed is sealed again at the start: bot/storage/__init__.py. A step has no keys.
    """
