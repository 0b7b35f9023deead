"""BoundedAttention: several subjects of a prompt, each in its box and each itself."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..attention_patches.methods.bounded_attention import BoundedAttention as BoundedAttentionPatch
from .host.install import install
from .host.prompt_batch import encode_rows
from .host.tokens import prompt_tokens
from .host.unet import layer_map
from .layout_inputs import LayoutInputs, layout_inputs
from .layout_report import describe


class BoundedAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BoundedAttention",
            display_name="Bounded Attention",
            category="attention control/layout",
            description=(
                "Puts several subjects of one prompt into boxes and keeps each of them itself, without "
                "training: no pixel of one looks at another's pixels or words (Bounded Attention, Dahary et "
                "al. 2024). Put it between the model and any sampler node, and use its conditioning."
            ),
            search_aliases=["layout", "boxes", "regional", "be yourself", "several subjects", "leakage"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net model (SD1.5, SD2, SDXL or built like them)."),
                io.Clip.Input("clip", tooltip="Its text encoder: SD1.5, SD2 or SDXL."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="One prompt for the whole picture; it holds the phrase of every box.",
                ),
                *layout_inputs(),
                *refinement_inputs(),
                io.String.Input(
                    "layers",
                    default="all",
                    advanced=True,
                    tooltip=(
                        "Transformer layers to bound, comma-separated: all, input, middle, output, a block "
                        "(output 4), one transformer in it (output 4.1), a number or range (10, 10-20). "
                        "Paper: all."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="The model with the patch, for any sampler node."),
                io.Conditioning.Output(tooltip="The prompt, encoded: the sampler's positive."),
                io.String.Output(
                    display_name="report",
                    tooltip="Each subject with its tokens and its place, and the words taken for fillers.",
                ),
            ],
        )

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
        refine_masks_from: float,
        refine_every: int,
        cluster_count_per_subject: int = 3,
        layers: str = "all",
        bboxes: Any = None,
        elements: Any = None,
        masks: Tensor | None = None,
        more_filler_words: str = "",
    ) -> io.NodeOutput:
        given = LayoutInputs(boxes, subjects, width, height, bboxes, elements, masks, more_filler_words)
        layout = given.read(clip, prompt)
        patch = BoundedAttentionPatch(
            layers=layer_map(model).parse(layers),
            layout=layout,
            refine_from=refine_masks_from,
            refine_every=refine_every,
            clusters_per_subject=cluster_count_per_subject,
        )
        return io.NodeOutput(
            install(model, patch, cls.hidden.unique_id),
            encode_rows(clip, [prompt]),
            describe(layout, prompt_tokens(clip, prompt)),
        )


def refinement_inputs() -> list[Any]:
    """When and how the subjects' outlines are found."""
    return [
        io.Float.Input(
            "refine_masks_from",
            default=0.3,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "The share of the steps after which the subjects' outlines are found in the picture itself "
                "and take the place of the boxes; 1: never. Paper: 0.3."
            ),
        ),
        io.Int.Input(
            "refine_every",
            default=5,
            min=1,
            max=10000,
            tooltip="Then they are found anew every so many steps. Paper: 5 of 50.",
        ),
        io.Int.Input(
            "cluster_count_per_subject",
            default=3,
            min=1,
            max=16,
            advanced=True,
            tooltip=(
                "The picture is cut into so many parts for each subject, which then go to a subject or to "
                "the background. Paper: 3."
            ),
        ),
    ]
