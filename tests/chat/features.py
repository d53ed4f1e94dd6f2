"""The features of the bot, without what they need to do anything."""

from __future__ import annotations

import inspect
from unittest.mock import Mock

from bot import app
from bot.chat.features import Feature


def every_feature() -> tuple[Feature, ...]:
    """Their commands and components, as the bot collects them."""
    nothing = [Mock()] * len(inspect.signature(app.features).parameters)
    return app.features(*nothing)
