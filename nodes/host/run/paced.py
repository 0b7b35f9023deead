"""Pictures that are drawn while a run goes on, no more of them than it can spare the time for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass
class Paced:
    """Passes a picture on to `draw` unless that would take more than `share` of the time; the first always.

    What a picture took, as the clock tells it, is when the next one may come: so their sum stays below the
    share, however fast the steps are.
    """

    share: ClassVar[float] = 0.02
    draw: Callable[[Callable[[], Tensor]], None]
    clock: Callable[[], float] = time.monotonic  # seconds
    again: float = -math.inf

    def __call__(self, make: Callable[[], Tensor]) -> None:
        begun = self.clock()
        if begun < self.again:
            return
        self.draw(make)
        ended = self.clock()
        self.again = ended + (ended - begun) * (1 / self.share - 1)
