"""What other packs do to a run, in few lines each: they cache blocks, add rows, sample with options or
functions of their own, give two vectors a token, and keep what was lent to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.samplers
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed, timestep_embedding
from comfy.patcher_extension import WrappersMP
from torch import Tensor


def neg_pip(patcher: Any, clip: Any) -> tuple[Any, Any]:
    """MODEL and CLIP with negative weights: each token has a vector for its key and one, with the sign of
    its weight, for its value, and every cross-attention takes them apart."""
    encoder = clip.patcher.model.clip_l

    def encode(pairs: list[list[tuple[int, float]]]) -> tuple[Tensor, Tensor]:
        plain = [[(token, abs(weight)) for token, weight in section] for section in pairs]
        keys, pooled = type(encoder).encode_token_weights(encoder, plain)
        signs = torch.tensor([-1.0 if weight < 0 else 1.0 for section in pairs for _, weight in section])
        return torch.stack([keys, keys * signs[:, None]], dim=2).flatten(1, 2), pooled

    model, text = patcher.clone(), clip.clone()
    text.patcher.add_object_patch("clip_l.encode_token_weights", encode)
    model.set_model_attn2_patch(lambda n, context, value, options: (n, context[:, 0::2], value[:, 1::2]))
    return model, text


def coupled(patcher: Any, other: Tensor) -> Any:
    """As Attention Couple does: in cross-attention the positive rows come once more for another text
    (1, T, C), and both results are averaged."""

    def add_rows(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> tuple[Tensor, ...]:
        chunks = options["cond_or_uncond"]
        parts = [x.chunk(len(chunks)) for x in (q, k, v)]
        positive = chunks.index(0)
        text = other.to(k).repeat(len(parts[1][positive]), k.shape[1] // other.shape[1], 1)
        return tuple(
            torch.cat([x, more]) for x, more in zip((q, k, v), (parts[0][positive], text, text), strict=True)
        )

    def put_together(out: Tensor, options: dict[str, Any]) -> Tensor:
        chunks = options["cond_or_uncond"]
        *parts, more = out.chunk(len(chunks) + 1)
        parts[chunks.index(0)] = (parts[chunks.index(0)] + more) / 2
        return torch.cat(parts)

    clone = patcher.clone()
    clone.set_model_attn2_patch(add_rows)
    clone.set_model_attn2_output_patch(put_together)
    return clone


def cached_after_the_first_block(patcher: Any) -> Any:
    """Every second step only the first block is computed; the rest adds what it added in the step before."""
    kept: dict[str, Any] = {"last": None, "cached": False}

    def diffusion_model(executor: Any, x: Tensor, t: Tensor, context: Any, *rest: Any, **named: Any) -> Any:
        unet, options = executor.class_obj, rest[2]
        if float(t[0]) != kept["last"]:
            kept["last"], kept["cached"] = float(t[0]), not kept["cached"]
        if kept["cached"]:
            return _whole(kept, executor, unet, x, t, context, *rest, **named)
        options["original_shape"], options["transformer_index"] = list(x.shape), 0
        h = x
        emb = unet.time_embed(timestep_embedding(t, unet.model_channels).to(x.dtype))
        for number in (0, 1):
            options["block"] = ("input", number)
            h = forward_timestep_embed(unet.input_blocks[number], h, emb, context, options)
        return unet.out(h + kept["residual"])

    clone = patcher.clone()
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "block cache", diffusion_model)
    return clone


def _whole(kept: dict[str, Any], executor: Any, unet: Any, *args: Any, **named: Any) -> Any:
    """The whole network, whose residual behind the first block is kept."""
    hooks = [  # the host calls a block's layers one by one: the last one's result is the block's
        unet.input_blocks[1][-1].register_forward_hook(lambda module, given, h: kept.update(first=h)),
        unet.out.register_forward_pre_hook(lambda module, given: kept.update(final=given[0])),
    ]
    try:
        out = executor(*args, **named)
    finally:
        for hook in hooks:
            hook.remove()
    kept["residual"] = kept["final"] - kept["first"]
    return out


class OwnOptions(comfy.samplers.CFGGuider):  # type: ignore[misc]
    """A guider that samples with the MODEL's options in place of the run's."""

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Any:
        return comfy.samplers.sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds.get("positive"),
            self.cfg,
            model_options=self.model_patcher.model_options,
            seed=seed,
        )


def sliding(patcher: Any, length: int) -> Any:
    """As AnimateDiff-Evolved does with context options: a sampling function of its own, in the host's place
    while a run lasts, tells its wrapper round the conditionings which `length` images they are for."""

    def sampling(
        model: Any, x: Tensor, t: Tensor, uncond: Any, cond: Any, scale: float, model_options: Any, seed: Any
    ) -> Any:
        told = {"ad_params": {"full_length": len(x), "sub_idxs": None}}
        further = {**model_options["transformer_options"], **told}
        options = {**model_options, "transformer_options": further}
        negative = None if scale == 1.0 else uncond
        both = comfy.samplers.calc_cond_batch(model, [cond, negative], x, t, options)
        return comfy.samplers.cfg_function(model, *both, scale, x, t, model_options=options, cond=cond)

    def outer_sample(executor: Any, *args: Any, **named: Any) -> Any:
        with patch.object(comfy.samplers, "sampling_function", sampling):
            return executor(*args, **named)

    def windows(executor: Any, model: Any, conds: Any, x: Tensor, t: Tensor, options: Any) -> list[Tensor]:
        told = options["transformer_options"]["ad_params"]
        if length >= len(x):
            whole: list[Tensor] = executor(model, conds, x, t, options)
            return whole
        out, counts = [torch.zeros_like(x) for _ in conds], torch.zeros(len(x), 1, 1, 1)
        for first in range(len(x) - length + 1):
            images = list(range(first, first + length))
            told["sub_idxs"] = images
            for total, part in zip(out, executor(model, conds, x[images], t[images], options), strict=True):
                total[images] += part
            counts[images] += 1
        return [total / counts for total in out]

    clone = patcher.clone()
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "sliding", outer_sample)
    clone.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "sliding", windows)
    return clone


@contextmanager
def keeping_options() -> Iterator[Callable[[], Any]]:
    """While open, a pack keeps the options of the last transformer block on a class, as layerdiffuse does for
    good; gives what is kept."""

    class Keeper:
        options: Any = None

    original = BasicTransformerBlock.forward

    def forward(block: Any, x: Tensor, context: Any = None, transformer_options: Any = None) -> Tensor:
        Keeper.options = transformer_options
        out: Tensor = original(block, x, context, transformer_options)
        return out

    with patch.object(BasicTransformerBlock, "forward", forward):
        yield partial(getattr, Keeper, "options")
