"""InvertLatent: the noise that leads a model to a given picture."""

from typing import Any, get_args

import comfy.samplers
from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.inversion.inversion import InversionMethod, check_sigmas
from ..host.exchange import handed_on
from ..host.walks.invert import Conditions, invert
from ..inputs.model_inputs import model_input
from ..inputs.sampling_inputs import cfg_input, seed_input
from .inversion_type import InversionSocket


class InvertLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InvertLatent",
            display_name="Invert Latent",
            category="attention control/inversion",
            description=(
                "Finds the noise from which the model makes your picture, so that a picture of your own can "
                "be used as if the model had made it: as a style reference, for its structure or its "
                "appearance. Check it with Reconstruct Latent."
            ),
            search_aliases=["inversion", "DDIM inversion", "edit friendly", "real image", "unsampler"],
            inputs=[
                model_input(),
                io.Conditioning.Input("positive", tooltip="A prompt that says what is in the picture."),
                io.Latent.Input(
                    "latent", tooltip="The picture, or several, from VAE Encode. A noise mask is ignored."
                ),
                io.Combo.Input(
                    "method",
                    options=list(get_args(InversionMethod)),
                    default="edit friendly ddpm",
                    tooltip=(
                        "edit friendly ddpm: keeps the noise of every step, so the picture comes back "
                        "exactly at any cfg and number of steps. ddim: a single noise, from which any "
                        "sampler without noise of its own comes near the picture; needs cfg near 1 and many "
                        "steps. On flow models (Flux, ...) it is Euler. rf-solver: as ddim, in second order: "
                        "twice the time for a step, and much nearer; meant for flow models."
                    ),
                ),
                io.Combo.Input(
                    "scheduler",
                    options=list(comfy.samplers.SCHEDULER_NAMES),
                    default="ddim_uniform",
                    tooltip="Where the steps lie; not used if `sigmas` is connected. Papers: ddim_uniform.",
                ),
                io.Int.Input(
                    "steps",
                    default=50,
                    min=1,
                    max=1000,
                    tooltip=(
                        "Each costs as much as a sampling step; not used if `sigmas` is connected. Papers: "
                        "50 for ddim, 100 for edit friendly ddpm."
                    ),
                ),
                cfg_input(
                    "Above 1 needs `negative` and doubles the time; ddim and rf-solver then miss the "
                    "picture. Papers: 1 for ddim and rf-solver, 3.5 for edit friendly ddpm."
                ),
                seed_input("Which noise edit friendly ddpm draws; the others draw none."),
                io.Conditioning.Input(
                    "negative", optional=True, tooltip="A negative prompt; used if cfg is not 1."
                ),
                io.Sigmas.Input(
                    "sigmas",
                    optional=True,
                    tooltip=(
                        "A schedule that falls to 0, in place of `scheduler` and `steps`: all of it, or its "
                        "low part for an inversion up to that noise only. In flow models 0.9999 takes the "
                        "place of 1, so that the state can be given to a sampler."
                    ),
                ),
            ],
            outputs=[
                InversionSocket.Output(
                    display_name="inversion",
                    tooltip="All noisy states of the picture, and the noise of each step.",
                ),
                io.Latent.Output(
                    display_name="noisiest",
                    tooltip=(
                        "Where the walk ended. After ddim or rf-solver: give it to a sampler with add_noise "
                        "off, euler, and these sigmas, to get the picture or a variant of it."
                    ),
                ),
                io.Sigmas.Output(display_name="sigmas", tooltip="The schedule of the walk, falling to 0."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        latent: dict[str, Any],
        method: InversionMethod,
        scheduler: str,
        steps: int,
        cfg: float,
        seed: int,
        negative: Any = None,
        sigmas: Tensor | None = None,
    ) -> io.NodeOutput:
        if sigmas is None:
            sampling = model.get_model_object("model_sampling")
            sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, steps)
        sigmas = sigmas.float().cpu().clone()  # samplers may write into those of another node
        check_sigmas(sigmas)
        inversion, noisiest = invert(model, Conditions(positive, negative, cfg), latent, sigmas, method, seed)
        numbers = {key: value for key, value in latent.items() if key == "batch_index"}
        return io.NodeOutput(inversion, {**numbers, "samples": handed_on(noisiest)}, inversion.levels())
