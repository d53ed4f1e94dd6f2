"""The database schema; in the wheel this package is `bot.migrations`."""
