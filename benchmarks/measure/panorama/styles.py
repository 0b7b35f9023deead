"""Panoramas in one style, and those that follow one given picture on their left and another on their right.

One style: batches of four panoramas, of which the first one's prompt names a style. Of the windows of the
three others, those in which the judge reads that style.

Two styles: the pictures are the demo model's own, inverted; masks give each its half of the panorama. Of each
pair both orders are sampled from the same noise. Sides right: the share of first and last windows in which
the judge reads the style that it reads in the picture of that side. Mirrored: the share of pairs whose styles
change sides when the pictures do.

Both in the order of the authors' slide: without references, without shared attention, without AdaIN, full.
Full is `follow_masks` at "each place", the node's default; "by window" is its other choice.
"""

import statistics
from typing import Any

import torch
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.methods.style_aligned.mixture import StyleMixture
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.demo_model.judge import Judge
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from torch import Tensor

from measure.panorama.runs import CELL, WINDOW, patched, sampled

PAIRS = (("clay", "ink"), ("flat", "cartoon"), ("sticker", "clay"), ("ink", "flat"))
NOISES = 3
SUBJECTS = ("a cat in a forest", "a house in the snow")
PROMPT = "trees in the snow"
WAYS: dict[str, dict[str, Any] | None] = {
    "no references": None,
    "no shared attention": {"attends": False, "by_place": True},
    "no AdaIN": {"adain": "off", "by_place": True},
    "full": {"by_place": True},
    "full, by window": {},
}
BATCH = ("trees in the snow", "a cat in a forest", "houses on the street", "boats on the beach")
NAMED = ("clay", "ink", "sticker")
SHARED: dict[str, dict[str, Any]] = {
    "MultiDiffusion alone": {"sharing": "off", "adain": "off"},
    "no shared attention": {"sharing": "off"},
    "no AdaIN": {"adain": "off"},
    "full": {},
}
SIDES = (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))  # masks, stretched over the panorama


def styles_of_batches(demo: Any, judge: Judge, quick: bool) -> dict[str, dict[str, float]]:
    """The share of windows in the style that the first panorama's prompt names, by way."""
    width, steps, named = (32, 1, NAMED[:1]) if quick else (64, 20, NAMED)
    found = {}
    for name in ("MultiDiffusion alone", "full") if quick else SHARED:
        model = patched(demo[0], {"stride": WINDOW // 2})
        layers = family_of(model).layer_map().parse("all")
        model = install(model, StyleAligned(layers=layers, **SHARED[name]))
        same: list[bool] = []
        for noise, style in enumerate(named):
            prompts = [f"{BATCH[0]}, {style} style", *BATCH[1:]]
            _, *others = demo[2].decode(sampled(demo, model, prompts, width, steps, noise))
            windows = torch.cat(torch.stack(others).split(WINDOW * CELL, dim=2))
            same += [verdict.style == style for verdict in judge(windows)]
        found[name] = {"style of the first": statistics.mean(same)}
        print(name, found[name], flush=True)
    return found


def styles_of_sides(demo: Any, judge: Judge, quick: bool) -> dict[str, dict[str, float]]:
    """Figures by way."""
    width, steps, noises = (32, 1, 1) if quick else (64, 20, NOISES)
    ways = {name: how for name, how in WAYS.items() if not quick or name in ("no references", "full")}
    right: dict[str, list[bool]] = {name: [] for name in ways}
    mirrored: dict[str, list[bool]] = {name: [] for name in ways}
    for pair in PAIRS[:1] if quick else PAIRS:
        given = [picture(demo, style, number, steps) for number, style in enumerate(pair)]
        asked = [one.style for one in judge(demo[2].decode(torch.cat([latent for latent, _ in given])))]
        inversions = [inversion for _, inversion in given]
        for name, how in ways.items():
            for noise in range(noises):
                there, back = (
                    read(demo, judge, styled(demo, order, how), width, steps, noise)
                    for order in (inversions, inversions[::-1])
                )
                right[name] += [a == b for a, b in zip(there + back, asked + asked[::-1], strict=True)]
                mirrored[name].append(there == back[::-1] and there == asked)
        print(pair, {name: statistics.mean(own) for name, own in right.items()}, flush=True)
    return {
        name: {"sides right": statistics.mean(right[name]), "mirrored": statistics.mean(mirrored[name])}
        for name in ways
    }


def picture(demo: Any, style: str, number: int, steps: int) -> tuple[Tensor, Any]:
    """A picture in a style, as latents (1, 4, 16, 16), and its inversion."""
    model, clip, _ = demo
    prompt = f"{SUBJECTS[number]}, {style} style"
    latent = sampled(demo, model, [prompt], WINDOW, steps, number)
    positive = encode_rows(clip, [prompt])
    inverted = InvertLatent.execute(
        model, positive, {"samples": latent}, "ddim", "ddim_uniform", 2 if steps == 1 else 50, 1.0, 0
    )
    return latent, inverted.args[0]


def styled(demo: Any, inversions: list[Any], how: dict[str, Any] | None) -> Any:
    """The model with windows, each of which follows the pictures of its place."""
    windows = patched(demo[0], {"stride": WINDOW // 2})
    if how is None:
        return windows
    references = tuple(StyleReference(one, mask=side) for one, side in zip(inversions, SIDES, strict=True))
    layers = family_of(windows).layer_map().parse("all")
    return install(windows, StyleMixture(layers=layers, references=references, **how))


def read(demo: Any, judge: Judge, model: Any, width: int, steps: int, noise: int) -> list[str]:
    """The styles of the first and the last window of a panorama."""
    pictures = demo[2].decode(sampled(demo, model, [PROMPT], width, steps, noise))
    side = WINDOW * CELL
    return [one.style for one in judge(torch.cat([pictures[:, :, :side], pictures[:, :, -side:]]))]
