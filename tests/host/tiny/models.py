"""Tiny U-Nets of the SD1.5, SD2 and SDXL shapes, in the host's own model and patcher classes."""

from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch
from comfy.model_base import ModelType

from .weights import fill_randomly

SHAPES = ("sd15", "sd2", "sdxl")

_FAMILY: dict[str, dict[str, Any]] = {
    "sd15": {"context_dim": 48, "use_linear_in_transformer": False},
    "sd2": {"context_dim": 64, "use_linear_in_transformer": True},
    "sdxl": {"context_dim": 80, "use_linear_in_transformer": True, "num_classes": "sequential"},
}
_HEADS: dict[str, dict[str, Any]] = {
    "sd15": {"num_heads": 8, "num_head_channels": -1},
    "sd2": {"num_heads": -1, "num_head_channels": 16, "attn_precision": torch.float32},
    "sdxl": {"num_heads": -1, "num_head_channels": 16},
}
POOLED = 32  # width of the pooled text vector
_SDXL_SIZES = 6 * 256  # SDXL appends six embedded numbers (original size, crop, target size)

_SD1_REAL = {"mult": [1, 2, 4, 4], "depth": [1] * 6 + [0] * 2, "output": [1] * 9 + [0] * 3, "middle": 1}

# depth: transformer blocks per residual block, first level first (0: no attention there).
LAYOUTS: dict[tuple[str, str], dict[str, Any]] = {
    ("sd15", "small"): {"mult": [1, 2, 2], "depth": [1, 1, 0], "output": [1, 1, 1, 1, 0, 0], "middle": 1},
    ("sd2", "small"): {"mult": [1, 2, 2], "depth": [1, 1, 0], "output": [1, 1, 1, 1, 0, 0], "middle": 1},
    ("sdxl", "small"): {"mult": [1, 2, 2], "depth": [0, 1, 2], "output": [0, 0, 1, 1, 2, 2], "middle": 2},
    ("sd15", "shallow"): {"mult": [1, 2], "depth": [1, 0], "output": [1, 0, 1, 0], "middle": 1},
    ("sdxl", "shallow"): {"mult": [1, 2], "depth": [0, 1], "output": [0, 0, 1, 1], "middle": 2},
    ("sd15", "flat"): {"mult": [1], "depth": [1], "output": [0, 0], "middle": 1},
    ("sd15", "real"): _SD1_REAL,
    ("sd2", "real"): _SD1_REAL,
    ("sdxl", "real"): {
        "mult": [1, 2, 4],
        "depth": [0, 0, 2, 2, 10, 10],
        "output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "middle": 10,
    },
}


def tiny_model(
    shape: str, seed: int = 0, dtype: torch.dtype = torch.float32, layout: str = "small"
) -> comfy.model_patcher.ModelPatcher:
    """A MODEL with random weights, deterministic by `seed`, made under inference mode as a loader would.

    shape: "sd15" (convolutional projections, 8 heads, eps), "sd2" (linear projections, heads of 16
    channels, attention in float32, v-prediction) or "sdxl" (pooled and size vectors, deep transformers).
    layout: "small" (three levels), "shallow" (two, with as little attention as tells input, middle and output
    apart), "flat" (one, for tests of samplers) or "real" (the 16, 16 or 70 blocks of the family, narrow).
    """
    config = _config(shape, layout)
    config.set_inference_dtype(dtype, None)
    with torch.inference_mode():
        model = _base_model(shape, config)
        fill_randomly(model.diffusion_model, seed)
    patcher = comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    patcher.cached_patcher_init = (tiny_model, (shape, seed, dtype, layout))
    return patcher


def _config(shape: str, layout: str) -> Any:
    plan = LAYOUTS[shape, layout]
    levels = len(plan["mult"])
    host_class = {
        "sd15": comfy.supported_models.SD15,
        "sd2": comfy.supported_models.SD20,
        "sdxl": comfy.supported_models.SDXL,
    }[shape]
    tiny_class = type(f"Tiny{host_class.__name__}", (host_class,), {"unet_extra_config": _HEADS[shape]})
    return tiny_class(
        {
            "image_size": 32,
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 32,
            "num_res_blocks": [len(plan["depth"]) // levels] * levels,
            "channel_mult": plan["mult"],
            "transformer_depth": plan["depth"],
            "transformer_depth_output": plan["output"],
            "transformer_depth_middle": plan["middle"],
            "use_spatial_transformer": True,
            "legacy": False,
            "use_temporal_attention": False,
            "use_temporal_resblock": False,
            "adm_in_channels": _SDXL_SIZES + POOLED if shape == "sdxl" else None,
            **_FAMILY[shape],
        }
    )


def _base_model(shape: str, config: Any) -> comfy.model_base.BaseModel:
    if shape == "sdxl":
        return comfy.model_base.SDXL(config, ModelType.EPS, device=torch.device("cpu"))
    kind = ModelType.V_PREDICTION if shape == "sd2" else ModelType.EPS
    return comfy.model_base.BaseModel(config, kind, device=torch.device("cpu"))
