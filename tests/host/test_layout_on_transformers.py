"""Bounded Attention and Layout Guidance on transformers: masks in one softmax, in which layers, how long."""

import pytest
import torch
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.bounds import cross_closed
from attention_control.attention_patches.methods.bounded_attention.method import (
    BOUNDED_PRESET,
    BoundedAttention,
)
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.layout.bounded_inputs import bounded_during

from . import naive_bounds
from .just import Just, Witness
from .settings_of_methods import SUBJECTS
from .tiny.precision import nearly
from .tiny.transformers import painted, transformer

ONCE = {"steps": 1, "batch": 3}
FILLERS, ENDS = (1, 4), (6,)
LAYOUT = Layout(
    tuple(tuple(Subject(str(tokens), tokens, (box,)) for tokens, box in image) for image in SUBJECTS),
    fillers=FILLERS,
    ends=ENDS,
)


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def masks(**settings):
    return BoundedAttention(**{"layout": LAYOUT, "refine_from": 1.0, **settings})


LAYERS = {  # ordinals of the tiny models in which words, and in which pixels have bounds
    "flux": ({1, 3, 5}, {1, 3, 5}),  # double 0 and 1, then single 0 to 2
    "chroma": ({1, 3, 5}, {1, 3, 5}),
    "flux2": ({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}),
    "z-image": ({1}, set()),
    "lumina2": ({1}, set()),
    "qwen-image": ({1, 2, 3}, {1, 2, 3}),
    "sd3": ({1, 2, 3}, {1, 2, 3}),
    "cosmos": ({1, 2, 3}, set()),
    "krea2": ({1, 3}, set()),
    "wan": ({1, 2, 3}, set()),
    "hunyuan-image": ({1, 3, 5}, set()),
    "aura-flow": ({1, 3}, set()),
    "hidream": ({1, 3}, set()),  # double 0 and single 0
}


def test_each_family_has_its_bounds():
    """In so much of the schedule as regional prompts for Flux have them."""
    for kind in LAYERS:
        preset = family_of(transformer(kind)).presets((7, 12))[BOUNDED_PRESET]
        assert (set(preset.layers), set(preset.self_layers)) == LAYERS[kind]
    assert bounded_during(family_of(transformer("flux")), -1.0).end == 0.4
    assert bounded_during(family_of(transformer("flux")), 0.7).end == 0.7


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind != "flux2"])  # whose text is 512 long
def test_masks_are_those_of_one_softmax(kind):
    """In float64: in each layer the picture's queries on all keys, closed where the published form closes;
    words in the positive rows only. A subject's cells never read another's words."""
    witness = Witness("edit")
    painted(install(install(transformer(kind), masks()), Just([witness])), kind, **ONCE)
    words, pixels = LAYERS[kind]
    for site, qkv, out in witness.seen:
        ordinal, what = site.layer.ordinal, site.kind
        parts = {part.name: part for part in qkv.appended}
        assert all(parts), "another key than the call's own"
        views = {what: (qkv.k, qkv.v)} | {
            {"text": "cross", "image": "self"}.get(name, name): (part.k, part.v)
            for name, part in parts.items()
        }
        for row in range(out.shape[0]):
            subjects = tuple(SUBJECTS[row % 3])
            positive = site.rows.texts[row // 3].role == "positive"
            bounded = {"cross": ordinal in words and positive, "self": ordinal in pixels}
            logits, values = [], []
            for view, (k, v) in views.items():
                logits.append(qkv.q[row].double() @ k[row].double().transpose(-1, -2) * qkv.logit_scale)
                values.append(v[row].double())
                if bounded.get(view):
                    keys = k.shape[2]
                    logits[-1] += naive_bounds.seen(view, site.grid, subjects, keys, FILLERS, ENDS).log()
            expected = torch.cat(logits, -1).softmax(-1) @ torch.cat(values, 1)
            assert nearly(out[row], expected, rtol=1e-4, atol=1e-5), (site.layer, what, row)
    layers = family_of(transformer(kind)).layer_map().layers
    assert len({site.layer.ordinal for site, _, _ in witness.seen}) == len(layers)


def test_named_layers_bound_no_pixels_where_nobody_does():
    """And all that is named where somebody does; the published part of Flux's blocks."""
    every = frozenset(range(1, 6))
    for kind, pixels in (("z-image", set()), ("flux", {1, 3, 5}), ("qwen-image", {1, 2, 3})):
        presets = family_of(transformer(kind)).presets((7, 12))
        named = every & frozenset(range(1, len(family_of(transformer(kind)).layer_map().layers) + 1))
        assert masks(layers=named).bound(named, presets) == (named, pixels)


def test_no_row_is_empty():
    """Where a text has nothing but subjects' words and an end, the background sees the end; without an end,
    what is nobody's; and all, if there is nothing else."""
    place = torch.tensor([[1.0, 0.0]])

    def closed(words, tokens, ends=(), fillers=()):
        layout = Layout(((Subject("it", words, ((0.0, 0.0, 0.5, 1.0),)),),), fillers, ends)
        return cross_closed(place, layout, 0, tokens, tokens, guiding=False).tolist()

    assert closed((0, 1), 3, ends=(2,)) == [[False, False, False], [True, True, False]]
    assert closed((1,), 2, ends=(5,), fillers=(0,)) == [[True, False], [False, True]]
    assert closed((0, 1), 2, ends=(2,)) == [[False, False], [False, False]]
    assert closed((1,), 3, ends=(2,)) == [[False, False, False], [False, True, True]]
