"""Every method as the laws see it, with the settings that take another path."""

from dataclasses import replace

import torch
from attention_control.attention_patches.methods.cross_image.method import CrossImage
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.plug_and_play.method import PlugAndPlay
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blend
from attention_control.attention_patches.methods.shape_variations.keeping import Kept
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.methods.style_aligned.mixture import StyleMixture
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference

from . import naive_bounds, naive_prompts, naive_shapes
from .inversions import tiny_inversion
from .settings_of_methods import (
    BY_REFERENCE,
    EACH_ALONE,
    NAMED,
    SUBJECTS,
    TO_THE_END,
    WORDS,
    bounded,
    prompts,
    shapes,
    style_aligned,
)
from .specimen import IMAGES, Specimen

METHODS = [
    style_aligned("style aligned", BY_REFERENCE),
    style_aligned(
        "shift and scale, last is reference",
        ({0, 2}, {1, 2}, {2}),
        reference=2,
        score_shift=0.7,
        score_scale=0.5,
        adain="queries",
    ),
    style_aligned("adain only", BY_REFERENCE, sharing="off", adain="keys"),
    style_aligned("all images", ({0, 1, 2},) * 3, sharing="all images"),
    Specimen(
        "cross image",
        CrossImage,
        {
            "structure": tiny_inversion(height=6, width=10, images=IMAGES),
            "appearance": tiny_inversion(height=5, width=8, seed=1),
            "refresh_every": 3,
        },
        ({0}, {1}, {2}),
        off=({"during": (0.5, 0.5)},),
    ),
    Specimen(
        "plug and play",
        PlugAndPlay,
        {
            "guide": tiny_inversion(height=6, width=10, images=IMAGES),
            "features": frozenset({6, 8}),
            **TO_THE_END,
        },
        EACH_ALONE,
        off=(
            {"feature_until": 0.0, "attention_until": 0.0},
            {"features": frozenset(), "attention_until": 0.0},
        ),
    ),
    Specimen(
        "plug and play, features of one guide",
        PlugAndPlay,
        {
            "guide": tiny_inversion(height=6, width=10),
            "features": frozenset({4, 7}),
            **TO_THE_END,
            "attention_until": 0.0,
        },
        EACH_ALONE,
        off=({"feature_until": 0.0},),
    ),
    Specimen(
        "shared group norm",
        StyleAligned,
        {"sharing": "off", "adain": "off", "share_group_norm": True},
        BY_REFERENCE,
        off=({"share_group_norm": False},),
        exact_rows=frozenset({0}),
    ),
    Specimen(
        "style of a picture",
        StyleAligned,
        {"reference_picture": tiny_inversion(height=6, width=10), "score_shift": 0.7},
        (set(), {1}, {2}),
        off=({"sharing": "off", "adain": "off"},),
    ),
    Specimen(
        "styles of two pictures",
        StyleMixture,
        {
            "references": (
                StyleReference(tiny_inversion(height=5, width=8), mask=torch.eye(4)),
                StyleReference(tiny_inversion(height=5, width=8, seed=1), weight=0.5),
            ),
            "score_shift": 0.7,
            "by_place": True,
        },
        EACH_ALONE,
        off=({"attends": False, "adain": "off"},),
    ),
    replace(
        bounded("bounded"),
        naive_at=lambda q, k, v, where: naive_bounds.bounded(q, k, v, where, SUBJECTS, (1, 4), (6,)),
    ),
    replace(
        prompts("prompt to prompt", self_until=1.0),
        naive_at=lambda q, k, v, where: naive_prompts.prompt_to_prompt(q, k, v, where, WORDS),
    ),
    prompts("prompt to prompt, until", until=0.6),
    replace(
        prompts("prompt to prompt, blended", blend=Blend(((1, 2), (1,), (2,)), threshold=0.9)),
        remembers=True,
    ),
    replace(
        shapes("shape variations", (0.0, 1.0)),
        naive_at=lambda q, k, v, where: naive_shapes.mixed(q, k, v, where, "proxies"),
    ),
    replace(
        shapes("shape variations, details", (0.0, 0.0)),
        naive_at=lambda q, k, v, where: naive_shapes.mixed(q, k, v, where, "original"),
    ),
    shapes("shape variations, until", (0.3, 0.7)),
    replace(
        shapes("shape variations, keeping", (0.0, 0.5), kept=Kept((2, 3), (5,), 1.0, 0.2)),
        influences=BY_REFERENCE,
        remembers=True,
    ),
    replace(
        shapes("shape variations, background", (0.0, 1.0), named=NAMED, blend_at=0.0),
        influences=BY_REFERENCE,
        remembers=True,
    ),
    Specimen("multidiffusion", MultiDiffusion, {"window": (4, 6), "stride": 3, "per_call": 3}, EACH_ALONE),
    replace(bounded("bounded by what is found", refine_from=0.4, refine_every=0.1), remembers=True),
]

SAME_WAY = frozenset(
    {
        "shift and scale, last is reference",
        "adain only",
        "all images",
        "bounded by what is found",
        "plug and play, features of one guide",
        "prompt to prompt, until",
        "shape variations, details",
        "shape variations, until",
    }
)
"""They take the same way through the host as another of their kind."""

OTHER_WAYS = tuple(method for method in METHODS if method.name not in SAME_WAY)
