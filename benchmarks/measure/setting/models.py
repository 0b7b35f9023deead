"""The models that benchmarks run: the demo model, and a random one of real size."""

from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import torch
from comfy.model_base import ModelType

# The published U-Net of Stable Diffusion 1.5: 860 million parameters.
SD15 = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1] * 6 + [0] * 2,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "transformer_depth_middle": 1,
    "context_dim": 768,
    "use_linear_in_transformer": False,
    "adm_in_channels": None,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
}


def demo(rows: int = 4) -> tuple[Any, tuple[Any, Any]]:
    """Pocket Diffusion, and a positive and a negative conditioning for it."""
    from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
    from attention_control.nodes.host.text.prompt_batch import encode_rows

    with torch.inference_mode():
        model, clip, _ = LoadDemoModel.execute().args
        prompts = [f"a {word}" for word in ("cat", "dog", "rocket", "tree")][:rows]
        return model, (encode_rows(clip, prompts), encode_rows(clip, [""]))


def empty_latents(model: Any, images: int, height: int, width: int) -> torch.Tensor:
    """(images, channels, height, width) of zeros, with as many channels as the model has."""
    empty: torch.Tensor = comfy.sample.fix_empty_latent_channels(model, torch.zeros(images, 4, height, width))
    return empty


def noise(model: Any, height: int, width: int, seed: int) -> torch.Tensor:
    """(1, channels, height, width) of noise, the same for each seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(empty_latents(model, 1, height, width).shape, generator=generator)


# Its first level alone, where the grid is as fine as the latents: four transformers.
FIRST_LEVEL = {
    **SD15,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1] * 2,
    "num_heads": 8,
}


def random_sd15(sizes: dict[str, Any] = SD15) -> tuple[Any, tuple[Any, Any]]:
    """An SD1.5 of these sizes with random weights, and random conditionings."""
    config = comfy.supported_models.SD15(sizes)
    config.set_inference_dtype(torch.float32, None)
    device = comfy.model_management.get_torch_device()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        model = comfy.model_base.BaseModel(config, ModelType.EPS, device=torch.device("cpu"))
        for parameter in model.diffusion_model.parameters():
            spread = 0.02 if parameter.ndim > 1 else 0.0
            parameter.normal_(0.0 if spread else 1.0, spread, generator=generator)
    patcher = comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)
    prompts = [[[torch.randn(1, 77, 768, generator=generator), {}]] for _ in range(2)]
    return patcher, (prompts[0], prompts[1])
