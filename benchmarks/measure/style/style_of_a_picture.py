"""Do new pictures take over the style of a given one, and still show what was asked for?

24 sets: a rendered scene with one subject is inverted (DDIM, 50 steps, CFG 1), and three other subjects are
sampled beside it. No prompt names a style or a colour, that of the picture neither. Of the new pictures:
same style and same colour are the shares in which the judge finds those of the scene, which are known;
subject the share whose surest subject is the one asked for; copied the share that shows the scene's subject.
Seeds are the same for all variants, so the plain batch shows what the same noise gives without the picture.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import torch
from attention_control.demo_model.judge import Judge, Verdict
from attention_control.demo_model.world import (
    BACKGROUNDS,
    COLOURS,
    STYLES,
    Scene,
    Sprites,
    render,
    sample_scene,
)
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.inversion.invert_latent_node import InvertLatent

from measure.style.sets import SIZE, pictures, prompts, sets

PLAIN = "plain batch"
# (score_shift, score_scale, share_group_norm)
STRENGTHS = [
    (0.0, 1.0, False),
    (log(2), 1.0, False),
    (2 * log(2), 1.0, False),
    (log(2), 0.8, False),
    (0.0, 1.0, True),
    (log(2), 1.0, True),
]
SHOWN = ("shift 0", "shift log 2", "shift log 2, group norm")


def variants(quick: bool) -> dict[str, dict[str, Any]]:
    """Settings of StyleAligned by name; the plain batch first."""
    found: dict[str, dict[str, Any]] = {PLAIN: {"sharing": "off", "adain": "off"}}
    for shift, scale, shared in STRENGTHS[1:2] if quick else STRENGTHS:
        name = "shift " + {0: "0", 1: "log 2", 2: "log 4"}[round(shift / log(2))]
        name += f", scale {scale:g}" * (scale != 1) + ", group norm" * shared
        found[name] = {"score_shift": shift, "score_scale": scale, "share_group_norm": shared}
    return found


def scene_of(noun: str, place: str, number: int) -> Scene:
    """A scene with this subject at this place; style and colour go round."""
    scene = sample_scene(np.random.default_rng([24, number]), SIZE, SIZE, 1)
    colour = list(COLOURS)[(number + number // len(STYLES)) % len(COLOURS)]
    (background,) = [name for name, phrase in BACKGROUNDS.items() if phrase == place]
    (subject,) = scene.subjects
    return replace(
        scene,
        style=STYLES[number % len(STYLES)],
        background=background,
        subjects=(replace(subject, noun=noun, colour=colour),),
    )


def inverted(demo: Any, image: torch.Tensor, prompt: str, steps: int) -> Any:
    """The INVERSION of one picture (SIZE, SIZE, 3)."""
    model, clip, vae = demo
    latent = {"samples": vae.encode(image[None])}
    positive = encode_rows(clip, [prompt])
    return InvertLatent.execute(model, positive, latent, "ddim", "ddim_uniform", steps, 1.0, 0).args[0]


def score(verdicts: list[Verdict], nouns: list[str], scene: Scene) -> dict[str, list[bool]]:
    """What the new pictures show, beside the scene they were to follow."""
    surest = [max(v.subjects, key=lambda s: s.score, default=None) for v in verdicts]
    shown = [found.noun if found else None for found in surest]
    (given,) = scene.subjects
    return {
        "same style": [verdict.style == scene.style for verdict in verdicts],
        "same colour": [found is not None and found.colour == given.colour for found in surest],
        "subject": [found == asked for found, asked in zip(shown, nouns, strict=True)],
        "copied": [found == given.noun for found in shown],
    }


def measure(demo: Any, judge: Judge, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures by variant, and the pictures of the set that is to be shown."""
    sprites, steps = Sprites.load(options.cache), 2 if options.quick else 20
    scores: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    chosen, settings = {}, variants(options.quick)
    for number, (nouns, place) in enumerate(sets(1 if options.quick else 24)):
        scene = scene_of(nouns[0], place, number)
        image = torch.from_numpy(render(scene, sprites).image).float() / 255
        reference = inverted(demo, image, prompts(nouns, place)[0], 2 if options.quick else 50)
        for name, setting in settings.items():
            given = setting if name == PLAIN else {**setting, "reference_picture": reference}
            images = pictures(demo, given, nouns, place, number, steps)
            for kind, values in score(judge(images[1:]), nouns[1:], scene).items():
                scores[name][kind] += values
            if number == options.picture and name in (PLAIN, *SHOWN):
                chosen[name] = torch.cat([image[None], images[1:]])
        print(f"{number + 1} sets, the last in {scene.style} style: {_in_short(scores)}", flush=True)
    figures = {name: {k: float(np.mean(v)) for k, v in kinds.items()} for name, kinds in scores.items()}
    return figures, chosen


def _in_short(scores: dict[str, dict[str, list[bool]]]) -> str:
    """Same style and subject so far."""
    shares = {
        name: (np.mean(kinds["same style"]), np.mean(kinds["subject"])) for name, kinds in scores.items()
    }
    return "; ".join(f"{name} {style:.0%} {subject:.0%}" for name, (style, subject) in shares.items())
