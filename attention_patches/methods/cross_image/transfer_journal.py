"""What happened in a run that transfers an appearance, for the report."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ...contract.call.site import Text
from ...inversion.inversion import Inversion
from ...inversion.pinned import BEGAN_LATE, begins_late

OFF_COURSE = 0.1  # of the state's magnitude


@dataclass
class Journal:
    """Kept during one run."""

    seen: dict[str, set[float]] = field(default_factory=lambda: {"appearance": set(), "structure": set()})
    left_alone: Counter[str] = field(default_factory=Counter)  # calls by reason
    off_course: float | None = None  # how far the run began from the structure's state
    begins_late: bool = False  # as the later part of a run does
    negative: bool = False  # a negative prompt was in use

    def begin(self, latents: Tensor, structure: Inversion, sigma: float, first: int) -> None:
        """The sampler's latents at a call; the first one counts. `first` is the step that runs begin at."""
        if self.off_course is None:
            self.begins_late = begins_late(structure, sigma, first)
            state = structure.at(sigma).to(latents)
            self.off_course = float((latents - state).norm() / state.norm())

    def see(self, sigma: float, own: bool) -> None:
        """The output is about to look at the structure's own state, or else at the appearance."""
        self.seen["structure" if own else "appearance"].add(sigma)

    def hear(self, texts: Sequence[Text | None]) -> None:
        """The prompts of a call."""
        self.negative |= any(text is not None and text.role == "negative" for text in texts)

    def lines(self, cfg: float) -> Iterator[str]:
        """Sentences for the report; `cfg` is the structure's inversion's."""
        appearance, own = (len(self.seen[which]) for which in ("appearance", "structure"))
        yield f"It saw the appearance at {appearance} noise levels, and the structure's own keys at {own}."
        for reason, calls in self.left_alone.items():
            yield f"Left alone {calls} times: {reason}."
        if self.begins_late:
            yield BEGAN_LATE
        elif self.off_course is not None and self.off_course > OFF_COURSE:
            yield (
                "The run did not begin at the structure's noisy state: connect this node's SAMPLER and "
                "SIGMAS, or its LATENT to a sampler that adds no noise."
            )
        if self.negative and cfg == 1.0:
            yield "The structure was inverted at cfg 1: set the sampler's cfg to 1 to keep to it."
