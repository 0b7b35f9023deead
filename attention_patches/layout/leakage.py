"""How much attention leaks between the subjects of a picture, from recorded attention.

The leakage that Dahary et al. ("Be Yourself", ECCV 2024, section 3) show: words that are seen in the boxes of
others, and pixels that look at the pixels of others; and the queries of the subjects' pixels, which lie the
nearer to each other the more they are blended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..maps.averages import Layers, Slices, cross_of, self_of
from ..maps.recorded import AttentionMaps, RecordedLayer
from ..maps.word_maps import word_columns
from ..numerics.scikit_learn import needed_for
from ..text.words import Word
from .regions import Layout, Subject

ROLE = "positive"


@dataclass(frozen=True)
class Leakage:
    """Of one image with S subjects; None where it was not recorded.

    `words[s, r]`: which part of the attention that the words of s get lies in the place of r; last outside
    all. `pixels[s, r]`: which part of what the cells of s look at lies in the place of r; last the
    background. Rows sum to 1; a cell of several subjects counts as one's own, or else in equal parts.
    `strength[s, r]` is the mean probability of the words of s in the place of r.
    """

    subjects: tuple[Subject, ...]
    areas: Tensor  # (S,) parts of the picture
    together: Tensor  # (S,) the same of all places of subjects of these words
    words: Tensor | None = None  # (S, S + 1)
    strength: Tensor | None = None  # (S, S)
    pixels: Tensor | None = None  # (S, S + 1)
    queries: Tensor | None = None  # (n, 2): two main components of the queries of the subjects' cells
    owners: Tensor | None = None  # (n,) whose

    def alike(self, subject: int) -> list[int]:
        """The subjects of the same words, itself among them."""
        return _alike(self.subjects, self.subjects[subject])

    def words_own(self, subject: int) -> float:
        """Which part of its words' attention lies where subjects of these words are."""
        assert self.words is not None
        return float(self.words[subject, self.alike(subject)].sum())

    def taken_by(self, subject: int) -> int | None:
        """The subject of other words whose words are the strongest in this one's place, if they are."""
        assert self.strength is not None
        best = int(self.strength[:, subject].argmax())
        return None if best in self.alike(subject) else best

    def concentration(self, subject: int) -> float:
        """How much denser its words' attention is where it should be than over the whole picture."""
        return self.words_own(subject) / max(float(self.together[subject]), 1e-12)


def leakage(
    maps: AttentionMaps, layout: Layout, *, image: int, layers: Layers = None, slices: Slices = None
) -> Leakage:
    """Of one image, means over layers (by ordinal, all if None), heads and time slices.

    Raises ValueError if neither cross- nor self-attention of these layers was recorded, or if a word lies
    behind the recorded text.
    """
    subjects = layout.subjects(image)
    chosen = [x for x in maps.layers if layers is None or x.layer.ordinal in layers]
    finest = max((x.grid for x in maps.layers), key=lambda grid: grid[0] * grid[1])
    places = layout.masks(finest, image)
    together = [places[_alike(subjects, subject)].amax(0).mean() for subject in subjects]
    found = Leakage(subjects, places.mean(1), torch.stack(together) if together else places.new_zeros(0))
    words = [Word(subject.phrase, subject.token_positions) for subject in subjects]
    for layer in word_columns(replace(maps, layers=tuple(chosen)), words, ROLE).layers if words else ():
        masks = layout.masks(layer.grid, image)
        if ROLE in layer.cross_attention:
            seen = cross_of(layer, image, ROLE, slices).flatten(1)  # (S, N)
            strength = seen @ masks.T / masks.sum(1)
            found = replace(
                found,
                words=_added(found.words, _shares(seen, masks)),
                strength=_added(found.strength, strength),
            )
        if ROLE in layer.self_attention:
            looks = masks @ self_of(layer, image, ROLE, slices) / masks.sum(1, keepdim=True)  # (S, N)
            found = replace(found, pixels=_added(found.pixels, _shares(looks, masks)))
    if words and found.words is None and found.pixels is None:
        having = ", ".join(str(x.layer.ordinal) for x in maps.layers)
        raise ValueError(f"layers: none of them was recorded. Recorded are: {having or 'none'}.")
    return _with_queries(_averaged(found, chosen), chosen, layout, image, slices)


def _alike(subjects: Sequence[Subject], subject: Subject) -> list[int]:
    return [n for n, other in enumerate(subjects) if other.token_positions == subject.token_positions]


def _added(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more


def _averaged(found: Leakage, layers: list[RecordedLayer]) -> Leakage:
    """Sums over layers as means."""
    cross = sum(ROLE in layer.cross_attention for layer in layers)
    own = sum(ROLE in layer.self_attention for layer in layers)
    return replace(
        found,
        words=None if found.words is None else found.words / cross,
        strength=None if found.strength is None else found.strength / cross,
        pixels=None if found.pixels is None else found.pixels / own,
    )


def _shares(seen: Tensor, masks: Tensor) -> Tensor:
    """Rows s of (S, N) summed over the place of each subject, as s counts it, and outside: (S, S + 1)."""
    owners = masks.sum(0)
    rows = []
    for subject, row in enumerate(seen):
        others = torch.where(masks[subject] > 0, 0.0, masks / owners.clamp(min=1))
        others[subject] = masks[subject]
        places = torch.cat([others, (owners == 0).float()[None]])
        rows.append(places @ row)
    shares = torch.stack(rows)
    return shares / shares.sum(1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)


def _with_queries(
    found: Leakage, layers: list[RecordedLayer], layout: Layout, image: int, slices: Slices
) -> Leakage:
    """Queries of the finest grid's layers side by side, on their two main components."""
    having = [layer for layer in layers if ROLE in layer.queries]
    if not found.subjects or not having:
        return found
    grid = max((layer.grid for layer in having), key=lambda grid: grid[0] * grid[1])
    features = []
    for layer in having:
        if layer.grid == grid:
            kept = layer.queries[ROLE][:, image]  # (slices, H, N, d)
            chosen = kept if slices is None else kept[list(slices)]
            features.append(chosen.float().mean(0).transpose(0, 1).flatten(1))
    masks = layout.masks(grid, image)
    cells = masks.sum(0).nonzero().flatten()
    samples = torch.cat(features, dim=1)[cells]
    return replace(found, queries=_components(samples), owners=masks[:, cells].argmax(0))


def _components(samples: Tensor) -> Tensor:
    """(n, features) -> (n, 2)"""
    count = min(2, len(samples) - 1, samples.shape[1])
    if count < 1:
        return torch.zeros(len(samples), 2)
    with needed_for("the plot of queries"):
        from sklearn.decomposition import PCA

    scores = PCA(count, svd_solver="full").fit_transform(samples.numpy())
    return torch.nn.functional.pad(torch.from_numpy(scores).float(), (0, 2 - count))
