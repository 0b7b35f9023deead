"""One layer of a model, and where the host has it."""

from dataclasses import dataclass

LayerPlace = tuple[str, int, int | None]
"""As `Layer` has them: block, number and index."""


@dataclass(frozen=True)
class Layer:
    """One transformer block; its self- and cross-attention share the ordinal."""

    ordinal: int  # 1..total, in order of execution
    total: int
    block: str  # the host's name for blocks of one kind
    number: int  # of the block, counted by the host from 0
    index: int | None  # of the transformer inside the block, from 0; None where each block is one

    def __str__(self) -> str:
        place = f"{self.block} {self.number}"
        return place if self.index is None else f"{place}.{self.index}"
