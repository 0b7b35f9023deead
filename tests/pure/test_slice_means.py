"""Means over time slices, against plain means of everything that fell into each."""

import torch
from attention_control.attention_patches.maps.recorders.running_means import SliceMeans


def test_each_slice_is_the_mean_of_what_fell_into_it():
    """In query chunks, and also for a sampler that goes back to an earlier slice and on again."""
    generator = torch.Generator().manual_seed(0)
    means, fallen = SliceMeans(), {}
    for slice_ in (0, 0, 2, 0, 2, 2, 5, 0):
        values = torch.rand(2, 1, 6, 4, generator=generator)
        fallen.setdefault(slice_, []).append(values)
        mean = means.of(slice_, values.shape, torch.device("cpu"))
        for queries in (slice(0, 4), slice(4, 6)):
            mean.add(values[:, :, queries], queries)
    stacked = means.stack([0, 2, 5])
    assert stacked is not None
    for kept, values in zip(stacked, fallen.values(), strict=True):
        assert torch.allclose(kept.float(), torch.stack(values).mean(0), atol=2e-3)


def test_a_slice_that_never_came_is_told():
    """Maps that lack a slice which others have are not stacked with a hole."""
    means = SliceMeans()
    means.of(0, (1, 1, 2, 2), torch.device("cpu")).add(torch.rand(1, 1, 2, 2), slice(0, 2))
    assert means.stack([0, 1]) is None
