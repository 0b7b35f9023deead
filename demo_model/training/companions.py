"""What users of larger models add to them, for the demo model: a ControlNet, a LoRA, an embedding.

- control: a ControlNet in the host's own class and file format, whose hint are edges as *Detect Edges
  (Canny)* draws them. It starts as the U-Net's encoder, as in the paper (Zhang et al., ICCV 2023), but in the
  middle it keeps the first ResBlock alone, which makes the file 3.6 MB instead of 5.
- lora: low-rank changes of the U-Net's attention, feed-forward layers and convolutions that bind a rare word
  to one drawing (DreamBooth, Ruiz et al., CVPR 2023, by LoRA), with other scenes beside it, so that the rest
  stays. Attention alone was too little for a shape that no other drawing has.
- embedding: vectors that stand for one word, to which another drawing is bound (textual inversion, Gal et
  al., ICLR 2023; the paper's have one vector, those for larger models mostly several).
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..world.toys import TOYS
from .frozen import Frozen, Shown

CANNY = (0.1, 0.3)  # thresholds of the edges
RANK = 8
VECTORS, APART = 8, 0.1  # of an embedding; deviations of all words' vectors
NO_TRANSFORMER = -1  # of the host: one ResBlock is all of the middle
CHANGED = (  # by the LoRA: endings of layers' names
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("in_layers.2", "out_layers.3"),
)


class Companion(Protocol):
    """Something that learns beside a frozen model."""

    file: ClassVar[str]  # under the folder that the host calls its kind
    rate: ClassVar[float]  # of learning, at most

    def learnt(self) -> Iterator[nn.Parameter]:
        """What is trained."""
        ...

    def error(self, shown: Shown) -> Tensor:
        """Of the model with it, on pictures."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What its file holds, under the host's names."""
        ...


class Control:
    """A ControlNet as the host loads it from its file."""

    file: ClassVar[str] = "controlnet/demo_edges.safetensors"
    rate: ClassVar[float] = 5e-4

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen
        self.network = _host_controlnet(frozen.unet).to(frozen.table.device).requires_grad_(True)

    def learnt(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()

    def error(self, shown: Shown) -> Tensor:
        return self.frozen.error(shown, self.frozen.context(shown.captions), self.network)

    def tensors(self) -> dict[str, Tensor]:
        return self.network.state_dict()


def _host_controlnet(unet: Any) -> nn.Module:
    """The network that the host makes of the U-Net's encoder and convolutions of zeros; by the tensors of its
    middle the host knows that it has no transformer."""
    import comfy.cldm.cldm
    import comfy.controlnet

    from .. import architecture

    own = unet.state_dict()
    sizes = architecture.unet(architecture.latent_channels(own), architecture.unet_width(own))
    del sizes["out_channels"]
    sizes["transformer_depth_middle"] = NO_TRANSFORMER
    plain = comfy.cldm.cldm.ControlNet(**sizes, num_heads=architecture.UNET_HEADS, hint_channels=3)
    state = plain.state_dict()
    for name, tensor in state.items():
        if name in own:
            state[name] = own[name].detach().clone()
        elif name.startswith(("zero_convs", "middle_block_out")):
            state[name] = torch.zeros_like(tensor)
        elif tensor.ndim > 1:
            state[name] = torch.randn_like(tensor) * math.sqrt(2 / tensor[0].numel())
        else:
            state[name] = torch.zeros_like(tensor)
    loaded = comfy.controlnet.load_controlnet_state_dict(state)
    network: nn.Module = loaded.control_model.float()
    return network


class Lora:
    """A LoRA on the U-Net's layers, in the host's generic names."""

    file: ClassVar[str] = "loras/demo_toy_lora.safetensors"
    rate: ClassVar[float] = 1e-3

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen
        self.pairs: dict[str, tuple[nn.Parameter, nn.Parameter]] = {}
        for name, layer in frozen.unet.named_modules():
            if name.endswith(CHANGED):
                weight = layer.weight  # (rows, columns), of a convolution with its height and width behind
                down = torch.randn(RANK, *weight.shape[1:]) / weight[0].numel() ** 0.5
                up = torch.zeros(len(weight), RANK, *(1 for _ in weight.shape[2:]))
                self.pairs[name] = (nn.Parameter(up.to(weight)), nn.Parameter(down.to(weight)))
                layer.register_forward_hook(_added(*self.pairs[name]))

    def learnt(self) -> Iterator[nn.Parameter]:
        for pair in self.pairs.values():
            yield from pair

    def error(self, shown: Shown) -> Tensor:
        return self.frozen.error(shown, self.frozen.context(shown.captions))

    def tensors(self) -> dict[str, Tensor]:
        found = {}
        for name, (up, down) in self.pairs.items():
            found[f"diffusion_model.{name}.lora_up.weight"] = up
            found[f"diffusion_model.{name}.lora_down.weight"] = down
        return found


def _added(up: Tensor, down: Tensor) -> Any:
    def hook(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        if isinstance(layer, nn.Conv2d):
            between = functional.conv2d(given[0], down, stride=layer.stride, padding=layer.padding)
            return out + functional.conv2d(between, up)
        return out + given[0] @ down.T @ up.T

    return hook


class Embedding:
    """Vectors that stand for one word, as the host reads them for `embedding:` in prompts. They start as the
    words for what the toy resembles, over and over (the paper's coarse descriptor), each a little apart."""

    file: ClassVar[str] = "embeddings/demo_toy.safetensors"
    rate: ClassVar[float] = 1e-2

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen
        words = frozen.table[frozen.tokens(TOYS["embedding"].like)[1:-1]]
        start = words.repeat(-(-VECTORS // len(words)), 1)[:VECTORS]
        self.vectors = nn.Parameter(start + APART * frozen.table.std(0) * torch.randn_like(start))

    def learnt(self) -> Iterator[nn.Parameter]:
        yield self.vectors

    def error(self, shown: Shown) -> Tensor:
        word = TOYS["embedding"].word
        return self.frozen.error(shown, self.frozen.context(shown.captions, word, self.vectors))

    def tensors(self) -> dict[str, Tensor]:
        return {"clip_l": self.vectors}


COMPANIONS: dict[str, Any] = {"control": Control, "lora": Lora, "embedding": Embedding}


def folder(state: Path) -> Path:
    """Where the files of companions go."""
    return state / "companions"
