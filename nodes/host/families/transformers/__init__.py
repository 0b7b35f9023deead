"""Transformers for text and picture, a file for each family."""
