"""Cross-Image Attention's settings against the paper's numbers."""

import pytest
import torch
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.methods.cross_image.method import CrossImage, contrasted

from .batches import batch


def inversion(steps=100, images=1, size=(4, 6), highest=14.6):
    sigmas = torch.cat([torch.linspace(highest, 0.1, steps), torch.zeros(1)])
    return Inversion("ddim", sigmas, torch.zeros(steps + 1, images, 4, *size), None, ModelIdentity("x", ()))


def transfer(structure=None, appearance=None, **settings):
    given = structure or inversion()
    return CrossImage(structure=given, appearance=appearance or given, layers=frozenset({1}), **settings)


def authors_refreshes(steps, every=5, until=40):
    """Where the authors' loop takes the structure's keys: attention goes by a counter that is set behind each
    step, to the step's number."""
    counter, found = 0, []
    for step in range(steps):
        if counter % every == 0 and counter < until:
            found.append(step)
        counter = step
    return found


def test_the_paper_skips_32_of_100_steps_and_refreshes_each_fifth_of_the_first_40():
    """Executed steps are counted anew from the first; the refresh lags one step behind."""
    patch = transfer(first=32)
    assert patch.executed == 68
    assert [i for i in range(68) if patch.refreshes(i)] == authors_refreshes(68)
    assert authors_refreshes(68) == [0, 1, 6, 11, 16, 21, 26, 31, 36]
    assert not any(transfer(first=32, refresh_every=0).refreshes(i) for i in range(68))
    assert [i for i in range(20) if transfer(inversion(20)).refreshes(i)] == [0, 1, 6, 11]


def test_guidance_falls_linearly_to_half_but_not_below_one():
    """The authors' linspace(g, max(g / 2, 1), steps)."""
    for g in (3.5, 1.5, 1.0):
        expected = torch.linspace(g, max(g / 2, 1), 68).tolist()
        patch = transfer(first=32, swap_guidance=g)
        assert [patch.guidance(i) for i in range(68)] == pytest.approx(expected, abs=1e-5)
    assert transfer(inversion(1), swap_guidance=3.5).guidance(0) == 3.5


def test_a_step_is_the_one_with_the_nearest_noise_level():
    """Also between the inversion's own levels, and before the first executed one."""
    patch = transfer(first=32)
    levels = patch.structure.sigmas.tolist()
    assert [patch.step(levels[i]) for i in (32, 33, 99)] == [0, 1, 67]
    assert patch.step(levels[40] * 1.001) == 8
    assert patch.step(levels[0]) == 0


def test_contrast_spreads_each_row_from_its_mean():
    """clip(beta A - (beta - 1) / N, 0, 1), as the paper's formula comes out for rows that sum to 1."""
    map_ = torch.randn(2, 3, 5, 11, generator=torch.Generator().manual_seed(0)).mul(3).softmax(-1)
    out = contrasted(map_, 11, 1.67)
    assert torch.allclose(out, (1.67 * map_ - 0.67 / 11).clamp(0, 1), atol=1e-6)
    assert float(out.min()) == 0.0
    assert torch.allclose(contrasted(map_, 11, 1.0), map_, atol=1e-7)


def test_contrast_leaves_appended_columns_alone():
    """What another patch appended is not the appearance."""
    map_ = torch.rand(1, 1, 2, 8)
    out = contrasted(map_, 5, 3.0)
    assert torch.equal(out[..., 5:], map_[..., 5:])
    assert torch.allclose(out[..., :5], contrasted(map_[..., :5], 5, 3.0))


def test_the_two_must_have_the_same_noise_levels():
    """The error says how to invert them."""
    with pytest.raises(
        ValueError, match=r"structure walked 100 steps from sigma 14.6, appearance 50 .*Invert"
    ):
        transfer(appearance=inversion(50))
    with pytest.raises(ValueError, match=r"100 from 7; both must have the same noise levels"):
        transfer(appearance=inversion(highest=7.0))


def test_one_appearance_for_all_or_one_for_each():
    """Three structures take one appearance or three; pictures may differ in size."""
    for images in (1, 3):
        transfer(inversion(images=3), inversion(images=images, size=(9, 2)))
    with pytest.raises(ValueError, match="appearance holds 2 pictures and structure 3: possible is 1"):
        transfer(inversion(images=3), inversion(images=2))


def test_a_run_over_other_latents_is_refused():
    """Number and size must be the structure's; the error names the output to connect."""
    patch = transfer(inversion(images=2))
    assert patch.start(batch(images=2, latent=(4, 6))) is None
    for images, latent in ((1, (4, 6)), (2, (6, 4))):
        with pytest.raises(ValueError, match=r"structure has 2 latent\(s\) of 4 x 6 cells. .*LATENT output"):
            patch.start(batch(images=images, latent=latent))


def test_swapped_keys_may_be_of_any_number():
    """Six queries attend to nine keys of another picture, as plain attention would."""
    q, k, v = (torch.randn(1, 2, n, 4) for n in (6, 9, 9))
    own = QKV(q, torch.randn(1, 2, 6, 4), torch.randn(1, 2, 6, 4))
    out = attention(own.swap(k, v), lambda *x: torch.nn.functional.scaled_dot_product_attention(*x[:3]))
    expected = (q.double() @ k.double().transpose(-1, -2) / 2).softmax(-1) @ v.double()
    assert torch.allclose(out.double(), expected, atol=1e-5)
    assert own.swap(k, v).swapped and not own.swapped
    with pytest.raises(ValueError, match="another picture's already"):
        own.swap(k, v).swap(k, v)


def test_keys_that_are_weighed_one_by_one_are_not_swapped_for_another_number():
    """A bias for six places says nothing of nine; for six others it does, and a single one for all does."""
    q, k, v = (torch.randn(1, 2, 6, 4) for _ in range(3))
    nine = torch.randn(1, 2, 9, 4)
    weighed = [QKV(q, k, v).add_bias(torch.zeros(1, 1, 1, 6)), QKV(q, k, v).edit_map(lambda map_, _: map_)]
    for own in weighed:
        with pytest.raises(ValueError, match="weighs single keys"):
            own.swap(nine, nine)
        assert own.swap(k, v).swapped
    assert QKV(q, k, v).add_bias(torch.zeros(1, 1, 1, 1)).swap(nine, nine).k.shape[2] == 9
