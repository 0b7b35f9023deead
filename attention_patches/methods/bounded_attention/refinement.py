"""Finding subjects again while a picture forms: clusters of self-attention, named by cross-attention.

Dahary et al., "Be Yourself" (ECCV 2024), section 4.3 and the authors' code. With A the self-attention and
C_s the cross-attention of the leading word of subject s, means over heads, layers and the calls so far:

    clusters   = k-means of the rows of A(p, q) / max_p A(p, q)
    evidence_s = scaled(sigmoid(10 (C_s / max C_s - 0.2))) * mask_s           scaled: to 0..1
    subject(c) = argmax_s |evidence_s and c| / min(|evidence_s|, |c|), background if that is below 0.2

The authors add 1e-5 to each maximum and to the span that is scaled, and so do we: a key that next to nobody
looks at counts less than the others.

A subject that got no cluster keeps its box, which all others leave. Where several are lost and their boxes
overlap, each keeps all of its own; the authors' code gives what they share to the last of them, and may leave
one without a cell. It also hands the whole picture to a subject of which there is no evidence (0 / 0), where
here such a subject is lost.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...attention.explicit_maps import probabilities
from ...contract.call.qkv import QKV
from ...layout.subject_tokens import repeated
from ...numerics.clustering import k_means
from ...numerics.running_mean import RunningMean

STEEPNESS, THRESHOLD = 10.0, 0.2  # of the evidence
SMALL = 1e-5  # added to what is divided by
SMALLEST_SCORE = 0.2  # of a cluster that is no background


@dataclass
class Evidence:
    """The attention of one run as far as it has come, for each image, at the layers of one grid."""

    own: dict[int, RunningMean] = field(default_factory=dict)  # (N, N)
    words: dict[int, RunningMean] = field(default_factory=dict)  # (N, S)

    def add_self(self, qkv: QKV, rows: slice) -> None:
        """Rows of one self-attention, one for each image."""
        n = qkv.q.shape[2]
        for queries, map_ in probabilities(qkv, rows):
            for image, part in enumerate(map_[..., :n].mean(1)):
                mean = self.own.setdefault(image, RunningMean(part.new_zeros(n, n)))
                mean.add(part, queries)

    def add_cross(self, qkv: QKV, rows: slice, tokens: int, leading: list[tuple[int, ...]]) -> None:
        """Rows of one cross-attention; `leading[image]` are the leading tokens of its subjects, in a text of
        so many tokens that the host may have repeated."""
        n, keys = qkv.q.shape[2], qkv.k.shape[2]
        for queries, map_ in probabilities(qkv, rows):
            for image, part in enumerate(map_.mean(1)):
                columns = [repeated((token,), tokens, keys) for token in leading[image]]
                named = [part[:, own].sum(1) for own in columns]
                mean = self.words.setdefault(image, RunningMean(part.new_zeros(n, len(named))))
                mean.add(torch.stack(named, 1) if named else part[:, :0], queries)

    def complete(self, image: int) -> bool:
        return image in self.own and image in self.words


@dataclass(frozen=True)
class Refined:
    """Masks (S, N) of 0 and 1, the subjects that were lost and kept their boxes, and the centres of the
    clusters, to begin at next time."""

    masks: Tensor
    lost: tuple[int, ...]
    centres: Tensor


def refine(
    own: Tensor, words: Tensor, masks: Tensor, boxes: Tensor, clusters: int, seed: int, centres: Tensor | None
) -> Refined:
    """From A (N, N), C (S, N), the masks so far and the boxes, both (S, N)."""
    samples = by_column(own.float().cpu())
    clusters = min(clusters, len(samples))
    found, centres = k_means(samples, clusters, seed, centres)
    named = assigned(found, clusters, evidence(words.float().cpu(), masks))
    restored, lost = with_boxes_of_lost(named, boxes)
    return Refined(restored, lost, centres)


def by_column(own: Tensor) -> Tensor:
    """(N, N): each key's column against its largest value."""
    return own / (own.amax(0, keepdim=True) + SMALL)


def evidence(words: Tensor, masks: Tensor) -> Tensor:
    """(S, N) -> (S, N) in 0..1."""
    sharp = torch.sigmoid(STEEPNESS * (words / (words.amax(1, keepdim=True) + SMALL) - THRESHOLD))
    low, high = sharp.amin(1, keepdim=True), sharp.amax(1, keepdim=True)
    return (sharp - low) / (high - low + SMALL) * masks


def assigned(found: Tensor, clusters: int, evidence: Tensor) -> Tensor:
    """Clusters (N,) and evidence (S, N) -> masks (S, N), which do not overlap."""
    inside = (found == torch.arange(clusters)[:, None]).to(evidence.dtype)  # (clusters, N)
    smaller = torch.minimum(inside.sum(1)[:, None], evidence.sum(1))
    scores = inside @ evidence.T / smaller.clamp(min=torch.finfo(evidence.dtype).tiny)
    best, subject = scores.max(1)
    named = torch.nn.functional.one_hot(subject, len(evidence)).T * (best >= SMALLEST_SCORE)  # (S, clusters)
    return named.to(evidence.dtype) @ inside


def with_boxes_of_lost(masks: Tensor, boxes: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """(S, N): a subject without a cell gets its box, which those who have kept their masks leave; and who
    was lost."""
    masks, restored = masks.clone(), torch.zeros(len(masks), dtype=torch.bool)
    while (lost := (masks.sum(1) == 0) & ~restored).any():
        restored |= lost
        masks[lost] = boxes[lost]
        masks[~restored] *= 1 - boxes[lost].amax(0)
    return masks, tuple(restored.nonzero().flatten().tolist())
