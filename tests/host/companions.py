"""What users put beside a method: the host's own nodes, and nodes as other packs write them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.hooks
import comfy.sd
import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance
from nodes import (
    ConditioningSetArea,
    ConditioningSetMask,
    ConditioningSetTimestepRange,
    ControlNetApplyAdvanced,
)
from torch import Tensor

from . import naive
from .specimen import blocks
from .tiny import conditioning
from .tiny.extras import tiny_controlnet, tiny_lora

Naive = Callable[[Tensor, Tensor, Tensor], Tensor]  # one chunk, (b, H, N, d) each
Prompts = tuple[Any, Any]
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def _everywhere(companion: "Companion", model: Any, method: Naive) -> Any:
    """The naive method in all self-attentions, then the companion: it may take blocks of its own."""
    return companion.on_model(naive.replace_self_attention(model, method, blocks(model)))


@dataclass(frozen=True, eq=False)
class Companion:
    """`expected`: the model that both together should equal. `report`: what the user must be told, None if
    nothing is left out. `how`: the run in which the companion has something to do."""

    name: str
    on_model: Callable[[Any], Any] = lambda model: model
    on_prompts: Callable[[Any, Prompts], Prompts] = lambda model, prompts: prompts
    expected: Callable[["Companion", Any, Naive], Any] = _everywhere
    report: str | None = None
    how: dict[str, Any] = field(default_factory=dict)


def _node(node: Any, *settings: Any) -> Callable[[Any], Any]:
    return lambda model: node.execute(model, *settings)[0]


def _lora(model: Any) -> Any:
    lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ATTENTION)
    return comfy.sd.load_lora_for_models(model, None, lora, 0.5, 0.0)[0]


def _lora_hook(model: Any, prompts: Prompts) -> Prompts:
    """A LoRA for the positive prompt only, so the host calls the model once for each of the two."""
    lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ATTENTION)
    hooks = comfy.hooks.create_hook_lora(lora, 0.5, 0.0)
    return [[text, {**further, "hooks": hooks}] for text, further in prompts[0]], prompts[1]


def controlnet(model: Any, prompts: Prompts) -> Prompts:
    hint = torch.rand(1, 48, 80, 3, generator=torch.Generator().manual_seed(1))
    return ControlNetApplyAdvanced().apply_controlnet(*prompts, tiny_controlnet(model), hint, 0.3, 0.0, 1.0)


def _area(model: Any, prompts: Prompts) -> Prompts:
    """A second prompt for the right half, in latent pixels x 8."""
    (inside,) = ConditioningSetArea().append(conditioning(model, seed=7), 40, 48, 40, 0, 1.0)
    return prompts[0] + inside, prompts[1]


def _mask(bounds: str) -> Callable[[Any, Prompts], Prompts]:
    def on_prompts(model: Any, prompts: Prompts) -> Prompts:
        mask = torch.zeros(1, 48, 80)
        mask[:, 16:, 40:] = 1.0
        (inside,) = ConditioningSetMask().append(conditioning(model, seed=7), mask, bounds, 1.0)
        return prompts[0] + inside, prompts[1]

    return on_prompts


def _late_prompt(model: Any, prompts: Prompts) -> Prompts:
    (late,) = ConditioningSetTimestepRange().set_range(conditioning(model, seed=7), 0.5, 1.0)
    return prompts[0] + late, prompts[1]


def override(model: Any, function: Callable[..., Tensor]) -> Any:
    """A node that takes the host's single place for an attention function."""
    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = function
    return clone


def fainter(
    func: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, *rest: Any, **kwargs: Any
) -> Tensor:
    """An attention function of another pack, with an effect that shows."""
    return func(q, k, 0.8 * v, *rest, **kwargs)


def _fainter_expected(companion: Companion, model: Any, method: Naive) -> Any:
    return override(
        naive.replace_self_attention(model, lambda *qkv: 0.8 * method(*qkv), blocks(model)), fainter
    )


def first_block(model: Any) -> tuple[str, int]:
    """The first block with attention."""
    return blocks(model)[0]


def replace_first_block(model: Any, hands_on: bool, kind: str = "attn1") -> Any:
    """A node that replaces one attention of a block by its own, on the host's attention function."""

    def replacement(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        passed = {"transformer_options": options} if hands_on else {}
        return 0.8 * optimized_attention(q, k, v, options["n_heads"], **passed)

    clone = model.clone()
    clone.set_model_patch_replace(replacement, kind, *first_block(model))
    return clone


def _hands_on_expected(companion: Companion, model: Any, method: Naive) -> Any:
    everywhere = naive.replace_self_attention(model, method, blocks(model))
    return naive.replace_self_attention(everywhere, lambda *qkv: 0.8 * method(*qkv), [first_block(model)])


def _hypertile(model: Any) -> Any:
    """Cut up the largest grid that has attention: the first input block and the last two output blocks."""
    halvings = first_block(model)[1] // 2
    return HyperTile.execute(model, 32, 2, halvings, False)[0]


def _outside_tiles(companion: Companion, model: Any, method: Naive) -> Any:
    outputs = [place for place in blocks(model) if place[0] == "output"]
    tiled = [first_block(model), *outputs[-2:]]
    untiled = [place for place in blocks(model) if place not in tiled]
    return companion.on_model(naive.replace_self_attention(model, method, untiled))


COMPANIONS = [
    Companion("PAG", _node(PerturbedAttentionGuidance, 3.0), report="middle 0.0 (self-attention)"),
    Companion("SAG", _node(SelfAttentionGuidance, 0.5, 2.0), report="middle 0.0 (self-attention)"),
    Companion("FreeU_V2", _node(FreeU_V2, 1.3, 1.4, 0.9, 0.2)),
    Companion(
        "HyperTile",
        _hypertile,
        expected=_outside_tiles,
        report="another patch has cut or merged the tokens",
        how={"height": 16, "width": 16},
    ),
    Companion("LoRA", _lora),
    Companion("LoRA hook on the positive prompt", on_prompts=_lora_hook),
    Companion("ControlNet", on_prompts=controlnet),
    Companion("area", on_prompts=_area),
    Companion("mask", on_prompts=_mask("default")),
    Companion("mask bounds", on_prompts=_mask("mask bounds")),
    Companion("late prompt", on_prompts=_late_prompt, how={"steps": 4}),
    Companion("override", lambda model: override(model, fainter), expected=_fainter_expected),
    Companion(
        "replacement that hands the options on",
        lambda model: replace_first_block(model, hands_on=True),
        expected=_hands_on_expected,
    ),
    Companion(
        "replacement of a cross-attention",
        lambda model: replace_first_block(model, hands_on=False, kind="attn2"),
    ),
    Companion(
        "replacement that keeps the options",
        lambda model: replace_first_block(model, hands_on=False),
        report="Left to another patch: input 1.0 (self-attention); another patch computes the attention",
    ),
]
