"""Cross-Image Attention in the host: against the authors' way, its identities, what it leaves alone."""

from dataclasses import replace
from functools import cache

import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.methods.cross_image import method as cross_image
from attention_control.attention_patches.methods.cross_image.latent_adain import LatentAdaIN
from attention_control.attention_patches.methods.cross_image.method import SWAPPED, CrossImage
from attention_control.nodes.host.families import family_of
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention
from comfy_api.latest import io

from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, split_calls
from .transfers import SIZE, authors_way, inverted, prompt, sampled

DEFAULTS = {
    "contrast": 1.67,
    "swap_guidance": 3.5,
    "refresh_structure_every": 5,
    "adain": "masked",
    "subject": "",
    "layers": "paper",
    "begin_percent": 0.32,
    "start_percent": 0.43,
    "end_percent": 1.0,
}
WHOLE = {"begin_percent": 0.0, "start_percent": 0.0, "adain": "off"}
HALF = {**WHOLE, "begin_percent": 0.5}


def transfer(shape, structure, appearance, patcher=None, **settings):
    """The node's outputs, as the server calls it."""
    node = CrossImageAttention.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    how = {**DEFAULTS, **settings}
    return node.execute(patcher or model(shape), structure, appearance, **how).args


def output(shape, structure, appearance, **settings):
    """Latents of one run at cfg 1 with the inversions' prompt."""
    return sampled(transfer(shape, structure, appearance, **settings), prompt(shape))


def picture(shape, inversion):
    """The inverted latents as a LATENT holds them."""
    return model(shape).get_model_object("latent_format").process_out(inversion.picture)


def paper_places(shape):
    """The decoder's blocks with attention on the two levels that it has."""
    return sorted(
        {(x.block, x.number) for x in family_of(model(shape)).layer_map().layers if x.block == "output"}
    )


# eight steps at 0.12, 0.25, 0.37, ... 1 of the schedule: the first is left out, and the next two swap nothing
OURS = {
    "begin_percent": 0.2,
    "start_percent": 0.45,
    "adain": "whole",
    "adain_start_percent": 0.55,
    "refresh_structure_every": 2,
}


@cache
def theirs(shape):
    return authors_way(
        shape,
        inverted(shape, 1),
        inverted(shape, 2),
        places=paper_places(shape),
        first=1,
        swapped=range(1, 7),
        adain_from=3,
        every=2,
    )


def equals_the_authors_way(shape):
    ours = output(shape, inverted(shape, 1), inverted(shape, 2), **OURS)
    assert_same_image(ours, theirs(shape), tolerance=2e-3)


@pytest.mark.parametrize("shape", [SHALLOW, "sdxl"])
def test_it_equals_the_authors_way(shape):
    """Batch of three, explicit maps in float64, two passes a step: the same latents as ours from one row and
    guests, with refreshes, contrast, guidance and AdaIN."""
    equals_the_authors_way(shape)


BROKEN = {
    "guidance stays": (CrossImage, "guidance", lambda self, step: self.swap_guidance),
    "no refresh": (CrossImage, "refreshes", lambda self, step: False),
    "refresh to the end": (CrossImage, "refreshes", lambda self, step: step % self.refresh_every == 0),
    "a step late": (CrossImage, "step", lambda self, sigma, right=CrossImage.step: right(self, sigma) + 1),
    "contrast renormalised": (
        cross_image,
        "contrasted",
        lambda *x, right=cross_image.contrasted: right(*x) / right(*x).sum(-1, keepdim=True),
    ),
    "AdaIN of the state before": (
        LatentAdaIN,
        "__call__",
        lambda self, latents, done, right=LatentAdaIN.__call__: right(
            replace(self, appearance=replace(self.appearance, states=self.appearance.states.roll(1, 0))),
            latents,
            done,
        ),
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_comparison_bites(fault, monkeypatch):
    """Each of these mistakes shows."""
    monkeypatch.setattr(*BROKEN[fault])
    with pytest.raises(AssertionError, match="differs by"):
        equals_the_authors_way(SHALLOW)


@pytest.mark.parametrize("shape", ["sd2"])
def test_a_picture_in_its_own_appearance_is_itself(shape):
    """Without contrast the output sees exactly its own keys, and takes over its own statistics."""
    structure = inverted(shape, 1)
    out = output(
        shape, structure, structure, contrast=1.0, adain="whole", begin_percent=0.0, start_percent=0.0
    )
    assert_same_image(out, picture(shape, structure), tolerance=2e-3)


@pytest.mark.parametrize("nothing", [{"end_percent": 0.43}, {"start_percent": 1.0}])
def test_an_empty_range_is_the_reconstruction(nothing):
    """Whatever the other inputs say; AdaIN, too, is part of what is switched off."""
    structure = inverted(SHALLOW, 1)
    out = output(SHALLOW, structure, inverted(SHALLOW, 2), **nothing)
    assert_same_image(out, picture(SHALLOW, structure))


@cache
def in_one_appearance():
    """Two structures."""
    return output(SHALLOW, inverted(SHALLOW, 1, images=2), inverted(SHALLOW, 9), adain="whole")


def test_two_structures_do_not_leak_into_each_other():
    """A row of two is what it is with another neighbour, and what the single structure gives."""
    two = in_one_appearance()
    alone = output(SHALLOW, inverted(SHALLOW, 1), inverted(SHALLOW, 9), adain="whole")
    assert_same_image(two[:1], alone, tolerance=2e-3)
    assert not torch.allclose(two[1:], alone, rtol=0.05)


def test_each_structure_may_have_an_appearance_of_its_own():
    """Two of each: row by row."""
    structures, appearances = inverted(SHALLOW, 1, images=2), inverted(SHALLOW, 9, images=2)
    both = output(SHALLOW, structures, appearances, adain="whole")
    first = in_one_appearance()
    assert_same_image(both[:1], first[:1], tolerance=2e-3)
    assert not torch.allclose(both[1:], first[1:], rtol=0.05)


@pytest.mark.parametrize("size", [(4, 17)])
def test_pictures_of_different_size(size):
    """The output has the structure's size; the appearance keeps its own, and matters."""
    structure = inverted(SHALLOW, 1)
    one, other = (output(SHALLOW, structure, inverted(SHALLOW, seed, size), adain="whole") for seed in (2, 3))
    assert one.shape[-2:] == SIZE
    assert one.isfinite().all() and not torch.allclose(one, other, rtol=0.05)


def test_one_call_or_two_in_any_order_the_same_picture():
    """With cfg and a negative prompt of its own: batched, split, and with two texts of one role."""
    shape, how = SHALLOW, {"cfg": 3.0}
    given = transfer(shape, inverted(shape, 1), inverted(shape, 2, (8, 8)), **HALF)
    positive, negative = prompt(shape), conditioning(model(shape), seed=2)
    together = sampled(given, positive, negative, **how)
    with split_calls(model(shape), rows=1):
        assert_same_image(sampled(given, positive, negative, **how), together, tolerance=5e-4)
    assert_same_image(sampled(given, positive + positive, negative, **how), together, tolerance=5e-4)


def with_sampler(given, name):
    """The node's outputs with a sampler of the host in place of ours."""
    return sampled((given[0], comfy.samplers.sampler_object(name), *given[2:]), prompt(SHALLOW))


def test_another_sampler_may_walk_the_same_road():
    """From the node's LATENT without noise, on its SIGMAS: euler is how DDIM inversion is replayed; one that
    calls between the steps, too, works."""
    structure, appearance = (inverted(SHALLOW, seed, method="ddim", steps=4) for seed in (1, 2))
    given = transfer(SHALLOW, structure, appearance, **WHOLE, refresh_structure_every=0)
    assert_same_image(with_sampler(given, "euler"), sampled(given, prompt(SHALLOW)), tolerance=1e-3)
    plain = transfer(SHALLOW, structure, appearance, **WHOLE, end_percent=0.0)
    heun = with_sampler(given, "heun")
    assert heun.isfinite().all() and not torch.allclose(heun, with_sampler(plain, "heun"), rtol=0.05)


def test_sd15_and_sdxl_have_the_papers_layers():
    """SD1.5: the decoder at 64 x 64 and 32 x 32; SDXL: at 64 x 64 and 32 x 32, as its port would."""
    for shape, latent, blocks in (
        ("sd15", (64, 64), {6, 7, 8, 9, 10, 11}),
        ("sdxl", (128, 128), set(range(6))),
    ):
        real = model(f"{shape}, real")
        layers = family_of(real).layer_map()
        chosen = family_of(real).presets(latent)[SWAPPED].layers
        assert {(x.block, x.number) for x in layers.layers if x.ordinal in chosen} == {
            ("output", number) for number in blocks
        }
        grids = {family_of(real).layer_sizes(latent)[n].grid for n in chosen}
        assert grids == {(64, 64), (32, 32)}
