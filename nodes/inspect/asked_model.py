"""Asking the model of a recorded run what its pictures show."""

from collections.abc import Sequence
from typing import Any

from ...attention_patches.maps.diagnosis.questions import Answers, Questions
from ...attention_patches.maps.recorded import AttentionMaps
from ...attention_patches.text.named_things import NamedThing
from ...attention_patches.text.words import PromptTokens
from ..host.walks.asked import errors_under


def ask(
    model: Any,
    clip: Any,
    tokens: PromptTokens,
    things: Sequence[NamedThing],
    maps: AttentionMaps,
    given: bool,
    seed: int,
) -> tuple[Answers, ...]:
    """Its answers for each image; `given` as in `Answers`. Raises ValueError if the maps hold no latents, if
    these are another model's, or if the prompt cannot be reworded."""
    if maps.latents is None:
        raise ValueError(
            "model: these maps were saved without the latents of their pictures, so that the model cannot be "
            "asked about them. Record or probe the pictures anew, or leave `model` unconnected."
        )
    questions = Questions.about(tokens, things)
    errors = errors_under(model, clip, questions.texts, maps.latents, seed)
    return tuple(questions.read(of_image, given) for of_image in errors.unbind(1))
