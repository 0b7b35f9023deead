"""Tiny models whose weights lie in eight bits, in the host's own operations, and what these weights mean."""

import json
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from comfy.quant_ops import QuantizedTensor
from torch import Tensor

from .models import _base_model, _config, tiny_model
from .weights import fill_randomly

LARGEST = {"float8_e4m3fn": 448.0, "int8_tensorwise": 127.0}
STORED = {"float8_e4m3fn": torch.float8_e4m3fn, "int8_tensorwise": torch.int8}
QUANTISED = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")


def _patcher(model: Any) -> comfy.model_patcher.ModelPatcher:
    return comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def cast_model(shape: str, dtype: torch.dtype) -> comfy.model_patcher.ModelPatcher:
    """All weights in `dtype`, computed in float32: the host's `manual_cast`, as for fp8 checkpoints."""
    config = _config(shape, "small")
    config.set_inference_dtype(dtype, torch.float32)
    with torch.inference_mode():
        model = _base_model(shape, config)
        fill_randomly(model.diffusion_model, 0)
    return _patcher(model)


def scaled_model(shape: str, kind: str) -> comfy.model_patcher.ModelPatcher:
    """The transformers' weights in a format of the host's mixed precision, each with a scale of its own."""
    config = _config(shape, "small")
    config.set_inference_dtype(torch.float32, torch.float32)
    config.quant_config = {"mixed_ops": True}
    with torch.inference_mode():
        model = _base_model(shape, config)
        plain = tiny_model(shape).model.diffusion_model.state_dict()
        missing, unexpected = model.diffusion_model.load_state_dict(_scaled(plain, kind), strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    return _patcher(model)


def _scaled(plain: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    found = {}
    note = torch.tensor(list(json.dumps({"format": kind}).encode()), dtype=torch.uint8)
    for name, weight in plain.items():
        layer = name.removesuffix(".weight")
        if layer == name or not layer.endswith(QUANTISED):
            found[name] = weight
            continue
        scale = weight.abs().max() / LARGEST[kind]
        stored = weight / scale
        found[name] = (stored if STORED[kind].is_floating_point else stored.round()).to(STORED[kind])
        found[f"{layer}.weight_scale"] = scale.float()
        found[f"{layer}.comfy_quant"] = note
    return found


def in_full(model: comfy.model_patcher.ModelPatcher, shape: str) -> comfy.model_patcher.ModelPatcher:
    """The same weights in float64."""
    full = tiny_model(shape, dtype=torch.float64)
    with torch.inference_mode():
        own = dict(model.model.diffusion_model.named_parameters())
        for name, parameter in full.model.diffusion_model.named_parameters():
            weight = own[name].data
            plain = weight.dequantize() if isinstance(weight, QuantizedTensor) else weight
            parameter.copy_(plain.to(torch.float64))
    return full
