"""How far attributes are lent to things other than their own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...text.named_things import NamedThing


def lent_by_attention(inside: Tensor, rises: Tensor, things: Sequence[NamedThing]) -> Tensor:
    """(words, segments), (words,) -> (words, things): how far an attribute is lent to each thing. Of nouns it
    says nothing."""
    tiny = torch.finfo(inside.dtype).tiny
    strengths = inside / inside.amax(1, keepdim=True).clamp(min=tiny)
    sizes = [len(thing.words) for thing in things]
    parts = inside.split(sizes)  # of each thing its noun, then its attributes
    looks = torch.stack([part[1:].mean(0) if len(part) > 1 else part[0] for part in parts])
    others = looks.sum(0) - looks
    among_looks = inside / (inside + others.repeat_interleave(torch.tensor(sizes), 0)).clamp(min=tiny)
    first = starts(things)
    nouns = inside[first]
    above = strengths[first] * rises[first][:, None] >= 1
    among_nouns = nouns / nouns.sum(0).clamp(min=tiny) * above
    return torch.einsum("wc,tc->wtc", among_looks * strengths, among_nouns).amax(2)


def starts(things: Sequence[NamedThing]) -> list[int]:
    """Where each thing's noun stands among the words of all."""
    places, following = [], 0
    for thing in things:
        places.append(following)
        following += len(thing.words)
    return places
