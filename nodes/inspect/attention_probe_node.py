"""AttentionProbe: what a model attends to in an existing image, without sampling."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.maps.recorded import MapStore
from ..host.walks.probe import Probe
from ..inputs.model_inputs import model_input
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import seed_input
from ..inversion.inversion_type import InversionSocket
from .recorded.attention_maps_type import AttentionMapsSocket
from .recording_inputs import AUTO, make_recorder, recording_inputs


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
            is_output_node=True,
            **shows_report(),
            inputs=[
                model_input(),
                io.Conditioning.Input("positive", tooltip="A prompt that says what is in the image."),
                io.Float.Input(
                    "noise_level",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much noise is added, as the time in the viewer: 0 is next to none, 1 is pure "
                        "noise. It is 1 minus the percent of a sampler's schedule."
                    ),
                ),
                seed_input("Which noise is added."),
                *recording_inputs(),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="The image, or several, from VAE Encode. A noise mask is ignored.",
                ),
                InversionSocket.Input(
                    "inversion",
                    optional=True,
                    tooltip="In place of `latent`: the picture is looked at in the noise that leads to it.",
                ),
                InversionSocket.Input(
                    "other_inversion",
                    optional=True,
                    tooltip=(
                        "A second picture of the same size, for correspondence between the two; switch "
                        "`queries_and_keys` on."
                    ),
                ),
            ],
            outputs=[AttentionMapsSocket.Output(display_name="maps", tooltip="The maps of this one look.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        latent: dict[str, Any] | None = None,
        noise_level: float = 0.6,
        seed: int = 0,
        record: str = "both",
        layers: str = AUTO,
        self_max_tokens: int = 1024,
        heads: str = "mean",
        queries_and_keys: bool = False,
        memory_limit_mb: int = 2048,
        inversion: Inversion | None = None,
        other_inversion: Inversion | None = None,
    ) -> io.NodeOutput:
        images = _images(latent, inversion, other_inversion)
        recorder = make_recorder(
            MapStore(),
            model,
            record,
            layers,
            self_max_tokens,
            heads,
            queries_and_keys,
            memory_limit_mb,
            time_bins=1,
        )
        look = Probe(positive, images, noise_level, seed)
        if look.maps(model, recorder, cls.hidden.unique_id) is None:
            raise ValueError(
                f"nothing was recorded at noise_level {noise_level:g}: see that `positive` is in use there "
                "(it may be set to a part of the schedule or of the picture), and that `self_max_tokens` is "
                "not below the tokens of every layer. The log says more."
            )
        return io.NodeOutput(recorder.store)


def _images(
    latent: dict[str, Any] | None, inversion: Inversion | None, other: Inversion | None
) -> dict[str, Any] | list[Inversion]:
    """What to look at. Raises ValueError unless either a latent or an inversion is there."""
    inversions = [given for given in (inversion, other) if given is not None]
    if latent is not None and not inversions:
        return latent
    if latent is not None:
        raise ValueError("latent and an inversion are both connected, and one look takes one of them")
    if inversion is None:
        raise ValueError("nothing to look at: connect `latent`, or `inversion`")
    return inversions
