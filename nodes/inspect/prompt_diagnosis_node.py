"""PromptDiagnosis: what became of each thing that a prompt names, from recorded attention."""

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.maps.diagnosis.diagnosis import PromptDiagnosis as PromptDiagnosisMethod
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.text.named_things import named_things
from ..host.exchange import handed_on
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.model_inputs import LAYERS
from ..inputs.segment_inputs import clustering_seed_input, sharpen_input
from ..pictures.diagnosis_text import diagnosis_text
from ..pictures.segmented import drawn, in_full
from .recorded.asked_model import are_given, ask
from .recorded.recorded_run import recorded_run, recorded_run_inputs
from .recorded.sampled_prompt import doubt_of_prompt


class PromptDiagnosis(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PromptDiagnosis",
            display_name="Prompt Diagnosis",
            category="attention control/inspect",
            description=(
                "Why did my prompt fail? Says of each noun and attribute of the prompt whether it is "
                "present, neglected, fused with another or bound to another, from recorded attention and "
                "without boxes, and which node helps. Another choice here does not sample again."
            ),
            is_output_node=True,
            search_aliases=["neglect", "subject fusion", "attribute binding", "why did my prompt fail"],
            inputs=[
                *recorded_run_inputs(),
                io.String.Input(
                    "words",
                    default="",
                    multiline=True,
                    tooltip=(
                        "The things to look for, one a line or comma-separated, each with its attributes "
                        "before the noun: red cat, blue dog; cat#2 is the second cat. Empty: what the prompt "
                        "names, read without a language model: words between fillers such as `a`, `and`, "
                        "`on` are one thing, the last of them its noun."
                    ),
                ),
                io.Int.Input(
                    "segments",
                    default=8,
                    min=2,
                    max=64,
                    tooltip=(
                        "How many segments each picture is cut into, background included: more than the "
                        "prompt names things."
                    ),
                ),
                io.Float.Input(
                    "present",
                    default=PromptDiagnosisMethod.present,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "A noun is present if, where it is most looked at, it gets this part of what all "
                        "nouns get there. Below it the noun is fused with the strongest."
                    ),
                ),
                io.Float.Input(
                    "fused",
                    default=PromptDiagnosisMethod.fused,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="With less than this part it is not fused, but neglected.",
                ),
                io.String.Input("layers", default="all", tooltip=f"Of the recorded layers: {LAYERS}."),
                clustering_seed_input(),
                sharpen_input(
                    "Moves the borders of masks and segments to the edges of the picture (guided filter). "
                    "Off: the coarse grid's borders, smoothed."
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip=(
                        "Asks the model too: is the picture likelier with a thing named than with any "
                        "object, or with a colour on another thing? Eight passes a text, whenever "
                        "something changes here. Of a picture from elsewhere (Attention Probe) the answers "
                        "decide; of one that was sampled with this prompt they only add what is missing or "
                        "bound to another. `seed` is that of the noise as well."
                    ),
                ),
                io.Float.Input(
                    "least_gain",
                    default=PromptDiagnosisMethod.least_gain,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "With `model`: a thing is there if naming it lowers the model's error, at the place "
                        "where it does so most, by this part of the mean error of the picture. A colour is "
                        "bound to another thing if lending it to that lowers the error by three quarters of "
                        "this."
                    ),
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="A sentence for each noun and attribute."),
                io.Mask.Output(
                    display_name="masks",
                    tooltip=(
                        "Of the pictures' size: all things of the first picture in the order of the report, "
                        "then of the second; what is fused shares its place, what is neglected is empty."
                    ),
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="Each picture with its segments, and what is present in them.",
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
        words: str,
        segments: int,
        present: float,
        fused: float,
        layers: str,
        sharpen: bool,
        seed: int = 0,
        model: Any = None,
        least_gain: float = PromptDiagnosisMethod.least_gain,
    ) -> io.NodeOutput:
        if fused > present:
            raise ValueError(f"fused is {fused:g}, above present ({present:g}); give at most that")
        recorded, pictures = recorded_run(maps, image)
        tokens = prompt_tokens(clip, prompt)
        try:
            things = named_things(tokens, words)
        except ValueError as error:
            raise ValueError(f"words: {error}") from error
        method = PromptDiagnosisMethod(
            segments=segments,
            present=present,
            fused=fused,
            least_gain=least_gain,
            layers=recorded.model.parse(layers),
            seed=seed,
        )
        answers, how = None, None
        if model is not None:
            given = are_given(maps, recorded)
            answers, how = ask(model, clip, tokens, things, recorded, given, seed)
        found = method(recorded, things, answers)
        names = [thing.text for thing in things]
        cuts = [each.segmentation for each in found]
        large = in_full(cuts, pictures, sharpen)
        masks = torch.cat([each.masks(clusters) for each, clusters in zip(found, large, strict=True)])
        overlay = drawn(cuts, large, pictures, names)
        doubt = doubt_of_prompt(recorded, clip, prompt)
        report = "\n\n".join(filter(None, [doubt, how, diagnosis_text(found)]))
        return io.NodeOutput(report, handed_on(masks.float()), handed_on(overlay))
