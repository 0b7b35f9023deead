"""Subjects and their places, and how latents are shifted towards them."""
