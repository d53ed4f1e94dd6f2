"""Discord: commands, buttons, cards, and every sentence that members read there."""
