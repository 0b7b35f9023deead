"""Small companions of the tiny models: LoRAs."""

import torch
from torch import nn


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
