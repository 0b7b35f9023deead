"""SelfSegment: masks of a prompt's subjects, from recorded attention."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.self_segmentation.segmentation import SelfSegmentation
from ...attention_patches.text.lists import phrases_of
from ...attention_patches.text.words import PromptTokens, Word
from ..host.exchange import handed_on
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.model_inputs import LAYERS
from ..inputs.segment_inputs import (
    clustering_seed_input,
    label_threshold_input,
    segments_input,
    sharpen_input,
)
from ..pictures.segmented import segmented
from .recorded.recorded_run import recorded_run, recorded_run_inputs
from .recorded.sampled_prompt import doubt_of_prompt


class SelfSegment(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SelfSegment",
            display_name="Self Segment",
            category="attention control/inspect",
            description=(
                "Cuts pictures into segments by their recorded self-attention, and labels them with words of "
                "the prompt by cross-attention (Self-Segmentation, Patashnik et al. 2023). Gives a mask for "
                "each subject, without a further model. Another choice here does not sample again."
            ),
            search_aliases=["segmentation", "mask from prompt", "subject mask", "self-segmentation", "DAAM"],
            is_output_node=True,
            inputs=[
                *recorded_run_inputs(),
                io.String.Input(
                    "subjects",
                    default="",
                    multiline=True,
                    tooltip=(
                        "Words or phrases of the prompt, one a line or comma-separated: cat, red hat; cat#2 "
                        "is the second cat. Empty: all words but fillers such as `a`, so also colours and "
                        "places, as nouns are not told from other words. Paper: the nouns."
                    ),
                ),
                segments_input(),
                label_threshold_input(
                    "A segment whose best score is below this is background; the scores stand in the "
                    "report. Paper: 0.3, and 0.35 in the authors' script for pictures alone."
                ),
                io.String.Input(
                    "layers",
                    default="all",
                    tooltip=(
                        "Layers for scores, and for segments those of them with the finest self-attention: "
                        f"{LAYERS}. Paper, with SD1.4: 16 x 16 for scores, 32 x 32 for segments."
                    ),
                ),
                clustering_seed_input(),
                sharpen_input(
                    "Moves the borders of the segments to the edges of the picture (guided filter). Off: the "
                    "coarse grid's borders, smoothed. Paper: off."
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="masks",
                    tooltip=(
                        "Of the pictures' size: all subjects of the first picture, then of the second, ...; "
                        "empty where a subject has no segment."
                    ),
                ),
                io.Mask.Output(
                    display_name="segments",
                    tooltip="All segments of the first picture, the largest first, then of the second, ...",
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="Each picture with its segments, labels and scores; small ones are enlarged.",
                ),
                io.String.Output(
                    display_name="report", tooltip="A table of segments, labels and scores for each picture."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        maps: MapStore,
        image: Tensor,
        clip: Any,
        prompt: str,
        subjects: str,
        segments: int,
        label_threshold: float,
        layers: str,
        sharpen: bool,
        seed: int = 0,
    ) -> io.NodeOutput:
        recorded, pictures = recorded_run(maps, image)
        words = subject_words(prompt_tokens(clip, prompt), subjects)
        method = SelfSegmentation(
            segments=segments, threshold=label_threshold, layers=recorded.model.parse(layers), seed=seed
        )
        found = method(recorded, words)
        *drawn, table = segmented(pictures, found, [word.text for word in words], sharpen)
        doubt = doubt_of_prompt(recorded, clip, prompt)
        return io.NodeOutput(*map(handed_on, drawn), table if doubt is None else f"{doubt}\n\n{table}")


def subject_words(tokens: PromptTokens, subjects: str) -> tuple[Word, ...]:
    """The phrases that the user wrote, or else the prompt's content words; each once.

    Raises ValueError if there are none, or one is not in the prompt.
    """
    phrases = dict.fromkeys(phrases_of(subjects) or (word.text for word in tokens.content_words()))
    if not phrases:
        raise ValueError(
            "subjects: none given, and the prompt has no word that may name something. Give the prompt that "
            "was sampled with, and words of it."
        )
    try:
        return tuple(tokens.find(phrase) for phrase in phrases)
    except ValueError as error:
        raise ValueError(f"subjects: {error}") from error
