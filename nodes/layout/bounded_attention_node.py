"""BoundedAttention: several subjects of a prompt, each in its box and each itself."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.layout.descent import Effort
from ...attention_patches.methods.bounded_attention.guidance import (
    GUIDANCE_PRESET,
    BoundedGuidance,
    StepSizes,
)
from ...attention_patches.methods.bounded_attention.method import BoundedAttention as BoundedAttentionMethod
from ..host.families import family_of
from ..host.run.install import install
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.model_inputs import LAYERS
from ..inputs.node_report import shows_report
from .guidance_inputs import bypass_input, guided_layout_inputs, own_layout
from .layout_inputs import LayoutInputs, fault_in_texts
from .layout_report import describe

PAPER = BoundedGuidance()
ANY_SIZE = (64, 64)  # step sizes do not hang on that of the latents
FOR_THE_MODEL = -1.0  # a step size: the paper's for this kind of model


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
            **shows_report(),
            inputs=[
                *guided_layout_inputs(until=PAPER.effort.until),
                *step_size_inputs(),
                *refinement_inputs(),
                io.String.Input(
                    "layers",
                    default="all",
                    advanced=True,
                    tooltip=f"Transformer layers to bound, comma-separated: {LAYERS}. Paper: all.",
                ),
                bypass_input(),
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
        first_step_size: float,
        last_step_size: float,
        refine_from: float,
        refine_every: float,
        cluster_count_per_subject: int = 3,
        layers: str = "all",
        cross_weight: float = PAPER.cross_weight,
        self_weight: float = PAPER.self_weight,
        bboxes: Any = None,
        elements: Any = None,
        masks: Tensor | None = None,
        more_filler_words: str = "",
        positive: Any = None,
    ) -> io.NodeOutput:
        given = LayoutInputs(boxes, subjects, width, height, bboxes, elements, masks, more_filler_words)
        layout, conditioning = own_layout(given, clip, prompt)
        method = BoundedAttentionMethod(
            layers=family_of(model).layer_map().parse(layers),
            layout=layout,
            refine_from=refine_from,
            refine_every=refine_every,
            clusters_per_subject=cluster_count_per_subject,
            guidance=BoundedGuidance(
                effort=Effort(guidance_until, guidance_iterations, loss_target),
                step_sizes=chosen_step_sizes(model, first_step_size, last_step_size),
                cross_weight=cross_weight,
                self_weight=self_weight,
            ),
        )
        return io.NodeOutput(
            install(model, method, cls.hidden.unique_id),
            conditioning,
            describe(layout, prompt_tokens(clip, prompt)),
        )


def refinement_inputs() -> list[Any]:
    """When and how the subjects' outlines are found."""
    return [
        io.Float.Input(
            "refine_from",
            default=0.3,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "From this percent of the noise schedule on (0 is pure noise) the subjects' outlines are "
                "found in the picture itself and take the place of the boxes; 1: never. Paper: 0.3."
            ),
        ),
        io.Float.Input(
            "refine_every",
            default=0.1,
            min=0.001,
            max=1.0,
            step=0.001,
            tooltip=(
                "Then they are found anew after every such part of the schedule. Paper: 0.1 (5 of 50 steps)."
            ),
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


def step_size_inputs() -> list[Any]:
    """How far the latents are shifted, and for what."""
    return [
        io.Float.Input(
            "first_step_size",
            default=FOR_THE_MODEL,
            min=FOR_THE_MODEL,
            max=1000.0,
            step=0.5,
            tooltip=(
                "Length of the shifts where guidance begins; -1: the paper's for this kind of model, 18 for "
                "SDXL and 8 for SD1.5 and SD2. The paper goes up to 25. Too much shows as garish colours, "
                "grain."
            ),
        ),
        io.Float.Input(
            "last_step_size",
            default=FOR_THE_MODEL,
            min=FOR_THE_MODEL,
            max=1000.0,
            step=0.5,
            tooltip=(
                "To which length they fall, in a straight line until guidance ends; -1: the paper's, 5 for "
                "SDXL and 2 for SD1.5 and SD2."
            ),
        ),
        *(
            io.Float.Input(
                f"{kind}_weight",
                default=weight,
                min=0.0,
                max=100.0,
                step=0.1,
                advanced=True,
                tooltip=f"Weight of {kind}-attention ({what}) in the loss. Paper: {weight}.",
            )
            for kind, what, weight in (
                ("cross", "words", PAPER.cross_weight),
                ("self", "shapes", PAPER.self_weight),
            )
        ),
    ]


def chosen_step_sizes(model: Any, first: float, last: float) -> StepSizes | None:
    """The step sizes as given; None, the authors' for the kind of model, where neither is."""
    if first < 0 and last < 0:
        return None
    authors = family_of(model).presets(ANY_SIZE)[GUIDANCE_PRESET].step_sizes
    chosen = [own if given < 0 else given for own, given in zip(authors, (first, last), strict=True)]
    return chosen[0], chosen[1]
