"""Mistakes in shifts of the latents, between the calls of the model."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from attention_control.attention_patches.methods.layout_guidance import Guiding, LayoutGuidance


class Broken(LayoutGuidance):
    """Has `at_work` do the work of a run."""

    at_work: ClassVar[type[Guiding]]

    def begin(self, batch):
        made = super().begin(batch)
        return self.at_work(**{part.name: getattr(made, part.name) for part in fields(made)})


def with_gradient(model, change):
    """The denoiser with another gradient of the loss."""

    def measured(*asked):
        slope = model.measured(*asked)
        return None if slope is None else replace(slope, gradient=change(slope.gradient))

    return replace(model, measured=measured)


class IgnoresItsRange(Broken):
    """Shifts whether or not the noise level lies in its range."""

    off = False

    class at_work(Guiding):
        def denoise(self, latents, model):
            return super().denoise(latents, replace(model, within=True))


class CountsCalls(Broken):
    """Means to shift further from step to step, and takes each call of the model for a step."""

    @dataclass(frozen=True, kw_only=True)
    class at_work(Guiding):
        calls: list[Any] = field(default_factory=list)

        def around(self, rows):
            self.calls.append(rows)

        def denoise(self, latents, model):
            factor = 100.0 ** len(self.calls)
            return super().denoise(latents, with_gradient(model, lambda slope: factor * slope))


class NormalisesOverTheBatch(Broken):
    """Divides the shift by the length of all images' gradients together."""

    class at_work(Guiding):
        def denoise(self, latents, model):
            return super().denoise(latents, with_gradient(model, lambda slope: slope / slope.norm()))


@dataclass(frozen=True, kw_only=True)
class Remembers(Broken):
    """Has a momentum that outlives the run."""

    memory: dict[str, Any] = field(default_factory=dict)

    class at_work(Guiding):
        def denoise(self, latents, model):
            def slower(gradient):
                mixed = gradient + 0.5 * self.spec.memory.get("last", 0.0)
                self.spec.memory["last"] = mixed
                return mixed

            return super().denoise(latents, with_gradient(model, slower))


class StartsLate(Broken):
    """Leaves out the start of its range, so neighbours leave a gap."""

    class at_work(Guiding):
        def denoise(self, latents, model):
            late = self.during.start > 0 and model.progress <= 0.5
            return super().denoise(latents, replace(model, within=model.within and not late))


class RollsDice(Broken):
    """Adds a little noise from the global generator to the shift."""

    class at_work(Guiding):
        def denoise(self, latents, model):
            return super().denoise(
                latents, with_gradient(model, lambda slope: slope + 1e-3 * torch.randn_like(slope))
            )
