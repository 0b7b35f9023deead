"""What is done at the blocks of a transformer by the host's own replacements."""
