"""Gradients where weights lie in eight bits: those of the weights they stand for."""

import pytest
import torch

from .inventory import inventory
from .slopes import SIZE, slope
from .test_gradients import corner
from .tiny import conditioning, sample
from .tiny.quantised import cast_model, in_full, scaled_model

MODELS = {
    "fp8": (lambda shape: cast_model(shape, torch.float8_e4m3fn), 1e-4),
    "fp8, other": (lambda shape: cast_model(shape, torch.float8_e5m2), 1e-4),
    "scaled fp8": (lambda shape: scaled_model(shape, "float8_e4m3fn"), 1e-4),
    "int8": (lambda shape: scaled_model(shape, "int8_tensorwise"), 0.15),  # inputs are rounded, too
}


@pytest.mark.parametrize(
    ("shape", "made", "tolerance"),
    [(shape, *MODELS[name]) for shape, name in zip(("sd15", "sd2", "sdxl", "sd15"), MODELS, strict=True)],
    ids=MODELS,
)
def test_eight_bits(shape, made, tolerance):
    """The host casts or scales the weights; the gradient is that of the cast and scaled ones, and the model
    stays as it is."""
    model = made(shape)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    sample(model, *prompts, batch=2, steps=1, **SIZE)  # the host has loaded it
    before = inventory(model)
    found = slope(model, prompts, corner(model))[1].gradient
    full = in_full(model, shape)
    expected = slope(full, prompts, corner(full))[1].gradient
    assert float((found - expected).norm() / expected.norm()) < tolerance
    assert inventory(model) == before
