"""Checkpoints that are measured in: computed without a graph, and once more in the backward pass."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .reached import Reached


def as_checkpoint(
    part: Callable[..., Iterable[Tensor]], given: Sequence[Tensor], measured: dict[Any, Tensor]
) -> tuple[Tensor, ...]:
    """What a part of a network makes of the tensors that it is given, as one checkpoint if any of these asks
    for a gradient.

    What is measured in the part is put into `measured` on the way, and becomes outputs of the checkpoint, so
    that the graph goes through them. Raises Reached if the pass ends in the part.
    """
    places: list[Any] = []
    reached = False

    def compute(*tensors: Tensor) -> tuple[Tensor, ...]:
        """(what the part gives unless the pass ends in it, what was measured in it...)"""
        nonlocal reached
        measured.clear()
        out: tuple[Tensor, ...] = ()
        try:
            out = tuple(part(*tensors))
        except Reached:
            reached = True
        places[:] = measured
        return (*out, *measured.values())

    before = dict(measured)
    if any(tensor.requires_grad for tensor in given):
        outputs = checkpoint(compute, *given, use_reentrant=True, preserve_rng_state=False)
    else:
        outputs = compute(*given)
    own = len(outputs) - len(places)
    measured.clear()
    measured.update(before)
    measured.update(zip(places, outputs[own:], strict=True))
    if reached:
        raise Reached
    return outputs[:own]
