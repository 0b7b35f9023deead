"""Recorded attention: how it is kept, what is read off it, its files."""
