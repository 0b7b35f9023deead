"""Edits by every way there is, what they should change, how well it went."""
