"""Checkpoints at the blocks of a transformer: computed without a graph, and once more in the backward pass.

Done only where the host lets others replace a block. Two things would make the second pass another one, and
the gradient wrong without a word: the function that the host gives for a block reads the loop's variables,
which by then are those of the last block; and blocks write into what they are given.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any

from torch import Tensor

from ...measured_checkpoint import as_checkpoint
from ...recorded_graph import recorded_graph
from .replaced_blocks import Place, Replacement, with_replaced

STREAMS = ("img", "txt")  # what a block takes and gives, by the host's names; some have the first alone
Block = Callable[[dict[str, Any]], dict[str, Any]]


def checkpointed_blocks(
    options: dict[str, Any],
    measured: dict[Any, Tensor],
    places: Iterable[Place],
    block_of: Callable[[Place], Block] | None = None,
) -> dict[str, Any]:
    """The options of a forward pass in which these blocks are checkpoints; what another pack has put in their
    places works inside. `block_of` gives a block to compute in place of the host's function for it."""

    def make(place: Place, inner: Replacement | None) -> CheckpointedBlock:
        return CheckpointedBlock(measured, inner, None if block_of is None else block_of(place))

    return with_replaced(options, places, make)


@dataclass(frozen=True, eq=False)
class CheckpointedBlock:
    """A replacement of one block in one forward pass."""

    measured: dict[Any, Tensor]
    inner: Replacement | None
    own: Block | None = None

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        block = as_it_is(extra["original_block"]) if self.own is None else self.own
        options = dict(args["transformer_options"])  # in which the host writes on for the next block
        names = [name for name in STREAMS if isinstance(args.get(name), Tensor)]

        def compute(*streams: Tensor) -> Iterable[Tensor]:
            own = dict(zip(names, copies(streams), strict=True))
            given = {**args, **own, "transformer_options": dict(options)}
            with recorded_graph():
                behind = self._computed(block, given)
            return [behind[name] for name in names]

        behind = as_checkpoint(compute, [args[name] for name in names], self.measured)
        return dict(zip(names, behind, strict=True))

    def _computed(self, block: Block, given: dict[str, Any]) -> dict[str, Any]:
        return block(given) if self.inner is None else self.inner(given, {"original_block": block})


def copies(streams: Sequence[Tensor]) -> list[Tensor]:
    """For a block to write into, as Flux's do."""
    return [stream.clone() for stream in streams]


def as_it_is(function: Any) -> Any:
    """A function of the host's whose closure stays what it is now."""
    if not isinstance(function, FunctionType) or function.__closure__ is None:
        return function
    closure = tuple(CellType(cell.cell_contents) for cell in function.__closure__)
    return FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, closure
    )
