"""Small companions of the tiny models: LoRAs and ControlNets."""

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

from .weights import fill_randomly


def tiny_lora(
    module: nn.Module, prefix: str, layers: tuple[str, ...], seed: int = 0
) -> dict[str, torch.Tensor]:
    """A LoRA of rank 2 in the host's generic keys, for every layer whose name ends with one of `layers`.

    prefix: "diffusion_model." for a U-Net, "text_encoders." for the `cond_stage_model` of a CLIP.
    """
    generator = torch.Generator().manual_seed(seed)
    lora = {}
    for name, weight in module.state_dict().items():
        layer = name.removesuffix(".weight")
        if layer != name and layer.endswith(layers):
            rows, columns = weight.shape[0], weight[0].numel()
            lora[f"{prefix}{layer}.lora_up.weight"] = torch.randn(rows, 2, generator=generator) / columns**0.5
            lora[f"{prefix}{layer}.lora_down.weight"] = torch.randn(2, columns, generator=generator)
    return lora


def tiny_controlnet(model: ModelPatcher, seed: int = 0) -> comfy.controlnet.ControlNet:
    """A random CONTROL_NET with the blocks and widths of a tiny model; its hint is an RGB image."""
    config = {**model.model.model_config.unet_config}
    del config["out_channels"]
    with torch.inference_mode():
        network = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, device=torch.device("cpu"))
        fill_randomly(network, seed)
    device = comfy.model_management.get_torch_device()
    return comfy.controlnet.ControlNet(network.eval(), load_device=device)
