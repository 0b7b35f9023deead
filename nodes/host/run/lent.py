"""What a run puts into the host's options, and takes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Lent:
    """A wrapper in the options of a run: the plain call once the run is over, whoever keeps the options."""

    of: Callable[..., Any] | None

    def __call__(self, executor: Any, *args: Any, **named: Any) -> Any:
        """As the host calls a wrapper."""
        return executor(*args, **named) if self.of is None else self.of(executor, *args, **named)
