"""Subjects in boxes by every way there is, and how well it went."""
