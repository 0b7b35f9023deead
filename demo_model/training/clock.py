"""How much of its planned time a training has had, over all the runs that it took."""

import math
import signal
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Clock:
    """Minutes of wall time, `before` of them in earlier runs.

    A signal to end stops it after the step that runs, and so does `until`, a time of `time.monotonic()`.
    """

    minutes: float
    until: float = math.inf
    before: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    signals: list[int] = field(default_factory=list)
    handlers: dict[int, Any] = field(default_factory=dict)

    @property
    def spent(self) -> float:
        """Minutes so far, earlier runs included."""
        return self.before + (time.monotonic() - self.begun) / 60

    @property
    def share(self) -> float:
        """Of the planned minutes, 0 at the start, 1 or more when they are over."""
        return self.spent / self.minutes if self.minutes > 0 else math.inf

    @property
    def running(self) -> bool:
        return self.share < 1 and not self.signals and time.monotonic() < self.until

    def __enter__(self) -> "Clock":
        """Let SIGTERM and Ctrl-C end training after the step that runs, so that nothing is lost."""
        for kind in (signal.SIGTERM, signal.SIGINT):
            self.handlers[kind] = signal.signal(kind, lambda number, frame: self.signals.append(number))
        return self

    def __exit__(self, *_error: object) -> None:
        for kind, handler in self.handlers.items():
            signal.signal(kind, handler)
