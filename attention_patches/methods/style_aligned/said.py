"""Something to be said of a run, whatever happens in it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Said:
    """A remark for the report."""

    remark: str

    def finish(self, latents: Tensor) -> str:
        return self.remark
