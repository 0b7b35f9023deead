"""AttentionMapViewer: recorded attention as heat over the pictures, and in the node itself."""

from collections.abc import Iterator
from typing import Any, get_args

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...attention_patches.maps.components import Features
from ...attention_patches.maps.recorded import MapStore
from ..host.exchange import handed_on
from ..host.files.temp_files import forget_oldest, save_temp_png
from ..inputs.model_inputs import LAYERS
from ..pictures.atlases.payload import payload, without_maps
from ..pictures.colour_maps import COLOURS
from ..pictures.drawing import (
    Drawing,
    draw_components,
    draw_correspondence,
    draw_self,
    draw_words,
    outputs,
)
from ..pictures.view import MapView, make_view
from .recorded.attention_maps_type import AttentionMapsSocket
from .recorded.known_words import known_words
from .recorded.recorded_run import recorded_run
from .recorded.sampled_prompt import doubt_of_prompt

ROLES = {"conditional": "positive", "unconditional": "negative"}
NO_MAPS = (
    "No maps arrive: Attention Recorder is bypassed, or not connected. Switch it on again (Ctrl-B) and run."
)
MODES = ["words", "self", "components", "correspondence"]


class AttentionMapViewer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AttentionMapViewer",
            display_name="Attention Map Viewer",
            category="attention control/inspect",
            description=(
                "Shows recorded attention over the pictures: where each word is looked at, what a point of "
                "the picture looks at, which parts are alike. In the node, hover a word or the picture. "
                "Another choice here does not sample again."
            ),
            search_aliases=["attention map", "heat map", "DAAM", "PCA", "correspondence", "word mask"],
            is_output_node=True,
            inputs=[
                AttentionMapsSocket.Input(
                    "maps",
                    optional=True,
                    tooltip=(
                        "From Attention Recorder or another node that gives maps. While that is bypassed, "
                        "to compare, the node says so and gives nothing."
                    ),
                ),
                io.Image.Input(
                    "image", tooltip="The pictures that the recorded run made, all of them, in order."
                ),
                io.Combo.Input(
                    "mode",
                    options=MODES,
                    default="words",
                    tooltip=(
                        "words: where each word is looked at. self: what a point of the picture looks at. "
                        "components: three main directions of self-attention as colours. correspondence: "
                        "where a point of one picture finds itself again in the others."
                    ),
                ),
                io.String.Input(
                    "words",
                    default="",
                    tooltip=(
                        "Words or phrases of the prompt, comma-separated: cat, red hat; cat#2 is the second "
                        "cat. Empty: all words that may name something."
                    ),
                ),
                io.String.Input(
                    "layer",
                    default="all",
                    tooltip=f"Mean over these layers, comma-separated: {LAYERS}.",
                ),
                io.String.Input(
                    "time",
                    default="all",
                    tooltip=(
                        "Mean over these time slices: all, a slice or range counted from 1 (3, 2-4), or a "
                        "noise level with a decimal point (0.62; 1.0 is pure noise) for the slice next to it."
                    ),
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The mask is 1 where a map reaches this fraction of its own maximum.",
                ),
                io.Combo.Input(
                    "colormap", options=list(COLOURS), default="magma", tooltip="Colours of low to high heat."
                ),
                io.Clip.Input("clip", optional=True, tooltip="The text encoder, to find the prompt's words."),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip=(
                        "The text that was sampled with. Empty: the words that a file of maps came with, or "
                        "else token 1, token 2, ..."
                    ),
                ),
                *_fine_inputs(),
            ],
            outputs=[
                io.Image.Output(
                    tooltip="Heat over the picture: all words of the first picture, then of the second, ..."
                ),
                io.Mask.Output(tooltip="The thresholded maps in the same order, of the pictures' size."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        mode: str,
        words: str,
        layer: str,
        time: str,
        threshold: float,
        colormap: str,
        maps: MapStore | None = None,
        clip: Any = None,
        prompt: str = "",
        x: float = 0.5,
        y: float = 0.5,
        point_image: int = 0,
        features: Features = "self-attention",
        rows: str = "conditional",
    ) -> io.NodeOutput:
        if maps is None:
            nothing = ExecutionBlocker(
                None
            )  # whoever waits for pictures or masks does not run, without an error
            return io.NodeOutput(nothing, nothing, ui={"attention_maps": [without_maps(NO_MAPS)]})
        recorded, pictures = recorded_run(maps, image)
        view = make_view(
            recorded,
            pictures,
            tokens=known_words(maps, clip, prompt, typed_alone=rows != "conditional"),
            words=words,
            layer=layer,
            time=time,
            role=ROLES[rows],
            point=(x, y),
            colour_map=colormap,
            threshold=threshold,
        )
        pictures, masks = outputs(_draw(view, mode, point_image, features), threshold)
        doubt = doubt_of_prompt(recorded, clip, prompt, ROLES[rows]) if clip and prompt.strip() else None
        shown = payload(view, mode, features, save_temp_png, doubt)
        forget_oldest()
        return io.NodeOutput(handed_on(pictures), handed_on(masks), ui={"attention_maps": [shown]})


def _draw(view: MapView, mode: str, point_image: int, features: Features) -> Iterator[Drawing]:
    if mode == "words":
        return draw_words(view)
    if mode == "self":
        return draw_self(view)
    if mode == "components":
        return draw_components(view, features)
    return draw_correspondence(view, point_image)


def _fine_inputs() -> list[Any]:
    """A point of the picture, and what is rarely changed."""
    return [
        *(
            io.Float.Input(
                axis,
                default=0.5,
                min=0.0,
                max=1.0,
                step=0.001,
                advanced=True,
                tooltip=f"For self and correspondence: the point, as a fraction of the {side}.",
            )
            for axis, side in (("x", "width"), ("y", "height"))
        ),
        io.Int.Input(
            "point_image",
            default=0,
            min=0,
            max=4095,
            advanced=True,
            tooltip="For correspondence: the picture of the batch in which the point lies, counted from 0.",
        ),
        io.Combo.Input(
            "features",
            options=list(get_args(Features)),
            default="self-attention",
            advanced=True,
            tooltip="For components: of what. Queries and keys must have been recorded (queries_and_keys).",
        ),
        io.Combo.Input(
            "rows",
            options=list(ROLES),
            default="conditional",
            advanced=True,
            tooltip="The attention of the positive or of the negative prompt, if it was recorded.",
        ),
    ]
