"""Guidance beside StyleAligned, a ControlNet and a LoRA in one run: each does what it does alone."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from attention_control.attention_patches.layout.regions import Layout
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from torch import Tensor

from .companions import COMPANIONS
from .guidance_methods import LAYOUT, LEFT, METHODS, RIGHT
from .specimen import IMAGES, SHALLOW, model
from .tiny import assert_same_image, conditioning, sample

ONE_BARE = Layout(((), (LEFT, RIGHT), (RIGHT,)), LAYOUT.fillers, LAYOUT.ends)
LORA, CONTROLNET = (next(c for c in COMPANIONS if c.name == name) for name in ("LoRA", "ControlNet"))


@dataclass(frozen=True)
class Company:
    """What stands beside the guidance."""

    aligned: bool = False
    lora: bool = False
    controlnet: bool = False

    def on(self, patcher: Any) -> Any:
        patcher = LORA.on_model(patcher) if self.lora else patcher
        if not self.aligned:
            return patcher
        return install(patcher, StyleAligned(layers=family_of(patcher).layer_map().parse("all")))

    def run(self, patcher: Any) -> Tensor:
        """Latents (IMAGES, 4, 6, 10)."""
        prompts = conditioning(model(SHALLOW), IMAGES, seed=1), conditioning(model(SHALLOW), seed=2)
        if self.controlnet:
            prompts = CONTROLNET.on_prompts(model(SHALLOW), prompts)
        how = {"batch": IMAGES, "height": 6, "width": 10, "steps": 1, "sampler": "dpmpp_2m"}
        return sample(patcher, *prompts, **how)


ALONE = [Company(aligned=True), Company(lora=True), Company(controlnet=True)]
TOGETHER = Company(aligned=True, lora=True, controlnet=True)
COMPANIES = [*zip(ALONE, (*METHODS, METHODS[0]), strict=True), *((TOGETHER, method) for method in METHODS)]
methods = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@cache
def made(company: Company, name: str | None = None) -> Tensor:
    """The images of the company, and of the guidance of that name after it, sampled once."""
    patched = company.on(model(SHALLOW))
    for method in METHODS:
        patched = method.on(patched) if method.name == name else patched
    return company.run(patched)


@methods
def test_no_steps_and_no_bounds_leave_the_company_alone(method):
    """The same images to the bit, whichever of the nodes comes first."""
    first = TOGETHER.on(method.on(model(SHALLOW), **method.off[0]))
    last = method.on(TOGETHER.on(model(SHALLOW)), **method.off[-1])
    assert torch.equal(TOGETHER.run(first), made(TOGETHER))
    assert torch.equal(TOGETHER.run(last), made(TOGETHER))


@pytest.mark.parametrize(
    ("company", "method"), COMPANIES, ids=lambda value: getattr(value, "name", str(value))
)
def test_the_order_of_the_nodes_does_not_matter(company, method):
    """The same images, and others than each of the two makes alone."""
    images = made(company, method.name)
    assert_same_image(company.run(company.on(method.on(model(SHALLOW)))), images)
    assert not torch.allclose(images, made(company), rtol=0.01)
    assert not torch.allclose(images, made(Company(), method.name), rtol=0.01)


@methods
def test_the_reference_is_guided_as_without_style_aligned(method):
    """Its row is what it is without StyleAligned, and without boxes of its own what it is without guidance;
    the other rows have both."""
    company, unaligned = TOGETHER, Company(lora=True, controlnet=True)
    both, guided = made(company, method.name), made(unaligned, method.name)
    assert_same_image(both[0], guided[0])
    assert not torch.allclose(both[1:], guided[1:], rtol=0.01)
    bare = company.run(method.on(company.on(model(SHALLOW)), layout=ONE_BARE))
    aligned = made(company)
    assert_same_image(bare[0], aligned[0])
    assert not torch.allclose(bare[1:], aligned[1:], rtol=0.01)
