"""Honest figures: everything is measured beside its floor, in the same run."""
