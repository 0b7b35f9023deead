"""Ways to show one picture in the appearance of another, each as one run of the host on a batch of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import torch
from attention_control.attention_patches.inversion.inversion import Inversion
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.host.walks.invert import Conditions, invert
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention
from comfy_api.latest import io
from torch import Tensor

from measure.appearance.pairs import Pair

PROMPT = "a {}"  # the paper's "A photo of a {domain}" in the words of the demo model
SETTINGS: dict[str, Any] = {
    x.id: x.default
    for x in CrossImageAttention.define_schema().inputs
    if getattr(x, "default", None) is not None
}


@dataclass(frozen=True)
class Bench:
    """Some pairs on a model, encoded and inverted."""

    demo: Any  # MODEL, CLIP, VAE
    pairs: Sequence[Pair]
    steps: int
    prompts: Any  # for structure, appearance and output
    latents: Tensor  # (B, 4, h, w), the structures
    structure: Inversion
    appearance: Inversion

    @classmethod
    def of(cls, demo: Any, pairs: Sequence[Pair], steps: int) -> "Bench":
        model, clip, vae = demo
        prompts = encode_rows(clip, [PROMPT.format(pair.structure.subject.noun) for pair in pairs])
        sampling = model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", steps)
        latents, appearances = (
            vae.encode(torch.stack([getattr(pair, which).image for pair in pairs]))
            for which in ("structure", "appearance")
        )
        conditions = Conditions(prompts, None, 1.0)
        one, other = (
            invert(model, conditions, {"samples": x}, sigmas, "edit friendly ddpm", seed)[0]
            for seed, x in enumerate((latents, appearances))
        )
        return cls(demo, pairs, steps, prompts, latents, one, other)

    def transfer(self, **settings: Any) -> Tensor:
        """Pictures (B, H, W, 3) from the node CrossImageAttention, masks as they truly are."""
        model, _, vae = self.demo
        node = CrossImageAttention.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: None}})
        how = {**SETTINGS, **self._masks(), **settings}
        patched, sampler, sigmas, latent = node.execute(model, self.structure, self.appearance, **how).args
        samples = comfy.sample.sample_custom(
            patched,
            torch.zeros_like(latent["samples"]),
            1.0,
            sampler,
            sigmas,
            self.prompts,
            [],
            latent["samples"],
            disable_pbar=True,
            seed=0,
        )
        out: Tensor = vae.decode(samples)
        return out

    def img2img(self, prompts: Sequence[str], percent: float) -> Tensor:
        """Pictures from the host's sampler, the structure given noise up to a point of the schedule."""
        model, clip, vae = self.demo
        sampling = model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", self.steps)
        first = self.structure.first_step(float(sampling.percent_to_sigma(percent)))
        samples = comfy.sample.sample_custom(
            model,
            comfy.sample.prepare_noise(self.latents, 0),
            3.0,
            comfy.samplers.sampler_object("euler"),
            sigmas[first:],
            encode_rows(clip, list(prompts)),
            encode_rows(clip, [""]),
            self.latents,
            disable_pbar=True,
            seed=0,
        )
        out: Tensor = vae.decode(samples)
        return out

    def _masks(self) -> dict[str, Tensor]:
        return {
            f"{which}_mask": torch.stack([getattr(pair, which).mask for pair in self.pairs]).float()
            for which in ("structure", "appearance")
        }
