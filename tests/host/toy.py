"""A second family: a network of two blocks whose tokens are its cells, and what the adapter asks about it."""

from functools import partial
from typing import Any, ClassVar

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import torch
from attention_control.attention_patches.contract.layers.layer import Layer, LayerPlace
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.nodes.host.families.family import Family
from comfy.ldm.modules.attention import optimized_attention
from torch import nn

from .tiny.models import ModelType, _config
from .tiny.weights import fill_randomly

HEADS, WIDTH, BLOCKS = 2, 8, 2


class ToyNetwork(nn.Module):
    """Latents (B, 4, h, w) through self- and cross-attention of one token a cell."""

    def __init__(self, context_dim: int, operations: Any, device: Any = None, **_: Any) -> None:
        super().__init__()
        self.dtype = torch.float32
        wide = HEADS * WIDTH
        make = partial(operations.Linear, device=device, dtype=torch.float32)
        self.first, self.last = make(4, wide), make(wide, 4)
        self.own = nn.ModuleList([make(wide, 3 * wide) for _ in range(BLOCKS)])
        self.ask = nn.ModuleList([make(wide, wide) for _ in range(BLOCKS)])
        self.words = nn.ModuleList([make(context_dim, 2 * wide) for _ in range(BLOCKS)])

    def forward(self, x: Any, timesteps: Any, context: Any, control: Any = None, **named: Any) -> Any:
        options = {**named["transformer_options"], "toy_grid": tuple(x.shape[-2:]), "n_heads": HEADS}
        h = self.first(x.flatten(2).transpose(1, 2))
        for number in range(BLOCKS):
            options["toy_block"] = number
            h = h + self.attend("self", options, *self.own[number](h).chunk(3, -1))
            h = h + self.attend(
                "cross", options, self.ask[number](h), *self.words[number](context).chunk(2, -1)
            )
        return self.last(h).transpose(1, 2).unflatten(2, x.shape[-2:])

    def attend(self, kind: str, options: dict[str, Any], q: Any, k: Any, v: Any) -> Any:
        for tell in options.get("patches", {}).get("toy_attention", ()):
            tell(kind, q, k, options)
        return optimized_attention(q, k, v, HEADS, transformer_options=options)


class Toy(Family):
    """Knows nothing of U-Nets."""

    name: ClassVar[str] = "toy"
    models: ClassVar[str] = "toys"

    @staticmethod
    def fits(network: Any) -> bool:
        return isinstance(network, ToyNetwork)

    def layer_map(self) -> LayerMap:
        return LayerMap(self.name, tuple(Layer(n + 1, BLOCKS, "block", n, None) for n in range(BLOCKS)))

    def layer_sizes(self, latent: tuple[int, int]) -> dict[int, LayerSize]:
        return {n + 1: LayerSize(latent, HEADS, WIDTH) for n in range(BLOCKS)}

    def marks(self, enter: Any) -> dict[str, Any]:
        return {"toy_attention": enter}

    def place(self, options: dict[str, Any]) -> LayerPlace:
        return ("block", options["toy_block"], None)

    def grid(self, options: dict[str, Any]) -> tuple[int, int]:
        grid: tuple[int, int] = options["toy_grid"]
        return grid

    def token_slices(self, kind: Any, keys: int) -> tuple[slice, slice]:
        return (slice(0, keys), slice(0)) if kind == "self" else (slice(0), slice(0, keys))


def toy_model() -> Any:
    """A MODEL with random weights."""
    config = _config("sd15", "small")
    config.set_inference_dtype(torch.float32, None)
    with torch.inference_mode():
        cpu = torch.device("cpu")
        model = comfy.model_base.BaseModel(config, ModelType.EPS, device=cpu, unet_model=ToyNetwork)
        fill_randomly(model.diffusion_model, 0)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)
