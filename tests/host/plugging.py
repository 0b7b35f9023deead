"""Plug-and-Play on tiny models: the node's outputs, and the authors' way of doing it."""

from collections.abc import Sequence
from typing import Any

import comfy.samplers
import torch
from attention_control.attention_patches.inversion.inversion import Inversion
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from comfy_api.latest import io
from torch import Tensor

from . import naive
from .specimen import SHALLOW, model
from .tiny import conditioning
from .transfers import sampled

DEFAULTS: dict[str, Any] = {
    "feature_until": 0.8,
    "attention_until": 0.5,
    "feature_layers": "auto",
    "attention_layers": "auto",
    "away_alpha": 1.0,
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


def authors_way(
    shape: str,
    guide: Inversion,
    *,
    features: int,
    attention: int,
    cfg: float = 4.0,
    under: Sequence[int] = (3,),
    away: float | None = None,
    patcher: Any = None,
) -> Tensor:
    """Guides, negative and positive as one batch, through DDIM in float64 but for the model: hooks on the
    convolution of a ResBlock and explicit attention give the last two rows what is the guide's, in so many of
    the steps. `under` are the seeds of the guide's prompts: one, or one for the negative and one for the
    positive. `away` is the alpha of a third row, under the prompt of seed 7, that is mixed into the negative.
    By the plain model, or `patcher`."""
    base, step, guides = patcher or model(shape), 0, len(under)
    seeds = [*under, *([] if away is None else [7]), 6, 5]
    whose = [*range(guides), *[0] * (len(seeds) - guides - 1), guides - 1]  # the row that each row takes from
    sampling = base.get_model_object("model_sampling")

    def injected(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = q.double(), k.double(), v.double()
        if step < attention:
            q, k = q[whose], k[whose]
        return torch.stack([naive.attend(*row) for row in zip(q, k, v, strict=True)])

    def hook(_module: Any, _inputs: Any, h: Tensor) -> Tensor | None:
        return h[whose] if step < features else None

    def walk(denoise: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        nonlocal step
        states = guide.states.to(x.device).double()
        levels, own = sigmas.to(x.device).double(), states[0]
        for step in range(len(levels) - 1):
            rest = [own] * (len(seeds) - guides)
            batch = torch.cat([states[step]] * guides + rest).float()
            out = denoise(batch, levels[step].float().expand(len(batch)), **extra_args).double()
            without, told = out[-2:-1], out[-1:]
            if away is not None:
                left = away * float(sampling.timestep(levels[step].float())) / 999
                without = left * without + (1 - left) * out[-3:-2]
            expected = without + cfg * (told - without)
            own = expected + (own - expected) * levels[step + 1] / levels[step]
        return own.float().expand(len(seeds), -1, -1, -1)

    block, places = authors_places(shape, base)
    patched = naive.replace_self_attention(base, injected, places)
    start = {"samples": torch.zeros(len(seeds), *guide.picture.shape[1:])}
    handle = block.out_layers[-1].register_forward_hook(hook)
    try:
        out = sampled((patched, comfy.samplers.KSAMPLER(walk), guide.sigmas, start), together(shape, seeds))
    finally:
        handle.remove()
    return out[:1]


def together(shape: str, seeds: Sequence[int]) -> Any:
    """The prompts of the rows of that batch as one conditioning."""
    vectors = [_vectors(shape, seed) for seed in seeds]
    text, pooled = (torch.cat(kind) for kind in zip(*vectors, strict=True))
    return [[text, {"pooled_output": pooled}]]


def _vectors(shape: str, seed: int) -> tuple[Tensor, Tensor]:
    ((text, more),) = words(shape, seed)
    return text, more["pooled_output"]


def authors_places(shape: str, patcher: Any) -> tuple[Any, list[tuple[str, int]]]:
    """The paper's ResBlock, and the blocks whose self-attention is injected, counted by hand."""
    number, injected = AUTHORS[shape]
    blocks = patcher.model.diffusion_model.output_blocks
    (block,) = (part for part in blocks[number] if isinstance(part, ResBlock))
    return block, [("output", n) for n in injected]


AUTHORS = {  # the tiny SDXL is not deep
    "sd15": (3, (3, 4, 5)),
    SHALLOW: (1, (1, 3)),
    "sdxl": (1, (1, 2, 3)),
}
