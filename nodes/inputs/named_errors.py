"""Errors of prompts, as those of the input in which the prompt is."""


def of_input(error: ValueError, name: str) -> ValueError:
    """What is said of a prompt, or of those of a batch, said of the input `name`; other errors stay."""
    what, _, said = str(error).partition(": ")
    return ValueError(f"{name}: {said}") if what in ("prompt", "prompts") else error
