"""Windows with one mistake each."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from attention_control.attention_patches.methods.multidiffusion.method import Fusing, MultiDiffusion

from .at_work import Broken
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, MultiDiffusion):
    """Looks through windows in an empty range."""


class SharesThePicture(Broken, MultiDiffusion):
    """Adds a little of all images' mean."""

    class at_work(Fusing):
        def expect(self, latents, through):
            found = super().expect(latents, through)
            return found + 0.1 * found.mean(1, keepdim=True)


class MixesThePrompts(Broken, MultiDiffusion):
    """Adds a little of the mean over what the prompts say, as many as come in a call."""

    class at_work(Fusing):
        def expect(self, latents, through):
            found = super().expect(latents, through)
            return found + 0.1 * found.mean(0, keepdim=True)


class Remembers(Broken, MultiDiffusion):
    """Counts looks for good, and weighs by them."""

    looks: ClassVar[list[int]] = []

    class at_work(Fusing):
        def expect(self, latents, through):
            Remembers.looks.append(1)
            return super().expect(latents, through) * (1 + 1e-3 * len(Remembers.looks))


class StartsLate(Broken, MultiDiffusion):
    """Leaves out the first call that it sees."""

    @dataclass
    class at_work(Fusing):
        begun: bool = False

        def expect(self, latents, through):
            begun, self.begun = self.begun, True
            return super().expect(latents, through) if begun else None


class RollsDice(Broken, MultiDiffusion):
    """Shifts what it expects by the global generator."""

    class at_work(Fusing):
        def expect(self, latents, through):
            return super().expect(latents, through) + 1e-3 * torch.randn(())
