"""What keeps the database in order while the bot runs: the control socket, backups, key rotation."""
