"""The published methods, one paper a file."""
