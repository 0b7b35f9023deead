"""Shape variations where a transformer reads text by cross-attention: Cosmos-Predict2 and Wan."""

import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.methods.shape_variations.keeping import Kept
from attention_control.attention_patches.methods.shape_variations.method import TOO_FINE, ShapeVariations
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from . import naive_shapes
from .naive import Where
from .test_prompt_to_prompt_on_transformers import cells, naive_in_place
from .tiny import assert_same_image
from .tiny.transformers import painted, spoken, transformer


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def varied(kind="cosmos", **settings):
    model = transformer(kind)
    layers = family_of(model).layer_map().parse("all")
    return install(model, ShapeVariations(layers=layers, images=3, **settings))


def mixed(kind, values):
    """What the positive rows of a call get; nothing of self-attention is changed."""

    def edited(q, k, v, start):
        if k.shape[2] == cells(kind):
            return None
        return naive_shapes.mixed(q, k, v, Where("cross", (4, 6), positive=True), values)

    return naive_in_place(kind, edited)


@pytest.mark.parametrize(
    ("kind", "values", "until"),
    [("cosmos", "proxies", 1.0), ("cosmos", "original", 0.0), ("wan", "proxies", 1.0)],
)
def test_words_are_mixed(kind, values, until):
    """The original's keys in all images, and the values of the proxies while shapes form."""
    how = {"prompts": (spoken(kind, rows=3, seed=1), spoken(kind, seed=2)), "steps": 1}
    out = painted(varied(kind, shapes=PercentRange(0.0, until)), kind, **how)
    assert_same_image(out, painted(mixed(kind, values), kind, **how))
    assert not torch.allclose(out[1:], painted(transformer(kind), kind, **how)[1:], rtol=0.01)


def test_nothing_is_kept_where_all_layers_are_fine(report):
    """At 72 x 64 cells all have 1152 tokens, and the report says so."""
    kept = varied(shapes=PercentRange(0.0, 1.0), kept=Kept((2,), (5,)))
    how = {"prompts": (spoken("cosmos", rows=3, seed=1), spoken("cosmos", seed=2))}
    painted(kept, "cosmos", steps=1, cfg=1.0, height=72, width=64, **how)
    assert TOO_FINE in report()[-1][1]
