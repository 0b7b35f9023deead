"""What a report says of a subject's attention is what the host's attention was given, first and last."""

import re
from functools import cache

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import (
    GUIDANCE_PRESET,
    BoundedGuidance,
)
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LAYOUT_PRESET, LayoutGuidance
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .recorded import spied
from .specimen import SHALLOW, fresh_model
from .tiny import conditioning, sample

LEFT = Subject("left", (2, 3), ((0.0, 0.0, 0.5, 0.5),))
RIGHT = Subject("right", (5,), ((0.5, 0.25, 1.0, 1.0),))
LAYOUT = Layout(((LEFT, RIGHT), (RIGHT,)), fillers=(1, 4), ends=(6,))
SUBJECTS = ((0, LEFT), (0, RIGHT), (1, RIGHT))
GUIDED, LATE = Effort(0.5, iterations=2, target=0.0), Effort(0.0)
NO_STEPS = {"refine_from": 1.0, "guidance": BoundedGuidance(effort=LATE)}
UNSHIFTED = {BoundedAttention: NO_STEPS, LayoutGuidance: {"effort": LATE}}
METHODS = {
    "masks alone": (BoundedAttention, {"refine_from": 1.0}),
    "no steps": (BoundedAttention, NO_STEPS),
    "guided": (BoundedAttention, {"refine_from": 1.0, "guidance": BoundedGuidance(effort=GUIDED)}),
    "layout guidance": (LayoutGuidance, {"effort": GUIDED}),
}


def share(call, image, subject, grid):
    """Percent of a subject's words that lie inside its box, without any mask; a mean of heads and words."""
    q, k = (
        x.chunk(len(call.sources))[call.sources.index(0)][image].double().unflatten(-1, (call.heads, -1))
        for x in (call.q, call.k)
    )
    logits = torch.einsum("nhd,mhd->hnm", q, k) / q.shape[-1] ** 0.5
    words = logits.softmax(-1)[..., list(subject.token_positions)].unflatten(1, grid)
    x, y, r, b = (round(part * cells) for part, cells in zip(subject.boxes[0], grid[::-1] * 2, strict=True))
    return 100 * float((words[:, y:b, x:r].sum((1, 2)) / words.sum((1, 2))).mean())


def sampled(method, **settings):
    """The calls of cross-attention, and where the method looks."""
    model, calls = spied(fresh_model(SHALLOW))
    layers, sizes = family_of(model).layer_map(), family_of(model).layer_sizes((8, 12))
    bounds = method is BoundedAttention
    every = {"layers": layers.parse("all")} if bounds else {}
    watched = family_of(model).presets((8, 12))[GUIDANCE_PRESET if bounds else LAYOUT_PRESET].layers
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    patched = install(model, method(layout=LAYOUT, **every, **settings))
    sample(patched, *prompts, steps=3, batch=2, height=8, width=12)
    places = {
        (layer.block, layer.number, layer.index): sizes[layer.ordinal].grid
        for layer in layers.layers
        if layer.ordinal in watched
    }
    return {
        place: (grid, [call for call in calls if call.place == place and call.k.shape[1] == 77])
        for place, grid in places.items()
    }


@cache
def first_look(method):
    """The same of a run without a shift."""
    return sampled(method, **UNSHIFTED[method])


@pytest.mark.parametrize("name", METHODS)
def test_first_and_last_look(name, report):
    """Before the first shift and in the last step, as the words would be seen if nothing were bounded."""
    method, settings = METHODS[name]
    first, last = first_look(method), sampled(method, **settings)
    line = [text for _, text in report(method.label) if "Attention in its box" in text][-1]
    told = [(int(a), int(b)) for a, b in re.findall(r"(\d+) -> (\d+) %", line)]
    for of_subject, percents in zip(SUBJECTS, told, strict=True):
        for seen, which, percent in zip((first, last), (0, -1), percents, strict=True):
            shares = [share(calls[which], *of_subject, grid) for grid, calls in seen.values()]
            assert percent == pytest.approx(sum(shares) / len(shares), abs=1)
