"""What a graph is recorded under, by the slopes of whole passes and by checkpoints of single blocks."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.autograd.graph import saved_tensors_hooks

from .plain_rotations import PlainRotations
from .private_weights import PrivateWeights


@contextmanager
def recorded_graph() -> Iterator[None]:
    """While open, autograd keeps views of weights, copies of all else that others may write into, and
    rotations that it can differentiate.

    Other packs write into what they have multiplied (FreeU), and Flux into its streams.
    """
    weights = PrivateWeights()
    with weights, PlainRotations(), saved_tensors_hooks(weights.kept, lambda kept: kept):
        yield
