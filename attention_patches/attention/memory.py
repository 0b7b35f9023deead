"""How much a method needs on the model's device beyond a plain run, so that the host can make room for it.

Estimates, in bytes, of numbers of four bytes; in half precision a run needs up to half of that.
"""

from collections.abc import Iterable, Set

from ..contract.batch import Batch
from ..contract.layers.layer_size import LayerSize
from .explicit_maps import MAP_BYTES

NUMBER = 4
CHUNKS = 2  # conditionings in one call of the model: with classifier-free guidance
HELD = 2  # inputs that wait for the backward pass, for each transformer: its own and its ResBlock's
INSIDE = 40  # times its input, what the largest transformer holds while it is computed with a graph


def kept_keys(batch: Batch, layers: Iterable[int]) -> int:
    """Keys and values of a batch's rows in all of these layers at once."""
    return sum(2 * CHUNKS * batch.images * batch.layer_sizes[n].numbers * NUMBER for n in layers)


def joined_keys(batch: Batch, layers: Iterable[int], others: int) -> int:
    """Keys and values of every row beside those of `others` images, in one layer at a time."""
    return max((kept_keys(batch, [n]) for n in layers), default=0) * (1 + others)


def maps(batch: Batch, layers: Iterable[int], columns: int | None = None) -> int:
    """Logits, probabilities and a copy of a chunk of queries, in the largest layer; over so many tokens of
    text, or over the picture's own."""
    sizes = [batch.layer_sizes[n] for n in layers]
    rows = CHUNKS * batch.images * NUMBER
    numbers = (rows * s.heads * s.tokens * (columns or s.tokens) for s in sizes)
    return 3 * min(max(numbers, default=0), MAP_BYTES)


def gradient(batch: Batch, watched: Set[int]) -> int:
    """One backward pass of the positive rows from the last watched layer, with checkpoints at every
    transformer and ResBlock where there are any."""
    if not watched:
        return 0
    sizes = [batch.layer_sizes[n] for n in sorted(batch.layer_sizes) if n <= max(watched)]
    if batch.checkpoints:
        inputs = HELD * sum(size.numbers for size in sizes) + INSIDE * max(size.numbers for size in sizes)
    else:
        inputs = INSIDE * sum(size.numbers for size in sizes)
    seen = sum(_seen(batch, size) for n, size in batch.layer_sizes.items() if n in watched)
    return batch.images * (inputs + seen) * NUMBER


def _seen(batch: Batch, size: LayerSize) -> int:
    """Numbers that the measured maps of one layer hold: in transformers each head's of the words, and their
    sum over the picture's own tokens; in U-Nets, whose maps are small, all of them and on the way."""
    if batch.layers.nested:
        return 3 * size.heads * size.tokens**2
    words = max(batch.text_tokens("positive"), default=0)
    return 2 * size.tokens * (size.heads * words + size.tokens)
