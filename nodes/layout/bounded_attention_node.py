"""BoundedAttention: several subjects of a prompt, each in its box and each itself."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.layout.descent import Effort
from ...attention_patches.methods.bounded_attention.guidance import (
    BoundedGuidance,
)
from ...attention_patches.methods.bounded_attention.method import BoundedAttention as BoundedAttentionMethod
from ..host.families import family_of
from ..host.run.install import install
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.node_report import shows_report
from .bounded_inputs import (
    AUTO,
    FOR_THE_MODEL,
    PAPER,
    bounded_during,
    bounds_inputs,
    chosen_step_sizes,
    refinement_inputs,
    step_size_inputs,
)
from .guidance_inputs import bypass_input, guided_layout_inputs, own_layout, show_boxes_input
from .layout_inputs import LayoutInputs, fault_in_texts
from .layout_report import describe, describe_bounds


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
                *bounds_inputs(),
                show_boxes_input(),
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
        layers: str = AUTO,
        cross_weight: float = PAPER.cross_weight,
        self_weight: float = PAPER.self_weight,
        bboxes: Any = None,
        elements: Any = None,
        masks: Tensor | None = None,
        more_filler_words: str = "",
        positive: Any = None,
        bounded_until: float = FOR_THE_MODEL,
        show_boxes: bool = True,
    ) -> io.NodeOutput:
        family = family_of(model, BoundedAttentionMethod.label)
        given = LayoutInputs(boxes, subjects, width, height, bboxes, elements, masks, more_filler_words)
        layout, conditioning = own_layout(given, clip, prompt)
        guidance = BoundedGuidance(
            effort=Effort(guidance_until, guidance_iterations, loss_target),
            step_sizes=chosen_step_sizes(family, first_step_size, last_step_size),
            cross_weight=cross_weight,
            self_weight=self_weight,
        )
        method = BoundedAttentionMethod(
            layers=None if layers.strip() == AUTO else family.layer_map().parse(layers),
            layout=layout,
            during=bounded_during(family, bounded_until),
            refine_from=refine_from,
            refine_every=refine_every,
            clusters_per_subject=cluster_count_per_subject,
            shows_boxes=show_boxes,
            guidance=None if family.unguided else guidance,
        )
        return io.NodeOutput(
            install(model, method, cls.hidden.unique_id),
            conditioning,
            "\n".join(
                [describe(layout, prompt_tokens(clip, prompt)), *describe_bounds(method, family, layers)]
            ),
        )
