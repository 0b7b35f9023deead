"""Gradients of joint attention with respect to the latents: differences, and checkpoints at the blocks."""

import pytest
import torch
from attention_control.nodes.host import measured_checkpoint
from attention_control.nodes.host.calls import slopes
from attention_control.nodes.host.families.blocks import block_checkpoints
from attention_control.nodes.host.private_weights import PrivateWeights
from attention_control.nodes.host.run.install import install

from .inventory import inventory
from .just import Just
from .slopes import Asker, Corner
from .tiny import assert_same_image
from .tiny.transformer_shapes import SIX, TRANSFORMERS
from .tiny.transformers import painted, transformer

KINDS = tuple(kind for kind in TRANSFORMERS if kind != "hidream")  # choosing experts is a step
CHECKPOINTED = ("flux", "flux2", "chroma", "qwen-image", "sd3", "wan", "hunyuan-image", "aura-flow")


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def corner(kind, last=2):
    """A loss of words and pixels in the first layers, of which the last is not the model's."""
    layers = frozenset(range(1, last + 1))
    return Corner(cross_layers=layers, self_layers=frozenset({last}))


def slope(kind, objective=None, **how):
    """(latents, slope) at the first call of a run."""
    asker = Asker(objective=objective or corner(kind), **how)
    out = painted(install(transformer(kind), Just([asker])), kind, batch=2, steps=1, cfg=1.0)
    return asker.latents[0], asker.slopes[0], out


@pytest.mark.parametrize("kind", KINDS)
def test_central_differences(kind):
    """Along the gradient, where the loss changes most; in float32, as the host's rotations are."""
    at, found, _ = slope(kind)
    steepest = found.gradient.flatten(1).norm(dim=1)
    along = found.gradient / steepest.reshape(-1, *[1] * (at.ndim - 1))
    step = 0.005 * float(at.norm())
    ahead, behind = (slope(kind, asked_at=at + sign * step * along)[1].losses for sign in (1, -1))
    assert torch.allclose(steepest, (ahead - behind) / (2 * step), rtol=0.02)
    assert (steepest * step > 3e-5).all(), "the loss does not depend on the latents"


@pytest.mark.parametrize("kind", CHECKPOINTED)
def test_checkpoints_change_nothing(kind, monkeypatch):
    """The gradient is that of a pass whose whole graph is held."""
    with_them = slope(kind, corner(kind, last=3))[1]
    monkeypatch.setattr(measured_checkpoint, "checkpoint", lambda compute, *streams, **_: compute(*streams))
    without = slope(kind, corner(kind, last=3))[1]
    assert torch.allclose(with_them.losses, without.losses)
    assert_same_image(with_them.gradient, without.gradient)


SILENT = [
    ("qwen-image", block_checkpoints, "as_it_is", lambda function: function),  # the last block for each
    ("flux", PrivateWeights, "kept", lambda self, value: value),  # streams as blocks have left them
]


@pytest.mark.parametrize(("kind", "where", "name", "mistake"), SILENT, ids=[name for _, _, name, _ in SILENT])
def test_what_would_be_wrong_without_a_word(kind, where, name, mistake, monkeypatch):
    """Either mistake gives another gradient, and no error."""
    right = slope(kind)[1].gradient
    monkeypatch.setattr(where, name, mistake)
    wrong = slope(kind)[1].gradient
    assert (wrong - right).norm() > 0.01 * right.norm()


@pytest.mark.parametrize("kind", SIX)
def test_asking_changes_nothing(kind):
    """A run in which a gradient is taken and not used gives the plain images to the bit, and leaves weights,
    their kind, modules, hooks and options as they were."""
    plain = painted(transformer(kind), kind, batch=2, steps=1, cfg=1.0)
    before = inventory(transformer(kind))
    _, found, out = slope(kind)
    assert torch.equal(out, plain) and found.gradient.abs().max() > 0
    assert inventory(transformer(kind)) == before
    assert all(p.grad is None and p.is_inference() for p in transformer(kind).model.parameters())


@pytest.mark.parametrize("kind", ["cosmos", "wan", "z-image"])
def test_a_second_try_is_the_first_one_at_another_scale(kind, monkeypatch):
    """What overflows is computed anew, from the first layer on."""
    right, beyond_float32 = slope(kind)[1], 2.0**129
    monkeypatch.setattr(slopes.LossScale, "__init__", lambda self: setattr(self, "value", beyond_float32))
    assert torch.allclose(slope(kind)[1].gradient, right.gradient, rtol=1e-3, atol=1e-8)
