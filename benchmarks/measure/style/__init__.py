"""Batches in one style, and in that of a given picture."""
