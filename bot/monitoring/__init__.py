"""What tells the host how the bot is doing: metrics, alerts, disk space, systemd notifications."""
