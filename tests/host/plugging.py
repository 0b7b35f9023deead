"""Plug-and-Play on tiny models: the node's outputs, and the authors' way of doing it."""

from typing import Any

import comfy.samplers
import torch
from attention_control.attention_patches.inversion.inversion import Inversion
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from attention_control.nodes.host.families import family_of
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from comfy_api.latest import io
from torch import Tensor

from . import naive
from .methods import model
from .tiny import conditioning
from .transfers import sampled

DEFAULTS: dict[str, Any] = {
    "feature_until": 0.8,
    "attention_until": 0.5,
    "feature_layers": "auto",
    "attention_layers": "auto",
}


def words(shape: str, seed: int, rows: int = 1) -> Any:
    return conditioning(model(shape), rows, seed=seed)


def empty(shape: str) -> Any:
    """The prompt of the guide."""
    return words(shape, 3)


def plugged(shape: str, guide: Inversion, patcher: Any = None, rows: int = 1, **settings: Any) -> Any:
    """The node's outputs, as the server calls it; its LATENT repeated to so many rows."""
    node = PlugAndPlay.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    made = node.execute(patcher or model(shape), guide, **{**DEFAULTS, **settings}).args
    return (*made[:3], {"samples": made[3]["samples"].repeat(rows, 1, 1, 1)})


def authors_way(shape: str, guide: Inversion, *, features: int, attention: int, cfg: float = 4.0) -> Tensor:
    """Guide under its prompt, negative and positive as one batch of three, through DDIM in float64 but for
    the model: hooks on the convolution of a ResBlock and explicit attention give the rows behind the guide
    what is the guide's, in so many of the steps."""
    patcher = model(shape)
    step = 0

    def injected(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = q.double(), k.double(), v.double()
        if step < attention:
            q, k = q[:1].expand_as(q), k[:1].expand_as(k)
        return torch.stack([naive.attend(*row) for row in zip(q, k, v, strict=True)])

    def hook(_module: Any, _inputs: Any, h: Tensor) -> Tensor | None:
        return h[:1].expand_as(h).clone() if step < features else None

    (block,), places = authors_places(shape)
    texts = [empty(shape), words(shape, 6), words(shape, 5)]
    joined = [[torch.cat([text[0][0] for text in texts]), {}]]
    joined[0][1]["pooled_output"] = torch.cat([text[0][1]["pooled_output"] for text in texts])

    def walk(denoise: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        nonlocal step
        levels, own = sigmas.double(), guide.states[0].double()
        for step in range(len(levels) - 1):
            batch = torch.cat([guide.states[step].double(), own, own]).float()
            _, without, told = denoise(batch, levels[step].float().expand(3), **extra_args).double()
            expected = without + cfg * (told - without)
            own = expected + (own - expected) * levels[step + 1] / levels[step]
        return own.float().expand(3, -1, -1, -1)

    patched = naive.replace_attention(patcher, ("self",), lambda q, k, v, _where: injected(q, k, v), places)
    handle = block.out_layers[-1].register_forward_hook(hook)
    start = {"samples": torch.zeros(3, *guide.picture.shape[1:])}
    try:
        out = sampled((patched, comfy.samplers.KSAMPLER(walk), guide.sigmas, start), joined)
    finally:
        handle.remove()
    return out[:1]


def authors_places(shape: str) -> tuple[list[Any], list[tuple[str, int]]]:
    """The ResBlock of the paper (on SDXL of Ctrl-X), and the blocks whose self-attention is injected, counted
    from the shape by hand."""
    blocks = model(shape).model.diffusion_model.output_blocks
    number, last = AUTHORS[shape]
    (block,) = (part for part in blocks[number] if isinstance(part, ResBlock))
    with_attention = sorted({(x.block, x.number) for x in family_of(model(shape)).layer_map().layers})
    return [block], [(b, n) for b, n in with_attention if b == "output" and number <= n <= last]


AUTHORS = {"sd15": (3, 5), "sd2": (3, 5), "sdxl": (1, 3)}  # the tiny one is not deep
