"""Pictures that are drawn while a run goes on, no more of them than it can spare the time for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass
class Paced:
    """Passes a picture on to `draw` unless that would take more than `share` of the time; the first and the
    last always.

    What a picture took, as the clock tells it, is when the next one may come: so their sum stays below the
    share, however fast the steps are. The last one stays on the node, so it is drawn behind the run if it
    was left out during it.
    """

    share: ClassVar[float] = 0.02
    draw: Callable[[Callable[[], Tensor]], None]
    clock: Callable[[], float] = time.monotonic  # seconds
    again: float = -math.inf
    left_out: Callable[[], Tensor] | None = None  # behind what was drawn

    def __call__(self, make: Callable[[], Tensor]) -> None:
        begun = self.clock()
        if begun < self.again:
            self.left_out = make
            return
        self.left_out = None
        self.draw(make)
        ended = self.clock()
        self.again = ended + (ended - begun) * (1 / self.share - 1)

    def finish(self) -> None:
        """The run has ended: draw its last picture, if it is not the one that is seen."""
        make, self.left_out = self.left_out, None
        if make is not None:
            self.draw(make)
