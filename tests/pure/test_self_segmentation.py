"""Self-Segmentation against regions that are known, and against the paper's formulas in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_control.attention_patches.maps.averages import self_map
from attention_control.attention_patches.maps.self_segmentation.segmentation import SelfSegmentation
from attention_control.attention_patches.numerics.clustering import k_means
from attention_control.attention_patches.text.words import Word

from .blocks import four_regions, maps_of, scene
from .recorded import recorded, without

CAT, DOG, HAT = Word("cat", (2,)), Word("dog", (4,)), Word("red hat", (6, 7))
REGIONS = four_regions()
WORDS = {2: 1, 4: 2, 6: 3, 7: 3}
KNOWN = maps_of(scene(REGIONS, WORDS))


def segment(maps=KNOWN, words=(CAT, DOG, HAT), image=0, **settings):
    """The segmentation of one image."""
    return SelfSegmentation(**{"segments": 4, **settings})(maps, words)[image]


def masks(found):
    """(subjects, h, w) on the grid."""
    return found.masks(found.clusters)


def transposed(maps):
    """The same maps, had the picture been turned over its diagonal."""

    def layer(x):
        order = torch.arange(x.grid[0] * x.grid[1]).view(x.grid).T.flatten()
        cross = {r: t[..., order, :] for r, t in x.cross_attention.items()}
        own = {r: t[..., order, :][..., order] for r, t in x.self_attention.items()}
        return replace(x, grid=x.grid[::-1], cross_attention=cross, self_attention=own)

    return replace(maps, layers=tuple(layer(x) for x in maps.layers), latent=maps.latent[::-1])


def test_blocks_of_self_attention_come_back():
    """Places that look at one region are one segment; segments are numbered by size."""
    assert torch.equal(segment().clusters, REGIONS)


def test_labels_follow_the_words():
    """Each segment has the word that is looked at from it, whichever that is; the rest is background."""
    assert segment().labels == (None, 0, 1, 2)
    swapped = maps_of(scene(REGIONS, {2: 3, 4: 1, 6: 2, 7: 2}))
    assert segment(swapped).labels == (None, 1, 2, 0)
    assert torch.equal(masks(segment(swapped)), torch.stack([n == REGIONS for n in (3, 1, 2)]))


def test_places_of_tokens_do_not_matter():
    """The same words at other positions of the text give the same segments and scores."""
    moved = maps_of(scene(REGIONS, {8: 1, 1: 2, 3: 3, 5: 3}))
    found = segment(moved, (Word("cat", (8,)), Word("dog", (1,)), Word("red hat", (3, 5))))
    assert torch.equal(found.clusters, segment().clusters) and found.labels == segment().labels
    assert torch.allclose(found.scores, segment().scores, atol=1e-5)


def test_the_order_of_subjects_is_that_of_the_masks():
    """Subjects in another order give the same masks in that order."""
    assert torch.equal(masks(segment(words=(HAT, CAT, DOG))), masks(segment())[[2, 0, 1]])


def test_a_turned_picture_has_turned_masks():
    """Rows and columns count alike: not square, and nothing is swapped."""
    found = segment(transposed(KNOWN))
    assert torch.equal(found.clusters, REGIONS.T) and found.labels == segment().labels
    assert torch.equal(found.enlarged((60, 40)).T, segment().enlarged((40, 60)))
    picture = torch.rand(40, 60, 3, generator=torch.Generator().manual_seed(1))
    turned = found.sharpened(picture.transpose(0, 1)).T
    assert (turned == segment().sharpened(picture)).float().mean() > 0.999  # but for rounding


@pytest.mark.parametrize("seed", range(5))
def test_masks_share_out_the_picture(seed):
    """On the grid, enlarged and sharpened, every place belongs to one subject or to the background."""
    found = segment(recorded(seed=seed), segments=6, threshold=0.2)
    picture = torch.rand(30, 45, 3, generator=torch.Generator().manual_seed(seed))
    for clusters in (found.clusters, found.enlarged((30, 45)), found.sharpened(picture)):
        labels = torch.tensor([label is None for label in found.labels])
        covered = found.masks(clusters).int().sum(0) + labels[clusters].int()
        assert torch.equal(covered, torch.ones_like(covered))
        assert torch.equal(found.segments(clusters).int().sum(0), torch.ones_like(covered))


def test_images_of_a_batch_know_nothing_of_each_other():
    """Each image is segmented as it would be alone."""
    other = REGIONS.flip(0, 1)
    batch = maps_of(scene(REGIONS, WORDS), scene(other, {4: 1, 2: 2}, seed=1))
    alone = [maps_of(scene(REGIONS, WORDS)), maps_of(scene(other, {4: 1, 2: 2}, seed=1))]
    for image, single in enumerate(alone):
        found, expected = segment(batch, image=image), segment(single)
        assert torch.equal(found.clusters, expected.clusters) and found.labels == expected.labels
        assert torch.allclose(found.scores, expected.scores)
    assert segment(batch, image=1).labels == (None, 1, 0, None)


def test_the_seed_decides():
    """On attention without clear segments the same seed gives the same ones, another seed others."""
    maps = recorded(grids=((12, 12),))
    same, other = (
        [segment(maps, segments=8, seed=seed).clusters for seed in (3, 3)],
        segment(maps, segments=8, seed=4),
    )
    assert torch.equal(*same)
    assert not torch.equal(same[0], other.clusters)


def naive_map(maps, word, grid, image):
    """(h, w) in float64: the mean of a word's pieces, each layer enlarged for itself."""
    enlarged = []
    for layer in maps.layers:
        kept = layer.cross_attention["positive"][:, image].double()  # (slices, heads, N, tokens)
        for position in word.positions:
            piece = kept.mean((0, 1))[:, position].view(1, 1, *layer.grid)
            large = torch.nn.functional.interpolate(piece, grid, mode="bicubic")
            enlarged.append(large[0, 0].clamp(min=0))
    return (sum(enlarged) / len(enlarged)).numpy()


def naive_scores(maps, words, clusters, image):
    """The paper's score of each segment for each word, place by place."""
    height, width = clusters.shape
    scores = []
    for number in range(int(clusters.max()) + 1):
        rows = []
        for word in words:
            mean = naive_map(maps, word, (height, width), image)
            scaled = (mean - abs(mean.min())) / mean.max()
            inside = [scaled[y, x] for y in range(height) for x in range(width) if clusters[y, x] == number]
            rows.append(sum(inside) / len(inside))
        scores.append(rows)
    return np.array(scores)


@pytest.mark.parametrize("image", [0, 1])
def test_scores_and_labels_equal_the_naive_ones(image):
    """Mean over layers, times, heads and pieces of a word, scaled, then the mean inside each segment."""
    maps, words = recorded(grids=((4, 6), (8, 12), (2, 3))), (CAT, DOG, HAT)
    found = segment(maps, words, image=image, segments=5, threshold=0.45)
    expected = naive_scores(maps, words, found.clusters, image)
    assert np.abs(found.scores.numpy() - expected).max() < 1e-5
    for row, label in zip(expected, found.labels, strict=True):
        assert label == (int(row.argmax()) if row.max() >= 0.45 else None)


def inertia(rows, clusters):
    """Sum of squared distances to the means of the clusters."""
    means = {n: rows[clusters == n].mean(0) for n in set(clusters.tolist())}
    return sum(float(((rows[clusters == n] - mean) ** 2).sum()) for n, mean in means.items())


def lloyd(rows, number, rng):
    """K-means from random rows, in float64."""
    means = rows[rng.choice(len(rows), number, replace=False)]
    for _ in range(50):
        nearest = ((rows[:, None] - means) ** 2).sum(-1).argmin(1)
        means = np.stack(
            [rows[nearest == n].mean(0) if (nearest == n).any() else means[n] for n in range(number)]
        )
    return nearest


def test_segments_are_as_tight_as_naive_k_means():
    """Every row is nearest to its own segment's mean, and ten plain runs of Lloyd find nothing tighter."""
    maps = recorded(grids=((8, 8), (4, 4)))
    rows = self_map(maps, (8, 8)).double().numpy()
    found = segment(maps, segments=5).clusters.flatten().numpy()
    means = np.stack([rows[found == n].mean(0) for n in range(5)])
    assert np.array_equal(((rows[:, None] - means) ** 2).sum(-1).argmin(1), found)
    rng = np.random.default_rng(0)
    assert inertia(rows, found) <= 1.02 * min(inertia(rows, lloyd(rows, 5, rng)) for _ in range(10))


def test_the_finest_grid_gives_the_segments():
    """Coarser self-attention does not count, unless `layers` leaves out the finer one."""
    halves = (torch.arange(24).view(4, 6) // 12).long()
    fine, coarse = scene(REGIONS, WORDS)[0], scene(halves, {2: 1})[0]
    maps = maps_of([coarse, fine])
    assert torch.equal(segment(maps).clusters, REGIONS)
    assert torch.equal(segment(maps, segments=2, layers={1}).clusters, halves)


def test_layers_give_the_scores_too():
    """Of two layers that look at a word from different places, the chosen one names its segment."""
    maps = maps_of([scene(REGIONS, {2: 1})[0], scene(REGIONS, {2: 2})[0]])
    assert segment(maps, (CAT,), layers={1}).labels == (None, 0, None, None)
    assert segment(maps, (CAT,), layers={2}).labels == (None, None, 0, None)


def test_the_threshold_is_the_lowest_score_with_a_label():
    """Above all scores everything is background, and no mask holds anything."""
    maps = recorded()
    best = float(segment(maps).scores.max())
    at, above = segment(maps, threshold=best), segment(maps, threshold=best + 1e-3)
    assert sum(label is not None for label in at.labels) == 1
    assert above.labels == (None,) * 4 and not masks(above).any()


def test_a_word_that_is_looked_at_nowhere_has_no_segment():
    """A flat or empty map scores nothing, and nothing is undefined."""
    found = segment(maps_of(scene(REGIONS, {2: 1})), (CAT, DOG))
    assert found.labels == (None, 0, None, None)
    empty = replace(
        KNOWN,
        layers=tuple(
            replace(x, cross_attention={"positive": torch.zeros_like(x.cross_attention["positive"])})
            for x in KNOWN.layers
        ),
    )
    assert segment(empty).labels == (None,) * 4 and not segment(empty).scores.any()


def test_sharpened_borders_lie_on_the_edges_of_the_picture():
    """A subject that ends between two places of the grid is cut out at its true edge, whatever is inside."""
    truth = torch.zeros(64, 96, dtype=torch.bool)
    truth[11:37, 10:43] = True  # cells are 8 pixels wide
    regions = (torch.nn.functional.avg_pool2d(truth[None].float(), 8)[0] > 0.5).long()
    picture = (
        torch.tensor([0.2, 0.5, 0.9]) * truth[..., None] + torch.tensor([0.8, 0.7, 0.4]) * ~truth[..., None]
    )
    found = segment(maps_of(scene(regions, {2: 1})), (CAT,), segments=2)
    flat = found.masks(found.enlarged((64, 96)))[0]
    sharp = found.masks(found.sharpened(picture))[0]
    assert (flat ^ truth).sum() > 150
    assert (sharp ^ truth).sum() < 10


@pytest.mark.parametrize(
    ("maps", "settings", "message"),
    [
        (KNOWN, {"segments": 97}, "segments is 97.* 96 places"),
        (without(KNOWN, "self_attention"), {}, "self-attention"),
        (without(KNOWN, "cross_attention"), {}, "cross-attention"),
        (KNOWN, {"words": (Word("owl", (9,)),)}, "'owl' is token 9.* 9 tokens"),
    ],
)
def test_what_is_missing_is_named(maps, settings, message):
    """Too many segments, maps of one kind only, a prompt that is not the recorded one."""
    with pytest.raises(ValueError, match=message):
        segment(maps, **settings)


def test_samples_that_are_no_numbers():
    """One sentence instead of scikit-learn's page."""
    samples = torch.rand(12, 4)
    samples[3, 2] = float("nan")
    with pytest.raises(ValueError, match=r"^model: its attention is not a number \(NaN\)") as error:
        k_means(samples, 3, seed=0)
    assert len(str(error.value)) < 250
