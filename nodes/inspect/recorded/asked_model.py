"""Asking the model of a recorded run what its pictures show."""

from collections.abc import Sequence
from typing import Any

from ....attention_patches.maps.diagnosis.questions import Answers, Questions
from ....attention_patches.maps.recorded import AttentionMaps, MapStore
from ....attention_patches.text.named_things import NamedThing
from ....attention_patches.text.words import PromptTokens
from ...host.families import family_of
from ...host.walks.asked import LEVELS, errors_under


def ask(
    model: Any,
    clip: Any,
    tokens: PromptTokens,
    things: Sequence[NamedThing],
    maps: AttentionMaps,
    given: bool,
    seed: int,
) -> tuple[tuple[Answers, ...], str]:
    """Its answers for each image, and a sentence on how it was asked; `given` as in `Answers`.

    Raises ValueError if the maps hold no latents, if they are another model's, or if the prompt cannot be
    reworded.
    """
    if maps.latents is None:
        raise ValueError(
            "model: these maps were saved without the latents of their pictures, so that the model cannot be "
            "asked about them. Record or probe the pictures anew, or leave `model` unconnected."
        )
    if (own := family_of(model).layer_map()) != maps.model:
        theirs = f"{maps.model.family} of {len(maps.model.layers)} layers"
        raise ValueError(
            f"model: the maps are of another one ({theirs}) than this ({own.family} of {len(own.layers)}); "
            "connect the one that the pictures were recorded or probed with"
        )
    questions = Questions.about(tokens, things)
    errors = errors_under(model, clip, questions.texts, maps.latents, seed)
    told = (
        "its answers decide where it can tell"
        if given
        else "of pictures of this prompt its answers add what is missing or lent"
    )
    texts = len(set(questions.texts))
    sentence = f"The model was asked with {texts} texts at {len(LEVELS)} noise levels; {told}."
    return tuple(questions.read(of_image, given) for of_image in errors.unbind(1)), sentence


def are_given(store: MapStore, maps: AttentionMaps) -> bool:
    """Whether the pictures are from elsewhere, looked at by a probe under one prompt; of maps from files
    nobody knows it."""
    return not store.of_a_sampler and "positive" in maps.prompts
