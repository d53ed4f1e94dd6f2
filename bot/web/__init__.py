"""The web site: the callback pages of linking, the privacy page, and the health check."""
