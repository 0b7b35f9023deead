"""Means over time slices, against plain means of everything that fell into each."""

import torch
from attention_control.attention_patches.maps.recorders.running_means import SliceMeans
from attention_control.attention_patches.numerics.running_mean import RunningMean


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


def test_whole_maps_and_parts_of_maps_are_weighed_together():
    """In whatever order they come; where images differ in their parts, each has weights of its own."""
    generator = torch.Generator().manual_seed(0)
    whole = torch.rand(2, 2, 1, 4, 3, generator=generator)  # two maps
    part = torch.rand(2, 1, 2, 3, generator=generator)
    share = torch.tensor([[0.25, 1.0], [0.5, 0.75]])[:, None, :, None]  # (images, 1, n, 1)
    mean = RunningMean(torch.zeros(2, 1, 4, 3))
    mean.add(whole[0], slice(0, 4))
    mean.add_parts(part * share, share, torch.tensor([1, 3]))
    for queries in (slice(0, 3), slice(3, 4)):
        mean.add(whole[1][:, :, queries], queries)
    sums, weights = whole.sum(0), torch.full((2, 1, 4, 1), 2.0)
    sums[:, :, [1, 3]] += part * share
    weights[:, :, [1, 3]] += share
    assert torch.equal(mean.weights, weights)
    assert torch.allclose(mean.values, sums / weights, atol=1e-6)
