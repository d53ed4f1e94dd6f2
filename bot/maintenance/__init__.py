"""Maintenance of the database while the bot runs: the control socket, backups, key rotation."""
