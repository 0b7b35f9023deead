"""The figures of a report once more: how much of a word's attention lies in its box, in float64."""

import torch
from attention_control.attention_patches.layout.regions import Subject

from .recorded import Given


def share(call: Given, image: int, subject: Subject, grid: tuple[int, int], tokens: int = 77) -> float:
    """Percent of a subject's words that lie inside its box, without any mask; a mean of heads and words.

    `tokens` is the length of the positive text, which the host may have repeated.
    """
    q, k = (
        x.chunk(len(call.sources))[call.sources.index(0)][image].double().unflatten(-1, (call.heads, -1))
        for x in (call.q, call.k)
    )
    logits = torch.einsum("nhd,mhd->hnm", q, k) / q.shape[-1] ** 0.5
    own = logits.softmax(-1).unflatten(-1, (-1, tokens)).sum(-2)
    words = own[..., list(subject.token_positions)].unflatten(1, grid)
    x, y, r, b = (round(part * cells) for part, cells in zip(subject.boxes[0], grid[::-1] * 2, strict=True))
    return 100 * float((words[:, y:b, x:r].sum((1, 2)) / words.sum((1, 2))).mean())
