"""Pairs of pictures for Cross-Image Attention, how they are run, how well it went."""
