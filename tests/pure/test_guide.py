"""A picture that is noised afresh."""

import torch
from attention_control.attention_patches.guests.guide import NoisedPicture

PICTURE = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(1))


def noise_of(guide, sigma):
    return (guide.at(sigma) - guide.picture) / sigma


def test_each_level_and_image_has_noise_of_its_own():
    """Of unit variance, the same whenever it is asked for; another seed has other noise."""
    guide = NoisedPicture(PICTURE)
    noises = [*noise_of(guide, 3.0), *noise_of(guide, 2.9), *noise_of(NoisedPicture(PICTURE, seed=1), 3.0)]
    assert torch.equal(guide.at(3.0), guide.at(3.0))
    for i, noise in enumerate(noises):
        assert abs(float(noise.std()) - 1) < 0.02
        assert all(abs(float((noise * other).mean())) < 0.05 for other in noises[:i])


def test_an_image_has_its_noise_whatever_its_company():
    """The first of two is the first alone."""
    assert torch.equal(NoisedPicture(PICTURE).at(5.0)[:1], NoisedPicture(PICTURE[:1]).at(5.0))


def test_without_noise_it_is_the_picture():
    """And noise of a level that differs by rounding is the same."""
    guide = NoisedPicture(PICTURE)
    assert torch.equal(guide.at(0.0), PICTURE) and guide.images == 2
    assert torch.allclose(noise_of(guide, 3.0), noise_of(guide, 3.0 * (1 + 1e-6)), atol=1e-4)
