"""The words of a prompt and where their tokens stand."""
