"""Latent AdaIN against the formula in float64, and masks on the latents' grid."""

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.methods.cross_image.latent_adain import (
    LatentAdaIN,
    Masks,
    everywhere,
    fitted,
    masked_adain,
    paired,
)

LATENTS = torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(0)) * 3 + 1
OTHER = torch.randn(2, 4, 6, 4, generator=torch.Generator().manual_seed(1))
INSIDE = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.5
THERE = torch.rand(2, 6, 4, generator=torch.Generator().manual_seed(3)) > 0.5


def naive(x, r, inside, there):
    """One picture in float64, channel by channel, cell by cell."""
    out = x.double().clone()
    for channel in range(len(x)):
        own = [float(v) for v, m in zip(x[channel].flatten(), inside.flatten(), strict=True) if m]
        other = [float(v) for v, m in zip(r[channel].flatten(), there.flatten(), strict=True) if m]
        mean_x, mean_r = sum(own) / len(own), sum(other) / len(other)
        spread_x = (sum((v - mean_x) ** 2 for v in own) / (len(own) - 1) + 1e-5) ** 0.5
        spread_r = (sum((v - mean_r) ** 2 for v in other) / (len(other) - 1) + 1e-5) ** 0.5
        for y in range(x.shape[1]):
            for z in range(x.shape[2]):
                if inside[y, z]:
                    out[channel, y, z] = (x[channel, y, z].double() - mean_x) / spread_x * spread_r + mean_r
    return out


def test_it_equals_the_formula():
    """Inside the masks as in float64, outside as before to the bit; pictures of different size."""
    out = masked_adain(LATENTS, OTHER, Masks(INSIDE, THERE))
    for image in range(2):
        expected = naive(LATENTS[image], OTHER[image], INSIDE[image], THERE[image])
        assert torch.allclose(out[image].double(), expected, atol=1e-5)
    outside = ~INSIDE[:, None].expand_as(LATENTS)
    assert torch.equal(out[outside], LATENTS[outside])
    assert not torch.equal(out, LATENTS)


def test_half_precision_keeps_its_type_and_loses_nothing():
    """Half precision in, half precision out, as near to float64 as it allows."""
    out = masked_adain((LATENTS + 50).half(), OTHER.half(), Masks(INSIDE, THERE))
    assert out.dtype == torch.float16
    expected = naive((LATENTS + 50).half()[0], OTHER.half()[0], INSIDE[0], THERE[0])
    assert (out[0].double() - expected)[:, INSIDE[0]].abs().max() < 0.01


@pytest.mark.parametrize("size", [(5, 7), (40, 56), (41, 57), (3, 3), (1, 9)])
def test_masks_of_any_size_come_onto_the_grid(size):
    """A full mask stays full, an empty one empty, and the left half stays on the left."""
    left = torch.zeros(1, *size)
    left[..., : size[1] // 2 + 1] = 1.0
    on_grid = fitted(left, (5, 7), 1)
    assert on_grid.shape == (1, 5, 7) and on_grid.dtype == torch.bool
    assert on_grid[:, :, :2].all() and not on_grid[:, :, 5:].any()
    assert fitted(torch.ones(1, *size), (5, 7), 3).all()
    assert not fitted(torch.zeros(1, *size), (5, 7), 3).any()


def test_half_a_cell_is_enough():
    """A cell belongs to the mask if at least half of it does."""
    mask = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]])
    assert fitted(mask, (1, 1), 2).flatten().tolist() == [False, True]


def test_one_mask_for_all_or_one_for_each():
    """Any other number is refused, with what is possible."""
    assert fitted(torch.ones(1, 8, 8), (2, 2), 3).shape == (3, 2, 2)
    assert fitted(torch.ones(3, 8, 8), (2, 2), 3).shape == (3, 2, 2)
    with pytest.raises(ValueError, match="2 masks for 3 pictures: possible is 1 for all, or one for each"):
        fitted(torch.ones(2, 8, 8), (2, 2), 3)


@pytest.mark.parametrize("cells", [0, 1])
@pytest.mark.parametrize("empty", ["structure", "appearance"])
def test_an_empty_mask_makes_both_whole_for_its_picture(cells, empty):
    """No statistics of nothing, nor of a single cell; other pictures keep their masks."""
    masks = {"structure": INSIDE.clone(), "appearance": THERE.clone()}
    masks[empty][1] = False
    masks[empty][1].view(-1)[:cells] = True
    both = paired(masks["structure"], masks["appearance"])
    assert both.fallbacks == (1,)
    assert both.structure[1].all() and both.appearance[1].all()
    assert torch.equal(both.structure[0], INSIDE[0]) and torch.equal(both.appearance[0], THERE[0])
    assert masked_adain(LATENTS, OTHER, both).isfinite().all()


def test_it_works_from_its_first_step_on_with_the_state_of_that_step():
    """Before, latents stay as they are; after, the statistics are those of the stored state."""
    sigmas = torch.tensor([4.0, 2.0, 1.0, 0.0])
    states = torch.randn(4, 1, 4, 6, 4, generator=torch.Generator().manual_seed(4))
    appearance = Inversion("ddim", sigmas, states, None, ModelIdentity("none", ()))
    step = LatentAdaIN(appearance, Masks(everywhere(2, (5, 7)), everywhere(2, (6, 4))), first=1)
    assert torch.equal(step(LATENTS, 1), LATENTS)
    for done in (2, 3):
        out = step(LATENTS, done)
        for image in range(2):
            assert torch.allclose(out[image].mean((1, 2)), states[done, 0].mean((1, 2)), atol=1e-5)
            assert torch.allclose(out[image].std((1, 2)), states[done, 0].std((1, 2)), atol=1e-4)
