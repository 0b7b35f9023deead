"""What a recorder keeps of one run, and of which texts in one call."""

from dataclasses import dataclass

from torch import Tensor

from ...contract.call.site import Text, Window


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to keep in one run: layers by ordinal, and one text of each role."""

    cross_layers: frozenset[int]
    self_layers: frozenset[int]
    texts: tuple[Text, ...]
    roles: tuple[str, ...]
    time_bins: int
    each_head: bool
    queries_and_keys: bool
    live: tuple[tuple[int, ...], ...] = ()

    def keeps(self, text: Text) -> bool:
        """Whether this is one of the texts, whatever its length has become."""
        return any((text.role, text.entry) == (own.role, own.entry) for own in self.texts)

    def slice_of(self, percent: float) -> int:
        """The time slice of a place on the schedule."""
        return min(int(percent * self.time_bins + 1e-6), self.time_bins - 1)


@dataclass(frozen=True, eq=False)
class Chunk:
    """A text in one call: its rows, the part of the picture that they hold, None if its place is not known,
    and of a view how much of the picture each cell is, (h, w)."""

    text: Text
    rows: slice
    window: Window | None
    share: Tensor | None

    @property
    def part(self) -> bool:
        return self.window is not None and not self.window.whole
