"""Mistakes in shifts of the latents, between the calls of the model."""

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from attention_control.attention_patches.methods.layout_guidance import Guiding, LayoutGuidance

from .at_work import Broken
from .ranges import WorksInTheWholeRange


class Other:
    """The denoiser of a call, but for some of what it says."""

    def __init__(self, model, **changes):
        self.model = model
        vars(self).update(changes)

    def __getattr__(self, name):
        return getattr(self.model, name)


def with_gradient(model, change):
    """The denoiser with another gradient of the loss."""

    def slope(*asked):
        found = model.slope(*asked)
        return None if found is None else replace(found, gradient=change(found.gradient))

    return Other(model, slope=slope)


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, LayoutGuidance):
    """Shifts whether or not the noise level lies in its range."""


class CountsCalls(Broken, LayoutGuidance):
    """Means to shift further from step to step, and takes each call of the model for a step."""

    @dataclass(kw_only=True)
    class at_work(Guiding):
        calls: list[Any] = field(default_factory=list)

        def around(self, rows):
            self.calls.append(rows)
            return nullcontext()

        def shift(self, latents, model):
            factor = 100.0 ** len(self.calls)
            return super().shift(latents, with_gradient(model, lambda slope: factor * slope))


class NormalisesOverTheBatch(Broken, LayoutGuidance):
    """Divides the shift by the length of all images' gradients together."""

    class at_work(Guiding):
        def shift(self, latents, model):
            return super().shift(latents, with_gradient(model, lambda slope: slope / slope.norm()))


@dataclass(frozen=True, kw_only=True)
class Remembers(Broken, LayoutGuidance):
    """Has a momentum that outlives the run."""

    remembered: dict[str, Any] = field(default_factory=dict)

    class at_work(Guiding):
        def shift(self, latents, model):
            def slower(gradient):
                mixed = gradient + 0.5 * self.spec.remembered.get("last", 0.0)
                self.spec.remembered["last"] = mixed
                return mixed

            return super().shift(latents, with_gradient(model, slower))


class StartsLate(Broken, LayoutGuidance):
    """Leaves out the only step of a late range, so neighbours leave a gap."""

    class at_work(Guiding):
        def shift(self, latents, model):
            late = self.spec.during.start > 0
            return super().shift(
                latents, Other(model, within=lambda range_: model.within(range_) and not late)
            )


class CountsSteps(Broken, LayoutGuidance):
    """Guides the first step of each run."""

    @dataclass(kw_only=True)
    class at_work(Guiding):
        first: list[float] = field(default_factory=list)

        def shift(self, latents, model):
            self.first.append(model.sigma)
            return model.sigma == self.first[0] and super().shift(latents, model)


class RollsDice(Broken, LayoutGuidance):
    """Adds a little noise from the global generator to the shift."""

    class at_work(Guiding):
        def shift(self, latents, model):
            return super().shift(
                latents, with_gradient(model, lambda slope: slope + 1e-3 * torch.randn_like(slope))
            )
