"""Members' linked Spotify accounts: the linking flow, and the only place that refreshes tokens."""
