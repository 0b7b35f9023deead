"""Two methods of ours in a row, compiled models, windows over the batch, and every kind of sampler."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import comfy.context_windows
import pytest
import torch
from attention_control.attention_patches.contract.attention_part import AttentionPart
from attention_control.attention_patches.methods.style_aligned.method import Alignment
from attention_control.nodes.host.run.install import install
from comfy_api.torch_helpers import set_torch_compile_wrapper

from .just import Just
from .laws import run
from .methods import METHODS
from .specimen import FLAT, IMAGES, SHALLOW, model
from .tiny import assert_same_image

METHOD = METHODS[0]


@dataclass(kw_only=True)
class Nested:
    """Two parts as one, the second round the first."""

    order: ClassVar = "edit"
    first: AttentionPart
    second: AttentionPart

    def wants(self, site):
        return self.first.wants(site)

    def __call__(self, site, qkv, attend):
        return self.second(site, qkv, partial(self.first, site, attend=attend))


@pytest.mark.parametrize("shape", ["sdxl"])
def test_the_later_node_is_the_outer_one(shape):
    """Two nodes with different references: the order matters, and is that of the nodes."""
    first, second = (METHOD.make(model(shape), reference=reference) for reference in (0, 1))
    images = run(install(install(model(shape), first), second), shape)
    nested = Nested(first=Alignment(first), second=Alignment(second))
    assert torch.equal(images, run(install(model(shape), Just([nested])), shape))
    other = run(install(install(model(shape), second), first), shape)
    assert not torch.allclose(images, other, rtol=0.01)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2s_ancestral", "uni_pc", "lcm"])
def test_any_sampler(sampler):
    """Samplers that call the model between steps or add noise: the reference stays, the rest moves."""
    plain = run(model(SHALLOW), SHALLOW, sampler=sampler, steps=3)
    images = run(METHOD.on(model(SHALLOW)), SHALLOW, sampler=sampler, steps=3)
    assert torch.equal(images[0], plain[0])
    assert not torch.allclose(images[1:], plain[1:], rtol=0.01)


def test_noise_mask():
    """Inpainting works: what the mask keeps is kept, and the reference is as it would be alone."""
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., 5:] = 1
    how = {"noise_mask": mask, "latent": torch.full((IMAGES, 4, 6, 10), 0.5)}
    plain, images = (run(x, SHALLOW, **how) for x in (model(SHALLOW), METHOD.on(model(SHALLOW))))
    assert torch.equal(images[..., :5], plain[..., :5])
    assert torch.equal(images[0], plain[0])
    assert not torch.allclose(images[1:], plain[1:], rtol=0.01)


def test_windows_over_the_batch_are_left_alone(caplog):
    """Where the host cuts the batch into windows we step aside, in every window, and say why."""
    windows = comfy.context_windows.IndexListContextHandler(
        context_schedule=comfy.context_windows.get_matching_context_schedule("standard_static"),
        fuse_method=comfy.context_windows.get_matching_fuse_method("pyramid"),
        context_length=2,
        context_overlap=1,
        dim=0,
    )

    def windowed(patcher):
        clone = patcher.clone()
        clone.model_options["context_handler"] = windows
        return clone

    images = run(windowed(METHOD.on(model(SHALLOW))), SHALLOW)
    assert torch.equal(images, run(windowed(model(SHALLOW)), SHALLOW))
    assert "it touched no attention layer: context windows cut the batch or the picture" in caplog.text


def compiled(patcher):
    """As the host's TorchCompileModel does, with a backend that runs the traced graph as it is."""

    def backend(graph, inputs, **options):
        return graph.forward

    def skip(guards):
        return ["transformer_options" not in guard.name for guard in guards]

    clone = patcher.clone()
    set_torch_compile_wrapper(model=clone, backend=backend, options={"guard_filter_fn": skip})
    return clone


@pytest.mark.slow
def test_compiled_models():
    """A compiled model, already traced without us, gives what the method gives on the plain one, and stays
    right afterwards."""
    torch._dynamo.reset()
    fast = compiled(model(FLAT))
    plain = run(model(FLAT), FLAT)
    assert_same_image(run(fast, FLAT), plain)
    for how in ({}, {"during": (0.0, 0.5)}):
        assert_same_image(run(METHOD.on(fast, **how), FLAT), run(METHOD.on(model(FLAT), **how), FLAT))
    assert_same_image(run(fast, FLAT), plain)
