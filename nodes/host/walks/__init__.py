"""The host's sampling on pictures that exist already."""
