"""A random U-Net of full SD1.5 size."""

from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import torch
from comfy.model_base import ModelType

from .tiny import models
from .tiny.weights import fill_randomly

FULL = "sd15 full"


def full_model() -> Any:
    """A MODEL of 860 million random parameters in the layout of SD1.5, float32."""
    config = models._config("sd15", "real")
    config.unet_config.update(model_channels=320, context_dim=768)
    config.set_inference_dtype(torch.float32, None)
    with torch.inference_mode():
        model = comfy.model_base.BaseModel(config, ModelType.EPS, device=torch.device("cpu"))
        fill_randomly(model.diffusion_model, seed=0, alike=True)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)
