"""AttentionProbe: what a model attends to in an existing image, without sampling."""

from typing import Any

from comfy_api.latest import io

from .attention_maps_type import AttentionMaps
from .host.probe import Probe
from .recording import make_recorder, recording_inputs


class AttentionProbe(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AttentionProbe",
            display_name="Attention Probe",
            category="attention control/inspect",
            description=(
                "Shows what a model attends to in an image that exists already: adds noise to it and lets "
                "the model look at it once. Give the maps to a viewer or to segmentation. No sampler is "
                "needed."
            ),
            search_aliases=["attention of an image", "real image", "attention map", "segment photo"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net model (SD1.5, SD2, SDXL or built like them)."),
                io.Conditioning.Input("positive", tooltip="A prompt that says what is in the image."),
                io.Latent.Input(
                    "latent", tooltip="The image, or several, from VAE Encode. A noise mask is ignored."
                ),
                io.Float.Input(
                    "percent",
                    display_name="noise level",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much noise is added, as the time in the viewer: 0 is next to none, 1 is pure "
                        "noise. It is 1 minus the percent of a sampler's schedule."
                    ),
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Which noise is added.",
                ),
                *recording_inputs(),
            ],
            outputs=[AttentionMaps.Output(display_name="maps", tooltip="The maps of this one look.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        latent: dict[str, Any],
        percent: float,
        seed: int,
        record: str,
        layers: str,
        self_max_tokens: int = 1024,
        heads: str = "mean",
        queries_and_keys: bool = False,
        memory_limit_mb: int = 2048,
    ) -> io.NodeOutput:
        recorder = make_recorder(
            model, record, layers, self_max_tokens, heads, queries_and_keys, memory_limit_mb, time_bins=1
        )
        Probe(positive, latent, percent, seed).run(model, recorder, cls.hidden.unique_id)
        if recorder.store.maps is None:
            raise ValueError(
                f"nothing was recorded at noise level {percent:g}: see that `positive` is in use there (it "
                "may be set to a part of the schedule or of the picture), and that `self_max_tokens` is not "
                "below the tokens of every layer. The log says more."
            )
        return io.NodeOutput(recorder.store)
