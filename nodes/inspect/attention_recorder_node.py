"""AttentionRecorder: keep what a model attends to while any sampler node uses it."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.recorders.live_words import MOST
from ...attention_patches.text.lists import phrases_of
from ..host.run.install import install
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.model_inputs import model_input
from ..inputs.named_errors import of_input
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import range_inputs
from .concept_inputs import concepts_input, make_concept_recorder
from .recorded.attention_maps_type import AttentionMapsSocket
from .recording_inputs import make_recorder, recording_inputs

ROLES = {
    "conditional": ("positive",),
    "unconditional": ("negative",),
    "both": ("positive", "negative"),
}


class AttentionRecorder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AttentionRecorder",
            display_name="Attention Recorder",
            category="attention control/inspect",
            description=(
                "Keeps the attention of a run: where each word is looked at (cross-attention), and how the "
                "parts of the picture look at each other (self-attention). The pictures stay as they are. "
                "Put it between the model and any sampler node, and give the maps to a viewer."
            ),
            search_aliases=["attention map", "heat map", "DAAM", "cross attention", "self attention"],
            **shows_report(),
            inputs=[
                model_input(),
                *recording_inputs(),
                io.Combo.Input(
                    "rows",
                    options=list(ROLES),
                    default="conditional",
                    advanced=True,
                    tooltip="Whose attention: that of the positive prompt, the negative prompt, or of both.",
                ),
                *range_inputs(advanced=True),
                io.Int.Input(
                    "time_bins",
                    default=8,
                    min=1,
                    max=1000,
                    advanced=True,
                    tooltip=(
                        "The noise schedule is cut into so many slices of equal length; each keeps the mean "
                        "of the steps in it. Slices without a step are left out."
                    ),
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The text encoder, to find the words of `live_prompt` and for `concepts`.",
                ),
                io.String.Input(
                    "live_prompt",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "The prompt that is sampled with: while the picture is made, the node shows where "
                        f"each word is looked at ({MOST} at most, image 0). Needs `clip`. Empty: off."
                    ),
                ),
                concepts_input(),
            ],
            outputs=[
                io.Model.Output(tooltip="The model with the recorder, for any sampler node."),
                AttentionMapsSocket.Output(
                    display_name="maps",
                    tooltip="The maps of the last run. Whoever reads them must wait for that run's picture.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        record: str,
        layers: str,
        self_max_tokens: int = 1024,
        heads: str = "mean",
        queries_and_keys: bool = False,
        memory_limit_mb: int = 2048,
        rows: str = "conditional",
        start_percent: float = 0.0,
        end_percent: float = 1.0,
        time_bins: int = 8,
        clip: Any = None,
        live_prompt: str = "",
        concepts: str = "",
    ) -> io.NodeOutput:
        during = PercentRange(start_percent, end_percent)
        if phrases_of(concepts):
            looking = make_concept_recorder(model, clip, concepts, layers, memory_limit_mb, time_bins, during)
            return io.NodeOutput(install(model, looking, cls.hidden.unique_id), looking.store)
        recorder = make_recorder(
            MapStore(of_a_sampler=True),
            model,
            record,
            layers,
            self_max_tokens,
            heads,
            queries_and_keys,
            memory_limit_mb,
            time_bins=time_bins,
            roles=ROLES[rows],
            during=during,
            live=_live(clip, live_prompt),
        )
        return io.NodeOutput(install(model, recorder, cls.hidden.unique_id), recorder.store)


def _live(clip: Any, prompt: str) -> tuple[tuple[int, ...], ...]:
    """The tokens of each word that may name something, of the first so many; none without a prompt."""
    if not prompt.strip():
        return ()
    if clip is None:
        raise ValueError(
            "clip: not connected, so the words of `live_prompt` can't be found. Connect the text encoder, or "
            "empty `live_prompt`."
        )
    try:
        tokens = prompt_tokens(clip, prompt)
    except ValueError as error:
        raise of_input(error, "live_prompt") from None
    names = dict.fromkeys(word.text for word in tokens.content_words())
    return tuple(tokens.find(name).positions for name in list(names)[:MOST])
