"""Concepts to look for in a run: their inputs, and the patch made of them."""

from typing import Any

import torch
from comfy_api.latest import io

from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.recorders.concepts import CONCEPTS, ConceptRecorder
from ...attention_patches.maps.recorders.recorder import MEGABYTE
from ...attention_patches.text.lists import phrases_of
from ...attention_patches.text.words import PromptTokens, Word
from ..host.families import family_of
from ..host.families.family import ANY_SIZE
from .recording_inputs import AUTO

KLEIN = {"qwen3_4b", "qwen3_8b"}  # the host's names for its text encoders


def concepts_input() -> Any:
    """The words to look for."""
    return io.String.Input(
        "concepts",
        default="",
        optional=True,
        tooltip=(
            "Flux.1, Flux.2 dev and Chroma: words to look for, comma-separated, whether the prompt has them "
            "or not (ConceptAttention). They compete for each place, so name what else is there as well: "
            "cat, grass, sky. The maps are then of these in place of the prompt's words; `record`, "
            "`self_max_tokens`, `heads`, `queries_and_keys`, `rows` and `live_prompt` are ignored. Needs "
            "`clip`."
        ),
    )


def make_concept_recorder(
    model: Any,
    clip: Any,
    concepts: str,
    layers: str,
    memory_limit_mb: int,
    time_bins: int,
    during: PercentRange,
) -> ConceptRecorder:
    """A recorder with an empty store, whose words are the concepts. Raises ValueError for models without a
    way for them, for fewer than two, and without `clip`."""
    family = family_of(model, ConceptRecorder.label)
    own, form = family.presets(ANY_SIZE)[CONCEPTS].layers, family.concepts
    if form is None:
        raise ValueError(
            "model: maps of concepts are published for Flux.1, Flux.2 dev and Chroma, and this model reads "
            "its text in another way. Leave `concepts` empty."
        )
    names = list(dict.fromkeys(phrases_of(concepts)))
    if len(names) < 2:
        raise ValueError(
            f"concepts: {names[0]!r} stands alone, and concepts compete for each place, so its map would be "
            "1 everywhere. Add what else is in the picture, such as: background."
        )
    if clip is None:
        raise ValueError("concepts are given and `clip` is not connected: connect the model's text encoder.")
    chosen = own if layers.strip() == AUTO else family.layer_map().parse(layers)
    doubles = {layer.ordinal for layer in family.layer_map().layers if layer.block == "double"}
    if not chosen & doubles:
        raise ValueError(
            f"layers is {layers!r}, and concepts are seen in double blocks only. Take double blocks, or auto."
        )
    if KLEIN & clip.tokenize(names[0]).keys():
        raise ValueError(
            "concepts: of Flux.2 maps of concepts are published for dev, whose text Mistral reads, and "
            "`clip` is Klein's, which fills every text up behind it. Leave `concepts` empty, or take Flux.2 "
            "dev."
        )
    words = tuple(Word(name, (place,)) for place, name in enumerate(names))
    tokens = PromptTokens(", ".join(names), words, len(names))
    return ConceptRecorder(
        store=MapStore(tokens=tokens, of_a_sampler=True),
        layers=chosen & doubles,
        concepts=torch.stack([_vector(clip, name, form.token) for name in names]),
        temperature=form.temperature,
        time_bins=time_bins,
        memory_limit=memory_limit_mb * MEGABYTE,
        during=during,
    )


def _vector(clip: Any, name: str, token: int) -> torch.Tensor:
    encoded = clip.encode_from_tokens(clip.tokenize(name))
    vector: torch.Tensor = encoded[0, token]
    return vector
