"""The inputs of PromptToPrompt."""

from typing import Any, get_args

from comfy_api.latest import io

from ...attention_patches.methods.prompt_to_prompt.alignment import Mode
from ..inputs.model_inputs import LAYERS, model_input
from ..inputs.sampling_inputs import percent_input
from ..inversion.inversion_type import InversionSocket


def inputs() -> list[Any]:
    """All of them, in the order of the node."""
    return [model_input(), *_prompts(), *_attention(), *_blend(), _layers(), _show_masks(), _inversion()]


def _prompts() -> list[Any]:
    return [
        io.Clip.Input("clip", tooltip="Its text encoder."),
        io.String.Input(
            "source_prompt",
            multiline=True,
            dynamic_prompts=True,
            tooltip="What is in the source, image 0 of the batch. Weights such as (red:1.2) work.",
        ),
        io.String.Input(
            "edit_prompts",
            multiline=True,
            dynamic_prompts=True,
            tooltip=(
                "One prompt per line, one image each: the source prompt with a word changed, words added, or "
                "as it is, if `reweight` does the edit."
            ),
        ),
        io.Latent.Input(
            "latent",
            optional=True,
            tooltip=(
                "Where all images start: an empty latent, or one picture for img2img. Not needed with an "
                "inversion."
            ),
        ),
        io.Combo.Input(
            "edit",
            options=["auto", *(mode for mode in get_args(Mode) if mode != "auto")],
            default="auto",
            tooltip=(
                "swap: words are paired in order, and a new word takes the place of the old one. refine: "
                "words that both prompts have are kept, new ones find a place of their own. auto: swap for "
                "prompts of equally many words, else refine. off: no word's map is taken, as on Flux "
                "and other transformers where text and picture share one softmax."
            ),
        ),
    ]


def _attention() -> list[Any]:
    return [
        percent_input(
            "cross_until",
            0.8,
            "Until this percent of the noise schedule (0 is pure noise) words are where the source has them; "
            "less "
            "gives the edit more freedom. Paper: 0.8.",
        ),
        io.String.Input(
            "cross_until_words",
            default="",
            multiline=True,
            tooltip=(
                "Another end for words of the edits, `lion: 0.4`, one per line or comma: a swapped word is "
                "then free to change shapes (paper: 0.2 to 0.4). A word that refine adds is free anyway; "
                "there, ends of the words that stay count."
            ),
        ),
        percent_input(
            "self_until",
            0.4,
            "Until this percent of the noise schedule shapes are the source's, by its self-attention; 0: not "
            "at "
            "all. Paper: 0.4; 0.2 for a change of style, and on transformers (Shin et al. 2025).",
        ),
        io.Int.Input(
            "self_max_tokens",
            default=256,
            min=1,
            max=1 << 20,
            advanced=True,
            tooltip=(
                "Self-attention is taken over in layers of at most so many cells: 256 is 16 x 16. Paper: 256 "
                "at 512 pixels. 1024 for SDXL, and for pictures of your own. On transformers all layers do."
            ),
        ),
        io.String.Input(
            "reweight",
            default="",
            multiline=True,
            tooltip=(
                "Factors on words of the edits, `smiling: 5, pink: -1`, one per line or comma: above 1 "
                "strengthens a word, below weakens it, negative values push it away. Until the end of that "
                "word. Not where text and picture share one softmax (Flux and most transformers)."
            ),
        ),
    ]


def _blend() -> list[Any]:
    return [
        io.String.Input(
            "blend_words",
            default="",
            multiline=True,
            tooltip=(
                "Words whose place may change, joined by commas; all else becomes the source. One line for "
                "all prompts (`cat, dog`), or a line for each, the source first. Empty: no blend."
            ),
        ),
        io.String.Input(
            "keep_words",
            default="",
            multiline=True,
            advanced=True,
            tooltip="Words whose place stays the source's in any case, written like `blend_words`.",
        ),
        io.Float.Input(
            "blend_threshold",
            default=0.3,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "A cell may change where the words' map exceeds this part of its greatest value; lower: more "
                "of the picture. Paper: 0.3."
            ),
        ),
        percent_input(
            "blend_from",
            0.0,
            "Where on the noise schedule blending starts. Paper: 0; 0.2 for pictures of your own.",
            advanced=True,
        ),
    ]


def _layers() -> Any:
    return io.String.Input(
        "layers",
        default="all",
        advanced=True,
        tooltip=f"Transformer layers that take over attention, comma-separated: {LAYERS}. Paper: all.",
    )


def _show_masks() -> Any:
    return io.Boolean.Input(
        "show_masks",
        optional=True,
        default=True,
        advanced=True,
        tooltip=(
            "With `blend_words`: the node draws the masks while it runs. Off: it does not; the masks output "
            "is the same."
        ),
    )


def _inversion() -> Any:
    return InversionSocket.Input(
        "inversion",
        optional=True,
        tooltip=(
            "A picture of your own, from Invert Latent under the source prompt: the source is that picture. "
            "Sample the node's LATENT with the sampler's own noise turned off (add_noise), with the "
            "inversion's scheduler and steps."
        ),
    )
