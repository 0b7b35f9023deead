"""LayoutGuidance: the subjects of a prompt in their boxes, by shifting the latents in the first steps."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.layout.descent import Effort
from ...attention_patches.methods.layout_guidance import EFFORT
from ...attention_patches.methods.layout_guidance import LayoutGuidance as LayoutGuidanceMethod
from ..host.families import family_of
from ..host.run.install import install
from ..inputs.model_inputs import LAYERS
from ..inputs.node_report import shows_report
from .guidance_inputs import bypass_input, guided_layout_inputs, own_layout, show_boxes_input
from .layout_inputs import LayoutInputs, fault_in_texts

AUTHORS = "paper"


class LayoutGuidance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LayoutGuidance",
            display_name="Layout Guidance",
            category="attention control/layout",
            description=(
                "Draws the subjects of a prompt into boxes, without training: in the first steps the noise "
                "is shifted until each subject's words attend to their box (backward guidance, Chen et al. "
                "2024). Put it between the model and any sampler node, and use its conditioning."
            ),
            search_aliases=["layout", "boxes", "regional", "backward guidance", "composition"],
            **shows_report(),
            inputs=[
                *guided_layout_inputs(until=EFFORT.until),
                io.Float.Input(
                    "loss_scale",
                    default=30.0,
                    min=0.0,
                    max=1000.0,
                    step=0.5,
                    tooltip=(
                        "Length of the shifts. Too much shows as grain and garish colours. Paper: 30 (times "
                        "the noise level squared, as here)."
                    ),
                ),
                io.String.Input(
                    "layers",
                    default=AUTHORS,
                    advanced=True,
                    tooltip=(
                        "Layers whose cross-attention is looked at. paper: the middle block and the first "
                        "level on the way up that has attention, of each module the last layer. Or "
                        f"comma-separated: {LAYERS}. Later and larger layers cost more."
                    ),
                ),
                show_boxes_input(),
                bypass_input(),
            ],
            outputs=[
                io.Model.Output(tooltip="The model with the guidance, for any sampler node."),
                io.Conditioning.Output(tooltip="The prompt, encoded: the sampler's positive."),
            ],
        )

    @classmethod
    def validate_inputs(cls, boxes: str | None = None, subjects: str | None = None) -> bool | str:
        """Before anything runs: whether each box is said to hold something; None is what is connected."""
        return fault_in_texts(boxes, subjects) or True

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        prompt: str,
        boxes: str,
        subjects: str,
        width: int,
        height: int,
        guidance_until: float,
        guidance_iterations: int,
        loss_target: float,
        loss_scale: float,
        layers: str = AUTHORS,
        bboxes: Any = None,
        elements: Any = None,
        masks: Tensor | None = None,
        more_filler_words: str = "",
        positive: Any = None,
        show_boxes: bool = True,
    ) -> io.NodeOutput:
        family = family_of(model, LayoutGuidanceMethod.label)
        given = LayoutInputs(boxes, subjects, width, height, bboxes, elements, masks, more_filler_words)
        layout, conditioning = own_layout(given, clip, prompt)
        method = LayoutGuidanceMethod(
            layout=layout,
            effort=Effort(guidance_until, guidance_iterations, loss_target),
            loss_scale=loss_scale,
            layers=None if layers.strip() == AUTHORS else family.layer_map().parse(layers),
            shows_boxes=show_boxes,
        )
        return io.NodeOutput(install(model, method, cls.hidden.unique_id), conditioning)
