"""Caches skip calls of the model that would change little in a picture that is sampled; who follows a given
picture leaves them out."""

import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

from .inverting import METHODS, invert, picture, reconstruct
from .specimen import SHALLOW, model

CACHES = {"EasyCache": EasyCacheNode, "LazyCache": LazyCacheNode}
LATENT = picture(images=1)
named = pytest.mark.parametrize("name", CACHES)


def cached(name, threshold=1e9):
    """A model with the host's cache in the middle of the schedule."""
    return CACHES[name].execute(model(SHALLOW), threshold, 0.15, 0.95, False)[0]


@named
@pytest.mark.parametrize("method", METHODS)
def test_a_picture_is_inverted_without_a_cache(name, method, report):
    """To the bit, and the log names the cache. The host's own way ends in an error, as noise grows."""
    how = {"method": method, "latent": LATENT, "steps": 12}
    plain, found = (invert(on, **how)[0] for on in (model(SHALLOW), cached(name)))
    assert torch.equal(found.states, plain.states)
    assert method == "ddim" or torch.equal(found.noise, plain.noise)
    assert any(f"{name} is left out" in line for _, line in report("Inversion"))


@named
def test_a_picture_is_reconstructed_without_a_cache(name):
    """To the bit, and the report names the cache."""
    inversion = invert(model(SHALLOW), "ddim", LATENT, steps=6)[0]
    plain, found = (reconstruct(on, inversion) for on in (model(SHALLOW), cached(name)))
    assert torch.equal(found[0], plain[0])
    assert f"{name} is left out" in found[1] and "left out" not in plain[1]
