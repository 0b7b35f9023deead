"""AttentionLeakage: how much the attention of one subject goes to another, from recorded maps."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.contract.layers.layer_names import ALL
from ...attention_patches.layout.canvas import doubt_of_canvas
from ...attention_patches.layout.leakage import leakage
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.time_slices import parse_time
from ..host.exchange import handed_on
from ..inputs.model_inputs import LAYERS
from ..layout.layout_inputs import LayoutInputs, fault_in_texts, layout_inputs
from ..pictures.leakage_figure import draw_leakage
from ..pictures.leakage_table import leakage_tables
from .recorded.known_words import require_words_of_a_prompt
from .recorded.recorded_run import recorded_run, recorded_run_inputs
from .recorded.sampled_prompt import doubt_of_prompt


class AttentionLeakage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AttentionLeakage",
            display_name="Attention Leakage",
            category="attention control/inspect",
            description=(
                "Shows how much subjects of a picture mix: where each subject's words are seen, what its "
                "pixels look at, and how near their queries are to each other (as in Bounded Attention, "
                "Dahary et al. 2024). Names subjects that the picture neglects."
            ),
            search_aliases=["leakage", "attention matrix", "neglected subject", "attribute leakage"],
            is_output_node=True,
            inputs=[
                *recorded_run_inputs(),
                *layout_inputs(),
                io.String.Input(
                    "layers",
                    default="all",
                    tooltip=f"Of the recorded layers: {LAYERS}.",
                ),
                io.String.Input(
                    "time",
                    default="all",
                    tooltip=(
                        "all, or time slices counted from 1 (`3`, `2-4`), or with a decimal point the slice "
                        "next to a noise level, 1.0 to 0.0 (`0.6`)."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    tooltip=(
                        "For each picture: where the subjects' words are seen and what their pixels look at, "
                        "as matrices, and the queries of their pixels as a scatter plot."
                    )
                ),
                io.String.Output(display_name="report", tooltip="The same in numbers; and who is neglected."),
            ],
        )

    @classmethod
    def validate_inputs(cls, boxes: str | None = None, subjects: str | None = None) -> bool | str:
        """Before anything runs: whether each box is said to hold something; None is what is connected."""
        return fault_in_texts(boxes, subjects) or True

    @classmethod
    def execute(
        cls,
        maps: MapStore,
        image: Tensor,
        clip: Any,
        prompt: str,
        boxes: str,
        subjects: str,
        width: int,
        height: int,
        layers: str,
        time: str,
        bboxes: Any = None,
        elements: Any = None,
        masks: Tensor | None = None,
        more_filler_words: str = "",
    ) -> io.NodeOutput:
        require_words_of_a_prompt(maps)
        given = LayoutInputs(boxes, subjects, width, height, bboxes, elements, masks, more_filler_words)
        layout = given.read(clip, prompt)
        if layout.empty:
            raise ValueError("boxes: there are none; draw a box, or give a mask, for each subject to look at")
        recorded, pictures = recorded_run(maps, image)
        layout.check(recorded.images)
        chosen = None if layers.strip() == ALL else recorded.model.parse(layers)
        slices = parse_time(time, recorded.slices)
        found = [
            leakage(recorded, layout, image=number, layers=chosen, slices=slices)
            for number in range(recorded.images)
        ]
        size = (pictures.shape[2], pictures.shape[1])
        told = [
            doubt_of_prompt(recorded, clip, prompt),
            doubt_of_canvas(layout, size),
            leakage_tables(found),
        ]
        return io.NodeOutput(handed_on(draw_leakage(found)), "\n\n".join(filter(None, told)))
