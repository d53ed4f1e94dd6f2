"""What must come of each cell of the fault matrix: read from the error table (docs of the platform), not from our code.

A rule is written as what the member is told first and, after an arrow, what they are told once the fault is over.
Without an arrow the change ended with the first sentence, because waiting does not mend it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MEANINGS = {
    "rejected": "expired_token invalid_token token_missing",
    "scope": "insufficient_scope",
    "seat": "not_registered_text not_registered_json check_settings_text check_settings_json",
    "premium": "premium premium_text",
    "closed": "forbidden",
    "unknown": "not_found non_existing",
    "no album": "invalid_id invalid_id_older invalid_uri",
    "refused": "too_many_ids too_many_uris missing_ids missing_uris query_too_long uri_too_long"
    " refresh_revoked refresh_expired refresh_invalid code_invalid invalid_client",
    # of a second, which a call waits out
    "rate_limited": "rate_limited too_many_requests rate_limited_text accounts_rate_limited",
    # of five seconds or a day, which is told
    "busy for long": "rate_limited_no_header rate_limited_bad_header rate_limited_negative_header",
    "busy for a day": "rate_limited_huge_header",
    "quota": "quota quota_longest quota_no_header",
    "trouble": "server_error bad_gateway unavailable html accounts_server_error accounts_unavailable ok_huge elsewhere"
    " cut cut_after_work hang hang_after_work server_error_after_work",
    "nonsense": "ok_html ok_empty ok_half ok_list token_bad_expiry token_no_scope token_short_scope",
}
MEANING = {row: meaning for meaning, rows in MEANINGS.items() for row in rows.split()}

Rules = Mapping[str, tuple[str, str]]
"""By meaning: what comes of a fault that strikes once, and of one that strikes until it is over."""

LIBRARY: Rules = {
    "rejected": ("saved", "trouble -> saved"),
    "scope": ("scope -> saved", "scope -> saved"),
    "seat": ("seat", "seat"),
    "premium": ("premium", "premium"),
    "closed": ("saved", "refused"),  # the other generation of the endpoint serves
    "unknown": ("saved", "trouble -> saved"),  # these endpoints never say so about an id
    "no album": ("no album", "no album"),
    "refused": ("refused", "refused"),
    "rate_limited": ("saved", "rate_limited -> saved"),
    "busy for long": ("rate_limited -> saved", "rate_limited -> saved"),
    "busy for a day": ("rate_limited -> saved", "rate_limited -> saved"),
    "quota": ("quota -> saved", "quota -> saved"),
    "trouble": ("saved", "trouble -> saved"),
    "nonsense": ("saved", "trouble -> saved"),  # asked again, as of trouble
}
"""At `contains` and at the write."""

# It costs the name, never the change; only "no such album" ends it, and only a limit holds up the write behind it.
LOOK_UP: Rules = dict.fromkeys(MEANINGS, ("saved", "saved")) | {
    "unknown": ("saved", "no album"),  # it is asked once more before it is believed
    "no album": ("saved", "no album"),
    **{meaning: LIBRARY[meaning] for meaning in ("busy for long", "busy for a day", "quota")},
}

REFRESH: Rules = {
    "dead": ("relink -> saved", "relink -> saved"),
    "host": ("host -> saved", "host -> saved"),
    "scope": ("scope -> saved", "scope -> saved"),
    "rate_limited": ("saved", "rate_limited -> saved"),
    "refused": ("refused", "refused"),
    "trouble": ("saved", "trouble -> saved"),
    "false token": ("trouble -> saved", "trouble -> saved"),
}

PROFILE: Rules = {
    "rejected": ("linked -> saved", "not answering -> saved"),
    "scope": ("scope -> saved", "scope -> saved"),
    "seat": ("seat -> saved", "seat -> saved"),
    "premium": ("premium -> saved", "premium -> saved"),
    "closed": ("linked -> saved", "refused -> saved"),
    "unknown": ("linked -> saved", "not answering -> saved"),
    "no album": ("refused -> saved", "refused -> saved"),
    "refused": ("refused -> saved", "refused -> saved"),
    "rate_limited": ("not answering -> saved", "not answering -> saved"),
    "busy for long": ("not answering -> saved", "not answering -> saved"),
    "busy for a day": ("not answering -> saved", "not answering -> saved"),
    "quota": ("used up -> saved", "used up -> saved"),
    "trouble": ("linked -> saved", "not answering -> saved"),
    "nonsense": ("linked -> saved", "not answering -> saved"),
}
"""While linking: nothing is linked unless Spotify says whose account it is; the change waits for the next link."""

RULES = {
    "contains": LIBRARY,
    "write": LIBRARY,
    "remove": LIBRARY,
    "look-up": LOOK_UP,
    "refresh": REFRESH,
    "profile": PROFILE,
}


def meaning_at_token_endpoint(row: str) -> str:
    """There an answer means something else."""
    match MEANING[row]:
        case "refused" if row.startswith(("refresh_", "code_")):
            return "dead"  # invalid_grant
        case "refused" if row == "invalid_client":
            return "host"
        case "rejected":
            return "host"  # 401: the app's own id or secret
        case "rate_limited" | "busy for long" | "busy for a day" | "quota":
            return "rate_limited"
        case "nonsense" if row == "token_no_scope":
            return "false token"  # a good answer, but for a token that nobody issued
        case "nonsense" if row == "token_short_scope":
            return "scope"
        case "nonsense":
            return "trouble"
        case "scope" | "closed" | "unknown" | "no album" | "seat" | "premium" | "refused":
            # a refusal in no words of OAuth's: told as it is; a bare text is no refusal of the accounts service
            return "trouble" if row.endswith("_text") or row == "uri_too_long" else "refused"
    return MEANING[row]


@dataclass(frozen=True)
class Expected:
    """`first`, `then`: kinds of sentences; `then` None: the change ended with the first one. `row`: of the link."""

    first: str
    then: str | None
    is_marked: bool

    @property
    def last(self) -> str:
        """The last word."""
        return self.then or self.first


def expected(row: str, step: str, mode: str, *, rotates: bool = False) -> Expected:
    """What must come of a cell."""
    after_work = mode == "after work" or row.endswith("_after_work")
    meaning = meaning_at_token_endpoint(row) if step == "refresh" else MEANING[row]
    if mode == "cut":
        meaning = "trouble"
    if step == "refresh" and after_work and rotates:
        meaning = "dead"  # the one refresh token was used up, and its successor got lost
    first, _, then = RULES[step][meaning][mode == "always"].partition(" -> ")
    if step in ("write", "remove") and after_work and meaning == "scope":
        then = "already"  # Spotify said no and did it all the same: nobody can know that it was us
    if step == "remove":
        first, then = REMOVED.get(first, first), REMOVED.get(then, then)
    return Expected(first, then or None, step == "refresh" and meaning == "dead")


REMOVED = {"saved": "removed", "already": "absent"}

KINDS = {
    "saved": r"^Saved (.+ )?to your library\.$",
    "removed": r"^Removed (.+ )?from your library\.$",
    "already": r" was already in your library\.$",
    "absent": r" was not in your library\.$",
    "no album": r"^Spotify has no album for ",
    "seat": r"(you are not on its list|does not let you in yet)\.",
    "premium": r"^Spotify serves this bot only while its host has Premium",
    "refused": r"^Spotify refused(: “[^{}”]*”)?\. Nothing was changed",  # Spotify's words, never the dump of a dict
    "trouble": r"^Spotify is not responding\. Your album is queued, and I will message you when it is (saved|removed)\.$",
    "rate_limited": r"^Spotify asked this bot to slow down\. Your album is queued",
    "quota": r"^This bot's Spotify app has reached its daily limit\. Your album is queued\. I will try again <t:\d+:R>\.$",
    "scope": r"^Spotify did not grant all the permissions",
    "relink": r"^Your Spotify account is no longer connected: .* Your album is queued",
    "host": r"^Spotify rejects this bot's app.* Your album is queued",
    "not linked": r"^Link your Spotify account once to (save|remove) albums\.",
    "linked": r"^(Linked|Renewed: you are linked) as ",
    "not answering": r"^Spotify is not responding\. Try again in a few minutes\.( Your album is queued until then\.)?$",
    "used up": r"^This bot's Spotify app has reached its daily limit\. Try again <t:\d+:R>\.( Your album is queued until then\.)?$",
}
_KINDS = {kind: re.compile(pattern, re.M) for kind, pattern in KINDS.items()}
ENDED = {
    "saved": "saved",
    "removed": "removed",
    "already": "already",
    "absent": "absent",
    "no album": "no album",
    "seat": "no seat",
    "premium": "no premium",
    "refused": "refused",
}
"""How the change stands in the database after such a last word."""


def kind_of(text: str) -> str:
    """The kind of a sentence; the text itself when it is none, or two at once."""
    kinds = [kind for kind, pattern in _KINDS.items() if pattern.search(text)]
    return kinds[0] if len(kinds) == 1 else f"{kinds or 'nothing known'}: {text!r}"
