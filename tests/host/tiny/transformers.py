"""Tiny transformers for text and picture, in the host's own classes, and sampling with them."""

from functools import cache
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch
from torch import Tensor

from .sampling import Conditioning, sample
from .transformer_shapes import LLAMA, TOKENS, TRANSFORMERS
from .weights import fill_randomly


@cache
def transformer(kind: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    """A MODEL with random weights by seed; one of each kind for all tests."""
    shape = TRANSFORMERS[kind]
    of_none = ("vec_in_dim", "vision_in_dim")
    numbers = {key: value for key, value in shape.numbers.items() if value is not None or key in of_none}
    config = getattr(comfy.supported_models, shape.config)({**numbers})
    config.set_inference_dtype(dtype, None)
    with torch.inference_mode():
        model = getattr(comfy.model_base, shape.model)(config, *shape.further, device=torch.device("cpu"))
        network = model.diffusion_model
        fill_randomly(network, seed)
        for name, parameter in network.named_parameters():
            if name.endswith(".scale") and kind == "krea2":
                parameter.sub_(parameter.mean())  # the host adds 1
        for buffer in network.buffers():
            if buffer.ndim == 3 and buffer.shape[0] == 1:  # SD3's table of positions, which a loader fills
                buffer.normal_(0.0, 0.5, generator=torch.Generator().manual_seed(1))
    return comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def spoken(kind: str, rows: int = 1, tokens: int = TOKENS, seed: int = 0) -> Conditioning:
    """Random CONDITIONING; row r depends on `seed` and r only."""
    shape = TRANSFORMERS[kind]
    generators = [torch.Generator().manual_seed(1000 * seed + row) for row in range(rows)]
    text = torch.stack([torch.randn(tokens, shape.width, generator=g) for g in generators])
    pooled = torch.stack([torch.randn(24, generator=g) for g in generators])
    told = {"pooled_output": pooled, **shape.told}
    if shape.llama:
        told["conditioning_llama3"] = torch.stack(
            [torch.randn(2, LLAMA, 40, generator=g) for g in generators]
        )
    return [[text, told]]


def frames(kind: str) -> tuple[int, ...]:
    """What stands between the channels and the sides of a latent."""
    return (1,) if TRANSFORMERS[kind].frames else ()


def painted(patched: Any, kind: str, **how: Any) -> Tensor:
    """Latents of one run of two steps: three images of 7 x 12 cells, whose sides are odd and of two kinds."""
    shape = TRANSFORMERS[kind]
    batch, height, width = how.pop("batch", 3), how.pop("height", 7), how.pop("width", 12)
    positive, negative = how.pop("prompts", None) or (spoken(kind, seed=1), spoken(kind, seed=2))
    latent = how.pop("latent", None)
    if latent is None:
        latent = torch.zeros(batch, shape.channels, *frames(kind), height, width)
    return sample(patched, positive, negative, **{"scheduler": "simple", "cfg": 4.0, "latent": latent, **how})
