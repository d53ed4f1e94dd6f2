"""Spotify: what its requests look like and what its answers mean (pure), and the one socket to it."""
