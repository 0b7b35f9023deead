"""The host's text encoders: tokens of words, prompts as rows."""
