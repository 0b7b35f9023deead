"""The laws on one transformer of each family, for the methods that work on them."""

from functools import cache

import pytest
import torch

from .inventory import inventory
from .tiny import assert_same_image, split_calls
from .tiny.transformer_shapes import TRANSFORMERS
from .tiny.transformers import frames, painted, spoken, transformer
from .transformer_methods import CASES, METHODS

ONE_STEP = {"steps": 1}
# Its experts take the tokens of all images in one product, and some processors round by how many those are.
ROUNDED_TOGETHER = ("hidream",)


def cases(which):
    """Run a test for each of these methods and kinds."""
    return pytest.mark.parametrize(
        ("method", "kind"), [pytest.param(*case, id=f"{case[0].name}-{case[1]}") for case in which]
    )


every_case = cases(CASES)
# What a network leads to is seen by the first method on each kind; when the others work and what they leave
# behind hangs on no kind.
ONCE_EACH = [(method, kind) for method, kind in CASES if method is METHODS[0] or kind == "flux"]


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@cache
def plain(kind):
    """One step without a method, sampled once."""
    return painted(transformer(kind), kind, **ONE_STEP)


@cache
def works(method, kind):
    """The same with the method."""
    return painted(method.on(kind), kind, **ONE_STEP)


@cases(ONCE_EACH)
def test_off_is_off(method, kind):
    """1. To the bit, where settings that ask for something change the images."""
    assert not torch.allclose(works(method, kind), plain(kind), rtol=0.01), "the method does nothing"
    for off in ({"during": (0.4, 0.4)}, *method.off):
        assert torch.equal(painted(method.on(kind, **off), kind, **ONE_STEP), plain(kind))


@every_case
def test_calls_do_not_matter(method, kind):
    """2. One call or two, and texts of other lengths, which never share one."""
    expected = works(method, kind)
    with split_calls(transformer(kind), rows=3):
        assert_same_image(painted(method.on(kind), kind, **ONE_STEP), expected)
    longer = {"prompts": (spoken(kind, seed=1), spoken(kind, tokens=17, seed=2)), **ONE_STEP}
    out, alone = painted(method.on(kind), kind, **longer), painted(transformer(kind), kind, **longer)
    rounding = 1e-6 * float(alone.abs().max()) if kind in ROUNDED_TOGETHER else 0.0
    for image in range(3):
        same = torch.allclose(out[image], alone[image], rtol=0, atol=rounding)
        assert same == (image in method.exact)


@every_case
def test_rows_do_not_leak(method, kind):
    """3. An image changes with those that may influence it only."""
    patched = method.on(kind)
    how = {"denoise": 0.5, **ONE_STEP}  # pure noise has nothing of the latent in it, with flows
    start = torch.full((3, TRANSFORMERS[kind].channels, *frames(kind), 7, 12), 0.5)
    before = painted(patched, kind, latent=start, **how)
    for changed in range(3):
        latent = start.clone()
        latent[changed] = 1.0
        after = painted(patched, kind, latent=latent, **how)
        for image, others in enumerate(method.influences):
            assert torch.equal(after[image], before[image]) != (changed in others), (changed, image)


@cases(ONCE_EACH)
def test_nothing_is_left(method, kind):
    """5. After a run and a failed one all is as before."""
    model, patched, first = transformer(kind), method.on(kind), works(method, kind)
    before = inventory(model), inventory(patched)

    def fail(args):
        raise RuntimeError("failed")

    failing = patched.clone()
    failing.set_model_sampler_post_cfg_function(fail)
    with pytest.raises(RuntimeError, match="failed"):
        painted(failing, kind, **ONE_STEP)
    assert (inventory(model), inventory(patched)) == before
    assert torch.equal(painted(model, kind, **ONE_STEP), plain(kind))
    assert torch.equal(painted(patched, kind, **ONE_STEP), first)


@cases(case for case in CASES if case[1] == "flux")
def test_patches_compose_over_time(method, kind):
    """6. and 8. Two ranges that are neighbours are their union, and the same seed gives the same images."""
    both = method.on(kind, model=method.on(kind, during=(0.0, 0.5)), during=(0.5, 1.0))
    assert torch.equal(painted(both, kind), painted(method.on(kind), kind))


@pytest.mark.parametrize(
    ("method", "kind"), [pytest.param(*case, id=case[0].name) for case in CASES if case[1] == "flux"]
)
def test_halves_equal_one(method, kind):
    """8. Two halves of a run, one behind the other, are one run."""
    patched = method.on(kind)
    whole = painted(patched, kind, steps=3)
    first = painted(patched, kind, steps=3, between=(0, 1))
    assert_same_image(painted(patched, kind, steps=3, between=(1, 3), latent=first), whole)
