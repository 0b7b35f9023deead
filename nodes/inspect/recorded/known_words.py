"""The words of a recorded text: of a prompt that is typed, or those that came with the maps."""

from typing import Any

from ....attention_patches.maps.recorded import MapStore
from ....attention_patches.text.words import PromptTokens
from ...host.text.clip_tokens import prompt_tokens


def known_words(maps: MapStore, clip: Any, prompt: str, typed_alone: bool = False) -> PromptTokens | None:
    """None where nobody knows them. `typed_alone` leaves out what came with the maps, which is of the
    positive prompt.

    Raises ValueError for a prompt beside maps of concepts, which are their words, and for one without `clip`.
    """
    own = None if typed_alone else maps.tokens
    if not prompt.strip() or (own is not None and own.prompt == prompt):
        return own
    if own is not None and maps.of_a_sampler:
        raise ValueError(f"prompt: {_of_concepts(own)} Leave `prompt` empty.")
    if clip is None:
        raise ValueError(
            "clip: not connected, so the words of `prompt` can't be found. Connect the text encoder, or "
            "leave `prompt` empty."
        )
    return prompt_tokens(clip, prompt)


def require_words_of_a_prompt(maps: MapStore) -> None:
    """Raises ValueError for maps of concepts, in a node that needs the maps of a prompt's words."""
    if maps.tokens is not None and maps.of_a_sampler:
        raise ValueError(f"maps: {_of_concepts(maps.tokens)} Empty `concepts` there.")


def _of_concepts(tokens: PromptTokens) -> str:
    return f"these are of the recorder's concepts ({tokens.prompt}), and of no words of a prompt."
