"""Blocks of Flux.1 with random weights, and a sampling run on them.

At full width (24 heads of 128 channels, 512 tokens of text) one double and one single block fit into the
memory of a small machine; a quick run takes narrow ones.
"""

from dataclasses import dataclass
from typing import Any

from measure.setting import host

host.start()

import comfy.model_base  # noqa: E402  the host is found only now
import comfy.model_management  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models  # noqa: E402
import torch  # noqa: E402

FLUX: dict[str, Any] = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
    "depth": 1,
    "depth_single_blocks": 1,
}
WIDE: dict[str, Any] = {
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "mlp_ratio": 4.0,
    "num_heads": 24,
}
NARROW: dict[str, Any] = {
    "vec_in_dim": 24,
    "context_in_dim": 40,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
}


@dataclass(frozen=True)
class Case:
    """A model, its prompt, and the run that is measured."""

    model: Any
    prompt: Any
    images: int
    size: int  # cells of a side
    text: int  # tokens

    @property
    def tokens(self) -> int:
        return (self.size // 2) ** 2

    def run(self, patched: Any) -> None:
        noise = torch.randn(self.images, 16, self.size, self.size, generator=torch.Generator().manual_seed(0))
        sampling = self.model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 1)
        euler = comfy.samplers.sampler_object("euler")
        with torch.inference_mode():
            given = (patched, noise, 1.0, euler, sigmas, self.prompt, [], torch.zeros_like(noise))
            comfy.sample.sample_custom(*given, disable_pbar=True)


def case(quick: bool) -> Case:
    """Random weights, small enough that all numbers stay finite; in float32 on a CPU."""
    width = {**NARROW, "axes_dim": [4, 14, 14]} if quick else {**WIDE, "axes_dim": [16, 56, 56]}
    config = comfy.supported_models.Flux({**FLUX, **width})
    device = comfy.model_management.get_torch_device()
    config.set_inference_dtype(torch.float32 if device.type == "cpu" else torch.bfloat16, None)
    with torch.inference_mode():
        model = comfy.model_base.Flux(config, device=torch.device("cpu"))
        draw = torch.Generator().manual_seed(0)
        for parameter in model.diffusion_model.parameters():
            parameter.normal_(0.0, parameter.shape[-1] ** -0.5, generator=draw)
    patcher = comfy.model_patcher.CoreModelPatcher(
        model, load_device=device, offload_device=torch.device("cpu")
    )
    text = 16 if quick else 512
    vectors = torch.randn(1, text, int(width["context_in_dim"]), generator=draw)
    pooled = torch.randn(1, int(width["vec_in_dim"]), generator=draw)
    return Case(patcher, [[vectors, {"pooled_output": pooled}]], 2, 8 if quick else 64, text)
