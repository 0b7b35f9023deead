"""The laws on one transformer of each family, for the methods that work on them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .guidance_methods import LAYOUT
from .inventory import inventory
from .methods import BY_REFERENCE, EACH_ALONE
from .tiny import assert_same_image, split_calls
from .tiny.transformers import SIX, TRANSFORMERS, painted, spoken, transformer

ONE_STEP = {"steps": 1}
ONCE = Effort(1.0, iterations=1, target=0.0)


@dataclass(frozen=True)
class Specimen:
    """`influences[i]`: the images that may change image i; `exact`: those that stay as they are, to the
    bit."""

    make: Callable[..., Any]
    influences: tuple[set[int], ...]
    off: tuple[dict[str, Any], ...]
    exact: frozenset[int] = frozenset()
    kinds: tuple[str, ...] = SIX

    def on(self, kind: str, during: tuple[float, float] = (0.0, 1.0), **settings: Any) -> Any:
        """A clone of the tiny model, or of the given one, with the method in all layers."""
        model = settings.pop("model", None) or transformer(kind)
        every = family_of(model).layer_map().parse("all")
        return install(model, self.make(every, during=PercentRange(*during), **settings))


def bounded(layers, **settings):
    guidance = BoundedGuidance(effort=ONCE, layers=frozenset({1}))
    given = {"layers": layers, "layout": LAYOUT, "refine_from": 1.0, "guidance": guidance, **settings}
    return BoundedAttention(**given)


def guided(layers, **settings):
    return LayoutGuidance(**{"layers": frozenset({1}), "layout": LAYOUT, "effort": ONCE, **settings})


NOWHERE = {"layout": Layout(((),))}
METHODS = {
    "style aligned": Specimen(
        lambda layers, **settings: StyleAligned(layers=layers, **settings),
        BY_REFERENCE,
        ({"sharing": "off", "adain": "off"},),
        frozenset({0}),
    ),
    "bounded attention": Specimen(bounded, EACH_ALONE, (NOWHERE,)),
    # takes the same way as the guidance of bounded attention
    "layout guidance": Specimen(guided, EACH_ALONE, (NOWHERE, {"loss_scale": 0.0}), kinds=("flux", "cosmos")),
}
CASES = [(name, kind) for name, method in METHODS.items() for kind in method.kinds]


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture(params=CASES, ids=", ".join)
def case(request):
    return METHODS[request.param[0]], request.param[1]


@cache
def plain(kind, steps=1):
    """Sampled once, for those who hold theirs against it."""
    return painted(transformer(kind), kind, steps=steps)


def test_off_is_off(case):
    """1. To the bit; and on, it does something."""
    method, kind = case
    for off in ({"during": (0.4, 0.4)}, *method.off):
        assert torch.equal(painted(method.on(kind, **off), kind, **ONE_STEP), plain(kind))
    assert not torch.allclose(painted(method.on(kind), kind, **ONE_STEP), plain(kind), rtol=0.01)


def test_calls_do_not_matter(case):
    """2. One call or two, and texts of other lengths, which never share one."""
    method, kind = case
    patched = method.on(kind)
    expected = painted(patched, kind, **ONE_STEP)
    with split_calls(transformer(kind), rows=3):
        assert_same_image(painted(patched, kind, **ONE_STEP), expected)
    longer = {"prompts": (spoken(kind, seed=1), spoken(kind, tokens=17, seed=2)), **ONE_STEP}
    both, without = painted(patched, kind, **longer), painted(transformer(kind), kind, **longer)
    for image in range(3):
        assert torch.equal(both[image], without[image]) == (image in method.exact)


def test_rows_do_not_leak(case):
    """3. An image changes with those that may influence it only."""
    method, kind = case
    patched = method.on(kind)
    how = {"denoise": 0.6}  # pure noise has nothing of the latent in it, with flows
    start = torch.full((3, 16, *((1,) if TRANSFORMERS[kind].frames else ()), 7, 12), 0.5)
    before = painted(patched, kind, latent=start, **how)
    for changed in range(3):
        latent = start.clone()
        latent[changed] = 1.0
        after = painted(patched, kind, latent=latent, **how)
        for image, others in enumerate(method.influences):
            assert torch.equal(after[image], before[image]) != (changed in others), (changed, image)


def test_nothing_is_left(case):
    """5. After a run and a failed one all is as before."""
    method, kind = case
    model, patched = transformer(kind), method.on(kind)
    first = painted(patched, kind, **ONE_STEP)
    assert torch.equal(painted(model, kind, **ONE_STEP), plain(kind))
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


def test_patches_compose_over_time(case):
    """6. and 8. Two ranges that are neighbours are their union, and the same seed gives the same images."""
    method, kind = case
    both = painted(method.on(kind), kind)
    early = method.on(kind, during=(0.0, 0.5))
    assert torch.equal(painted(method.on(kind, during=(0.5, 1.0), model=early), kind), both)
