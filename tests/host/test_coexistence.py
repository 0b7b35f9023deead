"""Each method beside what users combine it with: both do what they do alone, or the method says what not."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from torch import Tensor

from . import guidance_methods
from .companions import COMPANIONS, Companion
from .inventory import inventory
from .methods import METHODS, OTHER_WAYS
from .specimen import IMAGES, SHALLOW, Specimen, model
from .tiny import assert_same_image, conditioning, sample

PLAIN = Companion("nothing")
DEEP = {
    "PAG",
    "HyperTile",
    "ControlNet",
    "override",
    "replacement that hands the options on",
}  # know of blocks


def shape_of(companion: Companion) -> str:
    """As many levels as the companion tells apart."""
    return "sd15" if companion.name in DEEP else SHALLOW


ONCE = [(companion, METHODS[0], shape_of(companion)) for companion in COMPANIONS]
EXACT = [
    (companion, method, shape_of(companion))
    for companion in COMPANIONS
    for method in OTHER_WAYS
    if method.exact_rows
    and method.method is not PromptToPrompt  # which has a test of its own for this
    and not method.remembers  # of Shape Variations, whose row it is whatever else is kept
]
PAIRS = [
    *ONCE,
    *((companion, METHODS[0], "sdxl") for companion in COMPANIONS if companion.name in DEEP),  # in two steps
]
# By the pass that takes a gradient, too; LoRA and ControlNet have a test of their own beside it.
TAKEN_ALONG = ("FreeU_V2", "HyperTile", "LoRA hook on the positive prompt", "override")
GUIDED = [
    (companion, guidance_methods.METHODS[TAKEN_ALONG.index(companion.name) % 2], SHALLOW)
    for companion in COMPANIONS
    if companion.name in TAKEN_ALONG
]
# Each way of reaching into a run once.
REACHING = [case for case in ONCE if case[0].name in DEEP.union(TAKEN_ALONG)]


def pairs(which: list[tuple[Companion, Specimen, str]]) -> Any:
    """Run a test for each companion, method and shape."""
    names = [f"{companion.name}-{method.name}-{shape}" for companion, method, shape in which]
    return pytest.mark.parametrize(("companion", "method", "shape"), which, ids=names)


def run(companion: Companion, patched: Any, shape: str, **how: Any) -> Tensor:
    """Latents (IMAGES, 4, H, W), with the companion's prompts."""
    both = conditioning(model(shape), IMAGES, seed=1), conditioning(model(shape), seed=2)
    usual = {"batch": IMAGES, "height": 6, "width": 10, "steps": 2 if shape == "sdxl" else 1}
    return sample(patched, *companion.on_prompts(model(shape), both), **{**usual, **companion.how, **how})


def together(companion: Companion, method: Specimen, shape: str, **settings: Any) -> Any:
    """The companion's node first, the method's after it."""
    return method.on(companion.on_model(model(shape)), **settings)


@dataclass(frozen=True)
class Run:
    """A run of a companion and a method together, whose models it has left as they were."""

    patched: Any
    images: Tensor
    said: list[logging.LogRecord]


class Said(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@cache
def beside(companion: Companion, name: str, shape: str) -> Run:
    """The companion and the method of that name together, sampled once."""
    (method,) = [method for method in METHODS + guidance_methods.METHODS if method.name == name]
    patched = together(companion, method, shape)
    alone(companion, shape)  # so that later runs are held against one that nothing came before
    before = inventory(model(shape)), inventory(patched)
    said, logger = Said(), logging.getLogger()
    level = logger.level
    logger.addHandler(said)
    logger.setLevel(logging.INFO)
    try:
        images = run(companion, patched, shape)
    finally:
        logger.removeHandler(said)
        logger.setLevel(level)
    assert (inventory(model(shape)), inventory(patched)) == before, "something is left behind"
    return Run(patched, images, [x for x in said.records if "[Attention Control]" in x.getMessage()])


@cache
def alone(companion: Companion, shape: str) -> Tensor:
    """The companion without the method."""
    return run(companion, companion.on_model(model(shape)), shape)


@cache
def bare(name: str, shape: str, how: tuple[tuple[str, Any], ...]) -> Tensor:
    """The method of that name without a companion, in such a run."""
    (method,) = [method for method in METHODS + guidance_methods.METHODS if method.name == name]
    return run(PLAIN, method.on(model(shape)), shape, **dict(how))


@pairs(PAIRS)
def test_together_is_both(companion, method, shape):
    """The two together are the companion on top of the naive method."""
    expected = run(companion, companion.expected(companion, model(shape), method.naive), shape)
    assert_same_image(beside(companion, method.name, shape).images, expected, tolerance=1e-3)
    assert not torch.allclose(expected, alone(companion, shape), rtol=0.01), "the method does nothing"


@pairs(ONCE + GUIDED)
def test_together_in_either_order(companion, method, shape):
    """The order of the two nodes does not matter, and the companion has an effect."""
    images = beside(companion, method.name, shape).images
    assert torch.equal(run(companion, companion.on_model(method.on(model(shape))), shape), images)
    without = bare(method.name, shape, tuple(companion.how.items()))
    assert not torch.allclose(images, without, rtol=0.01), "the companion does nothing"


@pairs(REACHING + GUIDED)  # whichever is off does not begin
def test_method_off_leaves_the_companion_alone(companion, method, shape):
    """With the method off the images are the companion's own, to the bit."""
    off = method.off[0] if method.off else {"during": (0.5, 0.5)}
    images = run(companion, together(companion, method, shape, **off), shape)
    assert torch.equal(images, alone(companion, shape))


@pairs(EXACT)
def test_exact_images_stay_the_companions_own(companion, method, shape):
    """The reference is drawn as the companion draws it without the method."""
    images = beside(companion, method.name, shape).images
    for image in method.exact_rows:
        assert_same_image(images[image], alone(companion, shape)[image])


@pairs(REACHING)
def test_nothing_is_left_beside(companion, method, shape):
    """After a run together both models, the bare one and the patched one, are and sample as before."""
    before_alone, first = alone(companion, shape), beside(companion, method.name, shape)
    assert torch.equal(run(companion, first.patched, shape), first.images)
    assert torch.equal(run(companion, companion.on_model(model(shape)), shape), before_alone)


@pairs(ONCE)
def test_report_names_what_is_left_out(companion, method, shape):
    """The log warns exactly when the method stays out of something, and says of what."""
    ours = beside(companion, method.name, shape).said
    warnings = [record.getMessage() for record in ours if record.levelno >= logging.WARNING]
    assert len(ours) > len(warnings), "no report"
    if companion.report is None:
        assert not warnings
    else:
        assert any(companion.report in warning for warning in warnings), warnings
