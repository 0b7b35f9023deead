"""What a method makes of the maps of a run: each as it comes to the method, and as it is in the end."""

from dataclasses import dataclass

import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.nodes.host.run.install import install

from .editing import run
from .just import Just


@dataclass
class Look:
    """One attention call's maps (images, H, N, T) of the positive rows."""

    kind: str
    ordinal: int
    cells: int
    percent: float
    own: torch.Tensor
    edited: torch.Tensor | None = None


def positive(site, qkv):
    """The maps of these rows."""
    (rows,) = [rows for text, rows, _ in site.rows.by_text if text.role == "positive"]
    return torch.cat([maps for _, maps in probabilities(qkv, rows)], 2)


class Before:
    """Stands outside of the methods before it."""

    order = "edit"

    def __init__(self, looks):
        self.looks = looks

    def wants(self, site):
        return True

    def __call__(self, site, qkv, attend):
        cells = site.grid[0] * site.grid[1]
        own = positive(site, qkv)
        self.looks.append(Look(site.kind, site.layer.ordinal, cells, site.percent, own))
        return attend(qkv)


class Behind(Before):
    """Sees what all have made of it."""

    order = "observe"

    def __call__(self, site, qkv, attend):
        self.looks[-1].edited = positive(site, qkv)
        return attend(qkv)


def looks_of(outputs, **how):
    """Every attention call of a run of the node's outputs, and the latents."""
    looks = []
    watched = install(outputs[0], Just(parts=[Before(looks), Behind(looks)]))
    out = run((watched, *outputs[1:]), **how)
    return looks, out


def assert_equal(look, image, expected):
    """The image's map is what is expected of it."""
    assert torch.allclose(look.edited[image], expected, atol=1e-5), (look.kind, look.cells, look.percent)
