"""The message catalogue: every sentence that people read in Discord or on pages, in each language.

The English sentence in the code is the key: `t = texts(locale)`, then `t("Saved to your library.")`. Facts are named
(`t("Queued until {when}.", when=...)`), and a sentence is never put together from pieces, because other languages
order them differently. See docs/translating.md.
"""

from bot.text.catalogue import Text, command_name, edition, msg, texts
from bot.text.languages import LANGUAGES, from_accept_language

__all__ = ["LANGUAGES", "Text", "command_name", "edition", "from_accept_language", "msg", "texts"]
