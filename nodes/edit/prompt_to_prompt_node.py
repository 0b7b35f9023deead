"""PromptToPrompt: pictures that differ only in what the words of their prompts change."""

import sys
from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.prompt_to_prompt.alignment import Mode
from ...attention_patches.methods.prompt_to_prompt.mask_store import MaskStore
from ...attention_patches.methods.prompt_to_prompt.method import PromptToPrompt as PromptToPromptMethod
from ..host.families import family_of
from ..host.run.install import install
from ..host.text.anima_prompts import with_adapter
from ..inputs.node_report import shows_report
from .blend_masks_type import BlendMasksSocket
from .one_start import start_of_edits
from .prompt_to_prompt_inputs import inputs
from .prompts.edited_prompts import describe
from .prompts.encoded_edits import edit_lines, encode_edits, encode_unaligned, fault_in_texts
from .prompts.prompt_remarks import filled_up, idle_ends
from .prompts.source_inversion import remarks

JOINT_BLEND_UNTIL = 0.5  # of the schedule, Shin et al.
JOINT = (
    "In this model text and picture share one softmax: the edits take over the source's layout until "
    "self_until, and no maps of words; `edit`, `cross_until` and `cross_until_words` have no effect."
)


class PromptToPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PromptToPrompt",
            display_name="Prompt-to-Prompt",
            category="attention control/edit",
            description=(
                "Makes a picture and edits of it that differ only in what the words change, without "
                "training: each edit takes over where the source's words and shapes are (Prompt-to-Prompt, "
                "Hertz et al. 2023; on transformers Shin et al. 2025). Put it between the model and any "
                "sampler node, and use its conditioning and latent."
            ),
            search_aliases=["edit", "p2p", "change a word", "replace", "reweight", "word swap"],
            **shows_report(),
            inputs=inputs(),
            outputs=[
                io.Model.Output(tooltip="The model with the patch, for any sampler node."),
                io.Conditioning.Output(
                    tooltip="The source prompt, then the edits, a row each: the sampler's positive."
                ),
                io.Latent.Output(
                    tooltip="An image for each prompt, all of the same noise: the sampler's latent image."
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="How each edit was aligned to the source, what it weighs, what may change in it.",
                ),
                BlendMasksSocket.Output(
                    display_name="masks",
                    tooltip="Where the blend let the edits differ, for Blend Masks, once the run has ended.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(
        cls,
        source_prompt: str | None = None,
        edit_prompts: str | None = None,
        cross_until_words: str | None = None,
        reweight: str | None = None,
    ) -> bool | str:
        """Before anything runs: whether there are prompts, and words have numbers; None is connected."""
        return fault_in_texts(source_prompt, edit_prompts, cross_until_words, reweight) or True

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        source_prompt: str,
        edit_prompts: str,
        edit: Mode,
        cross_until: float,
        cross_until_words: str,
        self_until: float,
        self_max_tokens: int,
        reweight: str,
        blend_words: str,
        keep_words: str,
        blend_threshold: float,
        blend_from: float,
        layers: str,
        latent: dict[str, Any] | None = None,
        inversion: Inversion | None = None,
        show_masks: bool = True,
    ) -> io.NodeOutput:
        family = family_of(model, PromptToPromptMethod.label)
        lines = edit_lines(source_prompt, edit_prompts)
        if family.joint:
            worded = bool(blend_words.strip() or keep_words.strip())
            encoded = encode_unaligned(clip, lines, reweight, worded=worded)
        else:
            encoded = encode_edits(
                with_adapter(clip, model), lines, edit, cross_until, cross_until_words, reweight
            )
        edits = encoded.prompts.edits()
        blend = encoded.prompts.blend(blend_words, keep_words, blend_threshold, blend_from)
        if family.joint and blend is not None:
            until = JOINT_BLEND_UNTIL if blend_from < JOINT_BLEND_UNTIL else 1.0
            blend = replace(blend, until=until, smooth=True)
        last = max(self_until, *(each.end for each in edits))
        joint = JOINT if family.joint else ""
        added = [filled_up(clip, lines), "" if family.joint else idle_ends(encoded.prompts)]
        pictured = None if inversion is None else remarks(inversion, model, clip, lines[0])
        method = PromptToPromptMethod(
            layers=family.layer_map().parse(layers),
            during=PercentRange(0.0, last if blend is None and inversion is None else 1.0),
            edits=edits,
            self_until=self_until,
            self_max_tokens=sys.maxsize if family.one_grid else self_max_tokens,
            blend=blend,
            store=MaskStore(),
            shows_masks=show_masks,
            prompt=encoded.identity,
            picture=inversion,
            note=" ".join(filter(None, [*added, pictured])),
        )
        return io.NodeOutput(
            install(model, method, cls.hidden.unique_id),
            encoded.conditioning,
            start_of_edits(model, latent, inversion, len(lines)),
            "\n".join(filter(None, [describe(encoded.prompts, blend), *added, joint])),
            method.store,
        )
