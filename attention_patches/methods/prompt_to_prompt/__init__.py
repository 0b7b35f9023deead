"""Prompt-to-Prompt: pictures that differ only in what the words of their prompts change."""
