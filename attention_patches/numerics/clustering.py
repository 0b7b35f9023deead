"""k-means, from scikit-learn."""

import torch
from torch import Tensor

from .finite import REMEDY, all_finite
from .scikit_learn import needed_for

RESTARTS = 10  # of which the best counts


def k_means(
    samples: Tensor, clusters: int, seed: int, begin_at: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(n, features) -> the cluster of each sample, (n,) int64, and the centres (clusters, features).

    Begins at the given centres, or at several drawn from `seed`; the same on every machine. Raises
    ValueError for samples that are no numbers, RuntimeError if scikit-learn is missing.
    """
    if not all_finite(samples):
        raise ValueError(f"model: its attention is not a number (NaN), so there is nothing to find. {REMEDY}")
    with needed_for("segmentation"):
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits
    begin = {"n_init": RESTARTS} if begin_at is None else {"n_init": 1, "init": begin_at.numpy()}
    with threadpool_limits(1):  # faster for so few samples
        found = KMeans(clusters, random_state=seed, **begin).fit(samples.numpy())
    return torch.from_numpy(found.labels_).long(), torch.from_numpy(found.cluster_centers_)
