"""What to record: the inputs that the recorder and the probe share, and the patch made of them."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.contract.layers.layer_names import ALL
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.recorders.recorder import MEGABYTE, PICTURE, WORDS, Recorder
from ..host.families import family_of
from ..host.families.family import ANY_SIZE
from ..inputs.model_inputs import LAYERS

AUTO = "auto"


def make_recorder(
    store: MapStore,
    model: Any,
    record: str,
    layers: str,
    self_max_tokens: int,
    heads: str,
    queries_and_keys: bool,
    memory_limit_mb: int,
    **further: Any,
) -> Recorder:
    """A recorder that fills the store; `further` are fields that only one of the nodes has."""
    cross, own, most = _chosen(model, layers, self_max_tokens)
    return Recorder(
        store=store,
        cross_layers=cross if record in ("cross", "both") else frozenset(),
        self_layers=own if record in ("self", "both") else frozenset(),
        self_max_tokens=most,
        each_head=heads == "each",
        queries_and_keys=queries_and_keys,
        memory_limit=memory_limit_mb * MEGABYTE,
        **further,
    )


def _chosen(
    model: Any, layers: str, self_max_tokens: int
) -> tuple[frozenset[int], frozenset[int], int | None]:
    """Layers of cross- and of self-attention, and the most tokens of the latter: `auto` is what the family
    says is worth keeping, all of it where it says nothing."""
    family = family_of(model, Recorder.label)
    presets = family.presets(ANY_SIZE)
    if layers.strip() == AUTO and PICTURE in presets:
        return presets[WORDS].layers, presets[PICTURE].layers, None
    every = family.layer_map().parse(ALL if layers.strip() == AUTO else layers)
    return every, every, self_max_tokens


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
            default=AUTO,
            tooltip=(
                f"Transformer layers, comma-separated: {LAYERS}. auto: all of a U-Net; of a transformer "
                "those in which its words were found to lie best (Flux: double 11, 12, 14, 17, 18), and one "
                "of them for self-attention, of any size."
            ),
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
