"""ReconstructLatent: whether an inversion leads back to its picture."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.inversion.reconstruction import describe
from ..host.walks.distilled import distillation_remark
from ..host.walks.invert import Conditions, cache_remark, guidance_remark, reconstruct
from ..host.walks.latents import of_latent
from ..host.walks.model_identity import require_model
from ..inputs.sampling_inputs import cfg_input, percent_input
from .inversion_type import InversionSocket


class ReconstructLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReconstructLatent",
            display_name="Reconstruct Latent",
            category="attention control/inversion",
            description=(
                "Follows an inversion back to its picture and says how near it comes: look here first when "
                "something that is built on the inversion looks wrong."
            ),
            search_aliases=["inversion", "check inversion", "PSNR"],
            inputs=[
                io.Model.Input("model", tooltip="The model of the inversion, with the same LoRAs."),
                io.Conditioning.Input(
                    "positive", tooltip="The prompt of the inversion, for the same picture."
                ),
                InversionSocket.Input("inversion", tooltip="From Invert Latent or Load Inversion."),
                percent_input(
                    "start_percent",
                    0.0,
                    "Where to start, as a fraction of the noise schedule: 0 the noisiest state, later from a "
                    "state that holds more of the picture.",
                ),
                cfg_input("That of the inversion, for the same picture. Above 1 needs `negative`."),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="The negative prompt of the inversion; used if cfg is not 1.",
                ),
            ],
            outputs=[
                io.Latent.Output(tooltip="What the inversion leads to."),
                io.String.Output(
                    display_name="report",
                    tooltip="How near that is to the picture, and what to change if it is not.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        inversion: Inversion,
        start_percent: float,
        cfg: float,
        negative: Any = None,
    ) -> io.NodeOutput:
        conditions = Conditions(positive, negative, cfg)
        remark = require_model(inversion, model)
        samples = reconstruct(model, conditions, inversion, start_percent)
        found = of_latent(model, samples.float().cpu())
        loaded = [f"{remark[0].upper()}{remark[1:]}."] if remark else []
        report = describe(inversion, found, [*conditions.differences(inversion), *loaded])
        remarks = [guidance_remark(model), cache_remark(model)]
        remarks.append(distillation_remark(model, positive, inversion.method))
        return io.NodeOutput({"samples": samples}, " ".join(filter(None, [report, *remarks])))
