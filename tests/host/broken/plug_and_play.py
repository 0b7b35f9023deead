"""Mistakes with what other pictures leave, and with residuals."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from attention_control.attention_patches.methods.plug_and_play.guided import Guided
from attention_control.attention_patches.methods.plug_and_play.method import PlugAndPlay

from ..specimen import SHALLOW, model
from .at_work import Broken
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, PlugAndPlay):
    """Takes from the guide in an empty range."""


class GoesByTheOrder(Broken, PlugAndPlay):
    """Keeps what comes first for what comes first, whatever its text."""

    class at_work(Guided):
        def residual(self, site, h):
            if self.kept.gathers:
                self.kept.tensors.setdefault(site.layer, h[: site.rows.images])
                return h
            return self.kept.tensors[site.layer].repeat(len(site.rows.sources), 1, 1, 1)


class AddsTheMean(Broken, PlugAndPlay):
    """Adds a little of all images' own features."""

    class at_work(Guided):
        def residual(self, site, h):
            out = super().residual(site, h)
            return out if self.kept.gathers else out + 0.1 * h.mean(0, keepdim=True)


class HooksAModule(Broken, PlugAndPlay):
    """Listens to a block by a hook for the time of a pass."""

    class at_work(Guided):
        @contextmanager
        def around(self, rows):
            module = model(SHALLOW).model.diffusion_model.output_blocks[0][0]
            handle = module.register_forward_hook(lambda *_: None)
            try:
                yield
            finally:
                handle.remove()


class RollsDice(Broken, PlugAndPlay):
    """Noises the guide afresh with the global generator."""

    class at_work(Guided):
        def residual(self, site, h):
            out = super().residual(site, h)
            return out + 1e-3 * torch.randn_like(out)


class CountsSteps(Broken, PlugAndPlay):
    """Takes from the guide in the first step of each run."""

    @dataclass(kw_only=True)
    class at_work(Guided):
        first: list[float] = field(default_factory=list)

        def denoise(self, latents, model):
            self.first.append(model.sigma)
            return super().denoise(latents, model) if len(self.first) == 1 else model.rest(latents)
