"""Concepts beside a prompt: vectors that read text and picture in a run, and are read by nobody."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from .call.site import Site


@runtime_checkable
class ConceptPart(Protocol):
    """Sees what concepts and picture get from attention, in the blocks that it wants."""

    @property
    def concepts(self) -> Tensor:
        """(m, width): a vector of the text encoder for each concept."""
        ...

    def wants_concepts(self, ordinal: int) -> bool:
        """Whether it should be told of this layer."""
        ...

    def see(self, site: Site, image: Tensor, concepts: Tensor) -> None:
        """What attention gives, heads side by side: the picture's tokens (B, N, C), concepts (B, m, C)."""
        ...
