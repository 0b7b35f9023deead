"""Step 4: the training of the U-Net and the text encoder."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .batches import Source
from .clock import Clock
from .files import Places, has_checkpoint, load_checkpoint, save_checkpoint
from .optimizers import ALONE, Average, Optimizer, split
from .together import Together
from .unet import FIRST_AND_LAST, Trained, denoising_loss

EMA_DECAY = 0.998
MUON, ADAMW = 0.02, 2e-3
SAVE_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """How long to train in all, and which share of that time the learning rate falls to zero in."""

    minutes: float
    decay: float = 0.3
    small_share: tuple[float, float] = (0.6, 0.2)  # of the steps, at the start and at the end
    binding: float = 0.0  # weight of the auxiliary loss on the nouns' cross-attention; 0 is plain training

    def scale(self, share: float, step: int) -> float:
        tail = max(1 - share, 0.0) / self.decay if self.decay > 0 else 1.0
        return min(1.0, (step + 1) / 100, tail)

    def small(self, share: float) -> float:
        first, last = self.small_share
        return first + (last - first) * min(share, 1.0)


@dataclass
class Progress:
    """All that a training goes on with."""

    trained: Trained
    optimizer: Optimizer
    average: Average
    counts: dict[str, int] = field(default_factory=lambda: {"step": 0, "small": 0, "full": 0})

    @classmethod
    def begin(cls, trained: Trained, together: Together = ALONE) -> "Progress":
        first_and_last = tuple(f"unet.{name}" for name in FIRST_AND_LAST)
        optimizer = Optimizer(*split(trained, first_and_last), MUON, ADAMW, together)
        return cls(trained, optimizer, Average(trained, EMA_DECAY))

    def state(self, minutes: float) -> dict[str, Any]:
        return {
            "trained": self.trained.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "counts": dict(self.counts),
            "minutes": minutes,
        }

    def restore(self, state: dict[str, Any]) -> float:
        """Take over a saved state; returns the minutes that it took."""
        self.trained.load_state_dict(self.trained.state_dict() | state["trained"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.counts.update(state["counts"])
        return float(state["minutes"])


def train_unet(
    places: Places,
    plan: Plan,
    trained: Trained,
    source: Source,
    resume: bool,
    log: Callable[[str], None],
    until: float = math.inf,
    together: Together = ALONE,
) -> bool:
    """Train until the plan's minutes are over, earlier runs included; False if asked to end before.

    Checkpoint and averaged weights are written every two minutes and at the end, by the first process of
    those that train `together`; it also says when to stop, and its losses are logged.
    """
    together.share(trained.parameters())
    progress, clock = Progress.begin(trained, together), Clock(plan.minutes, until)
    if resume and has_checkpoint(places.state, "unet"):
        clock.before = progress.restore(load_checkpoint(places.state, "unet"))
    rng = np.random.default_rng()
    torch.seed()
    counts, saved = progress.counts, time.monotonic()
    losses: dict[str, list[torch.Tensor]] = {"small": [], "full": [], "nouns": []}
    with clock:
        while True:
            running, share, chance = together.agree(clock.running, clock.share, rng.random())
            if not running:
                break
            canvas = "small" if chance < plan.small(share) else "full"
            batch = source.draw(canvas)
            loss, bound = denoising_loss(trained, batch)
            (loss + plan.binding * bound).backward()
            together.average_gradients(trained.parameters())
            progress.optimizer.step(plan.scale(share, counts["step"]))
            progress.average.update(trained)
            losses[canvas].append(loss.detach())
            if batch.nouns is not None:
                losses["nouns"].append(bound.detach())
            counts["step"] += 1
            counts[canvas] += len(batch.latents) * together.size
            if counts["step"] % 50 == 0:
                means = " ".join(f"{n} {torch.stack(v[-100:]).mean():.4f}" for n, v in losses.items() if v)
                seen = f"{counts['small']}+{counts['full']}"
                log(f"unet step {counts['step']} {share:.0%} seen {seen} loss {means}")
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                source.refresh()
                _save(places, progress, clock, together)
    _save(places, progress, clock, together)
    log(f"unet stopped after step {counts['step']}, {clock.spent:.0f} minutes in all")
    return clock.share >= 1


def _save(places: Places, progress: Progress, clock: Clock, together: Together) -> None:
    """Refuse to put weights that are no longer finite over good ones."""
    if together.rank > 0:
        return
    if not all(math.isfinite(v.sum().item()) for v in progress.average.values.values()):
        raise RuntimeError("the averaged weights are no longer finite; go on from the checkpoint")
    save_checkpoint(places.state, "unet", progress.state(clock.spent))
    progress.trained.save_weights(places.weights, progress.average.values)
