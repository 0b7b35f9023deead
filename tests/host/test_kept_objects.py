"""Objects that are kept, held against the paper's formula cell by cell, within whole runs."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.methods.shape_variations.keeping import Kept, small_layers
from attention_control.nodes.host.run.install import install

from . import naive_shapes
from .just import Just
from .methods import METHODS
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample

SPECIMEN = next(specimen for specimen in METHODS if specimen.name == "shape variations, keeping")
KEPT = Kept((2, 3), (5,), 1.0, 0.2)
SIZE = {"height": 6, "width": 10}


class ByHand:
    """Sums the original's maps of words, and pastes the original's self-attention, on another road."""

    order = "edit"

    def __init__(self, until=1.0):
        self.maps, self.until, self.edited = {}, until, 0

    def wants(self, site):
        return site.kind in ("self", "cross")

    def __call__(self, site, qkv, attend):
        layer = site.layer.ordinal
        for text, rows in zip(site.rows.texts, site.rows.chunks, strict=True):
            if text.role != "positive":
                continue
            maps = torch.cat([map_ for _, map_ in probabilities(qkv, rows)], 2).double()
            if site.kind == "cross":
                self.maps.setdefault(layer, []).append(maps[0])
            elif layer in self.maps and site.percent < self.until:
                words = torch.stack(self.maps[layer]).mean(0)
                pairs, new = naive_shapes.kept(
                    maps, words, list(KEPT.objects), list(KEPT.shape), KEPT.threshold
                )
                self.edited += sum(map(sum, pairs))
                out = attend(qkv).clone()
                out[rows] = (new @ qkv.v[rows].double()).to(out)
                return out
        return attend(qkv)


def run(patched, steps=3, **how):
    prompts = conditioning(model(SHALLOW), 3, seed=1), conditioning(model(SHALLOW), seed=2)
    return sample(patched, *prompts, **{"batch": 3, "steps": steps, "scheduler": "simple", **SIZE, **how})


@pytest.mark.parametrize("until", [0.5, 1.0])
def test_a_run_equals_the_papers_way(until):
    """From the second step until the end; behind it self-attention is each image's own."""
    kept = replace(KEPT, until=until)
    by_hand = ByHand(until)
    plain = SPECIMEN.on(model(SHALLOW), kept=None)
    expected = run(install(plain, Just(parts=[by_hand])))
    out = run(SPECIMEN.on(model(SHALLOW), kept=kept))
    assert_same_image(out, expected, tolerance=1e-3)
    assert by_hand.edited > 0
    assert not torch.allclose(out, run(plain), rtol=0.01)
    assert torch.equal(out[0], run(plain)[0])


def test_large_layers_are_left_out():
    """More than 32 x 32 cells."""
    assert small_layers({1: (32, 32), 2: (64, 64), 3: (16, 65), 4: (8, 8)}, frozenset({1, 2, 3})) == {
        1: (32, 32)
    }


def test_parts_of_a_picture_are_left_alone_and_named(caplog):
    """Under an area nobody knows where the objects are."""
    [[text, more]] = conditioning(model(SHALLOW), 3, seed=1)
    area = [[text, {**more, "area": (4, 8, 0, 0), "strength": 1.0}]]
    with caplog.at_level("INFO"):
        sample(SPECIMEN.on(model(SHALLOW)), area, conditioning(model(SHALLOW), seed=2), batch=3, **SIZE)
    assert "objects are kept in the whole one" in caplog.text
