"""The laws on one transformer of each family, for the methods that work on them."""

import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .inventory import inventory
from .tiny import assert_same_image, split_calls
from .tiny.transformers import FURTHER, SIX, TRANSFORMERS, painted, spoken, transformer

KINDS = (*SIX, *FURTHER)
ONE_STEP = {"steps": 1}


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def aligned(kind, during=(0.0, 1.0), **settings):
    model = transformer(kind)
    layers = family_of(model).layer_map().parse("all")
    return install(model, StyleAligned(layers=layers, during=PercentRange(*during), **settings))


@pytest.mark.parametrize("kind", KINDS)
def test_off_is_off(kind):
    """1. To the bit."""
    plain = painted(transformer(kind), kind, **ONE_STEP)
    for off in ({"during": (0.4, 0.4)}, {"sharing": "off", "adain": "off"}):
        assert torch.equal(painted(aligned(kind, **off), kind, **ONE_STEP), plain)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_do_not_matter(kind):
    """2. One call or two, and texts of other lengths, which never share one."""
    patched = aligned(kind)
    expected = painted(patched, kind, **ONE_STEP)
    with split_calls(transformer(kind), rows=3):
        assert_same_image(painted(patched, kind, **ONE_STEP), expected)
    longer = {"prompts": (spoken(kind, seed=1), spoken(kind, tokens=17, seed=2)), **ONE_STEP}
    both = painted(patched, kind, **longer)
    assert torch.equal(both[0], painted(transformer(kind), kind, **longer)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_do_not_leak(kind):
    """3. An image changes with itself and the reference only."""
    patched, influences = aligned(kind), ({0}, {0, 1}, {0, 2})
    how = {"denoise": 0.6}  # pure noise has nothing of the latent in it, with flows
    start = torch.full(
        (3, TRANSFORMERS[kind].channels, *((1,) if TRANSFORMERS[kind].frames else ()), 7, 12), 0.5
    )
    before = painted(patched, kind, latent=start, **how)
    for changed in range(3):
        latent = start.clone()
        latent[changed] = 1.0
        after = painted(patched, kind, latent=latent, **how)
        for image, others in enumerate(influences):
            assert torch.equal(after[image], before[image]) != (changed in others), (changed, image)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(kind):
    """5. After a run and a failed one all is as before."""
    model, patched = transformer(kind), aligned(kind)
    plain, first = painted(model, kind, **ONE_STEP), painted(patched, kind, **ONE_STEP)
    before = inventory(model), inventory(patched)

    def fail(args):
        raise RuntimeError("failed")

    failing = patched.clone()
    failing.set_model_sampler_post_cfg_function(fail)
    with pytest.raises(RuntimeError, match="failed"):
        painted(failing, kind, **ONE_STEP)
    assert (inventory(model), inventory(patched)) == before
    assert torch.equal(painted(model, kind, **ONE_STEP), plain)
    assert torch.equal(painted(patched, kind, **ONE_STEP), first)


@pytest.mark.parametrize("kind", KINDS)
def test_patches_compose_over_time(kind):
    """6. and 8. Two ranges that are neighbours are their union, and the same seed gives the same images."""
    both = aligned(kind)
    early_and_late = both
    for during in ((0.0, 0.5), (0.5, 1.0)):
        spec = StyleAligned(
            layers=family_of(transformer(kind)).layer_map().parse("all"), during=PercentRange(*during)
        )
        early_and_late = install(transformer(kind) if during[0] == 0.0 else early_and_late, spec)
    assert torch.equal(painted(early_and_late, kind), painted(both, kind))
