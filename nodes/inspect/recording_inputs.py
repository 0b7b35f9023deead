"""What to record: the inputs that the recorder and the probe share, and the patch made of them."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.recorder import MEGABYTE, Recorder
from ..host.families import family_of
from ..inputs.model_inputs import LAYERS


def make_recorder(
    model: Any,
    record: str,
    layers: str,
    self_max_tokens: int,
    heads: str,
    queries_and_keys: bool,
    memory_limit_mb: int,
    **further: Any,
) -> Recorder:
    """A recorder with an empty store; `further` are fields that only one of the nodes has."""
    chosen = family_of(model, Recorder.label).layer_map().parse(layers)
    return Recorder(
        store=MapStore(),
        cross_layers=chosen if record in ("cross", "both") else frozenset(),
        self_layers=chosen if record in ("self", "both") else frozenset(),
        self_max_tokens=self_max_tokens,
        each_head=heads == "each",
        queries_and_keys=queries_and_keys,
        memory_limit=memory_limit_mb * MEGABYTE,
        **further,
    )


def recording_inputs() -> list[Any]:
    """What to keep: the inputs that the recorder and the probe share."""
    return [
        io.Combo.Input(
            "record",
            options=["cross", "self", "both"],
            default="both",
            tooltip="cross: words and picture. self: parts of the picture among themselves.",
        ),
        io.String.Input(
            "layers",
            default="all",
            tooltip=f"Transformer layers, comma-separated: {LAYERS}.",
        ),
        io.Int.Input(
            "self_max_tokens",
            default=1024,
            min=1,
            max=16384,
            tooltip=(
                "Self-attention is kept for layers of at most this many tokens (1024 is 32 x 32): its maps "
                "grow with the square."
            ),
        ),
        io.Combo.Input(
            "heads",
            options=["mean", "each"],
            default="mean",
            advanced=True,
            tooltip="Keep the mean over the attention heads, or each head by itself.",
        ),
        io.Boolean.Input(
            "queries_and_keys",
            default=False,
            advanced=True,
            tooltip=(
                "Also keep the queries and keys of self-attention: needed for correspondence between two "
                "images, and for components of queries or keys."
            ),
        ),
        io.Int.Input(
            "memory_limit_mb",
            default=2048,
            min=1,
            max=1048576,
            advanced=True,
            tooltip="The maps may take this much; a run that would need more is refused before it starts.",
        ),
    ]
