"""Hints that something else than the ControlNet works on first, in windows: a VAE, an adapter."""

from types import SimpleNamespace

import comfy.controlnet
import pytest
import torch
from nodes import ControlNetApplyAdvanced

from .specimen import model
from .test_what_is_cut_to_windows import HEIGHT, HINT, WIDTH, halves_are_pictures, pixels, texts
from .tiny.extras import tiny_controlnet


class Vae:
    """Leaves pixels as they are, and counts."""

    def __init__(self):
        self.encoded = []

    def spacial_compression_encode(self):
        return 1

    def encode(self, pictures):
        self.encoded.append(tuple(pictures.shape[1:3]))
        return pictures.movedim(-1, 1)


class Adapter(torch.nn.Module):
    """Features for the first block and the one that halves the sides."""

    channels_in, unshuffle_amount, xl = 3, 8, False

    def forward(self, hint):
        fine = torch.nn.functional.avg_pool2d(hint, 8).mean(1, keepdim=True)
        features = fine * torch.linspace(-3, 3, 32)[:, None, None]
        return {"input": [torch.nn.functional.avg_pool2d(features, 2), None, features]}


def under(control, vae=None):
    """(positive, negative) of a hint."""
    positive, negative, _ = texts()
    return lambda hint: ControlNetApplyAdvanced().apply_controlnet(
        positive, negative, control, hint, 0.4, 0.0, 1.0, vae=vae
    )


def test_a_hint_for_a_vae():
    """Is encoded once for each window, as it is once in a run of its half: not in each step."""
    control, vae = tiny_controlnet(model("sd15")), Vae()
    control.latent_format = SimpleNamespace(process_in=lambda latent: latent)
    given = under(control, vae)
    halves_are_pictures("sd15", given(HINT), lambda columns: given(HINT[:, :, pixels(columns)]), images=2)
    assert vae.encoded == [(HEIGHT * 8, WIDTH * 8)] * 4  # two windows, two halves


def test_adapters(caplog):
    """See their part of the hint."""
    given = under(comfy.controlnet.T2IAdapter(Adapter(), 3, 8, "nearest-exact"))
    halves_are_pictures("sd15", given(HINT), lambda columns: given(HINT[:, :, pixels(columns)]), images=2)
    assert "could not be applied" not in caplog.text
    with pytest.raises(AssertionError, match="differs by"):
        halves_are_pictures("sd15", given(HINT), lambda columns: texts()[:2], images=2)
