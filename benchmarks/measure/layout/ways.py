"""The ways to put subjects into boxes, each as one run of the host on a batch of prompts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import comfy.sample
import torch
from attention_control.attention_patches.contract.method import Method
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.demo_model.world import BACKGROUNDS
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.layout.layout_inputs import LayoutInputs
from nodes import ConditioningCombine, ConditioningSetAreaPercentage, ConditioningSetMask
from torch import Tensor

from measure.layout.prompts import SIZE, Ask
from measure.setting.models import empty_latents

STRENGTH, SCALE = (20.0, 8.0), 30.0
GUIDED = 0.6  # percent: latents are 16 x 16 here, so shapes form at lower noise than in SD1.5's 64 x 64
CFG, SAMPLER, SCHEDULER = 3.0, "euler_ancestral", "normal"
Way = Callable[[Any, Sequence[Ask]], tuple[Any, Any]]
"""(MODEL, CLIP, VAE) and asks -> the model to sample with and its positive conditioning."""


def read(clip: Any, ask: Ask) -> Layout:
    return LayoutInputs(boxes=ask.lines, width=SIZE, height=SIZE).read(clip, ask.text)


def batches(clip: Any, asked: Sequence[Ask]) -> list[list[int]]:
    """Which of the prompts can be sampled in one batch: those whose other words stand at the same tokens."""
    found: dict[Any, list[int]] = {}
    for number, layout in enumerate(read(clip, ask) for ask in asked):
        found.setdefault((layout.fillers, layout.ends), []).append(number)
    return list(found.values())


def layout_of(clip: Any, asked: Sequence[Ask]) -> Layout:
    """One layout for a batch of prompts; raises ValueError unless `batches` puts them into one."""
    if len(batches(clip, asked)) > 1:
        raise ValueError("the prompts of a batch have their words at different tokens")
    found = [read(clip, ask) for ask in asked]
    return replace(found[0], images=tuple(one.images[0] for one in found))


def plain(demo: Any, asked: Sequence[Ask]) -> tuple[Any, Any]:
    return demo[0], encode_rows(demo[1], [ask.text for ask in asked])


def patched(make: Callable[[Any, Layout], Method]) -> Way:
    """Sampling under a method that is made for the model's layers and the layout."""

    def way(demo: Any, asked: Sequence[Ask]) -> tuple[Any, Any]:
        model, positive = plain(demo, asked)
        layers = family_of(model).layer_map().parse("all")
        return install(model, make(layers, layout_of(demo[1], asked))), positive

    return way


def bounded(**settings: Any) -> Way:
    return patched(lambda layers, layout: BoundedAttention(layers=layers, layout=layout, **settings))


def layout_guidance(**settings: Any) -> Way:
    return patched(lambda _, layout: LayoutGuidance(layout=layout, **settings))


def masks_combined(strength: float = 1.0) -> Way:
    """The host's regions: the whole prompt, and each subject's own in its mask."""

    def way(demo: Any, asked: Sequence[Ask]) -> tuple[Any, Any]:
        model, positive = plain(demo, asked)
        for number in range(len(asked[0].wanted)):
            masks = torch.zeros(len(asked), SIZE, SIZE)
            for mask, ask in zip(masks, asked, strict=True):
                x, y, r, b = ask.wanted[number].box
                mask[y:b, x:r] = 1
            own = encode_rows(demo[1], [alone(ask, number) for ask in asked])
            (own,) = ConditioningSetMask().append(own, masks, "default", strength)
            (positive,) = ConditioningCombine().combine(positive, own)
        return model, positive

    return way


def areas_combined(strength: float = 1.0, background_only: bool = False) -> Way:
    """The host's regions: the whole prompt, and each subject's own in its area, which is sampled apart.
    Areas are the same for all rows of a batch, so this takes one prompt."""

    def way(demo: Any, asked: Sequence[Ask]) -> tuple[Any, Any]:
        (ask,) = asked
        model, positive = plain(demo, asked)
        if background_only:
            positive = encode_rows(demo[1], [BACKGROUNDS[ask.background]])
        for number, wanted in enumerate(ask.wanted):
            x, y, r, b = (side / SIZE for side in wanted.box)
            own = encode_rows(demo[1], [alone(ask, number)])
            (own,) = ConditioningSetAreaPercentage().append(own, r - x, b - y, x, y, strength)
            (positive,) = ConditioningCombine().combine(positive, own)
        return model, positive

    return way


def alone(ask: Ask, number: int) -> str:
    """The prompt of one subject by itself."""
    wanted = ask.wanted[number]
    return f"a {wanted.colour} {wanted.noun} {BACKGROUNDS[ask.background]}"


def ways(iterations: int = 5) -> dict[str, Way]:
    """By name; the guided ones with so many iterations in a step."""
    effort = Effort(GUIDED, iterations)
    guidance = BoundedGuidance(effort=effort, step_sizes=STRENGTH)
    return {
        "plain": plain,
        "host: areas": areas_combined(),
        "host: masks": masks_combined(),
        "Layout Guidance": layout_guidance(loss_scale=SCALE, effort=effort),
        "bounds alone": bounded(refine_from=1.0),
        "without refinement": bounded(refine_from=1.0, guidance=guidance),
        "Bounded Attention": bounded(refine_from=GUIDED, guidance=guidance),
    }


WAYS = ways()


def starting_noise(demo: Any, images: int, seed: int) -> Tensor:
    """(images, channels, h, w) as the host's samplers make it."""
    return comfy.sample.prepare_noise(empty_latents(demo[0], images, SIZE // 8, SIZE // 8), seed)


def pictures(demo: Any, way: Way, asked: Sequence[Ask], noise: Tensor, seed: int, steps: int) -> Tensor:
    """(B, SIZE, SIZE, 3) in 0..1, one for each prompt."""
    model, positive = way(demo, asked)
    samples = comfy.sample.sample(
        model,
        noise,
        steps,
        CFG,
        SAMPLER,
        SCHEDULER,
        positive,
        encode_rows(demo[1], [""]),
        torch.zeros_like(noise),
        disable_pbar=True,
        seed=seed,
    )
    decoded: Tensor = demo[2].decode(samples)
    return decoded
