"""Calls of the host's `calc_cond_batch` on the whole picture, made of views of it.

The views of one call stand side by side in latents as wide as all of them, and each conditioning holds once
in the area of each view. So the host does with views what it does with areas: it lets all through the model
in as few calls as there is memory for, and averages what several conditionings of a prompt say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ....attention_patches.contract.schedule import PercentRange
from ....attention_patches.contract.views import Cells, View, ViewingPart
from ..calls.passes import Pass, own_pass, pass_in
from ..facts.entry_weights import Conditioning
from ..facts.run_facts import RunFacts, Working
from ..frames import as_video, of_one_frame
from .cut_conditionings import CutConditionings


@dataclass(frozen=True, eq=False)
class Viewing:
    """Wraps these calls in one run."""

    facts: RunFacts
    viewing: Sequence[tuple[Working, ViewingPart]]
    cut: CutConditionings

    def calc_cond_batch(
        self,
        executor: Any,
        model: Any,
        conds: Sequence[Sequence[Conditioning] | None],
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any],
    ) -> Any:
        """Wrapper round one call on x (B, C, h, w), or (B, C, 1, h, w): what is expected there under each of
        the prompts."""
        pass_ = pass_in(model_options.get("transformer_options", {})) or own_pass(
            self.facts, float(timestep[0])
        )
        working = [one for one in self.viewing if self._works(one[0], pass_)]
        if not working:
            return executor(model, conds, x, timestep, model_options)
        (owner, part), *_ = working
        if (x.shape[0], *x.shape[-2:]) != (self.facts.images, *self.facts.latent):
            owner.tally.step_aside("another patch cuts the picture or the batch into parts", "the whole call")
            return executor(model, conds, x, timestep, model_options)
        through = ThroughViews(self, pass_, executor, model, conds, x, timestep, model_options)
        found = part.expect(of_one_frame(x), through)
        if found is None:
            return executor(model, conds, x, timestep, model_options)
        owner.tally.touch_call(len(x), pass_.sigma)
        return list(as_video(found, x))

    def _works(self, one: Working, pass_: Pass) -> bool:
        """Guests are other pictures, and gradients are of the whole one."""
        return pass_.kind == "own" and self.facts.schedule.within(pass_.sigma, one.method.during)


@dataclass(frozen=True, eq=False)
class ThroughViews:
    """The contract's `Through` in one call on x (B, C, H, W), or (B, C, 1, H, W)."""

    of: Viewing
    pass_: Pass
    executor: Any
    model: Any
    conds: Sequence[Sequence[Conditioning] | None]
    x: Tensor
    timestep: Tensor
    options: dict[str, Any]

    @property
    def sigma(self) -> float:
        return self.pass_.sigma

    def within(self, range_: PercentRange) -> bool:
        return self.of.facts.schedule.within(self.sigma, range_)

    def stands(self, region: int) -> bool:
        return self.of.cut.regions.stands(region, self.timestep)

    def noised(self, picture: Tensor, noise: Tensor) -> Tensor:
        found: Tensor = self.model.model_sampling.noise_scaling(self.timestep[:1], noise, picture)
        return found

    def __call__(self, views: Sequence[View], latents: Sequence[Tensor]) -> Tensor:
        width = latents[0].shape[-1]
        conds = [
            None
            if own is None
            else [
                _standing(entry, slot, len(views), view.cells)
                for slot, view in enumerate(views)
                for entry in self.of.cut.entries(own, self._role(own), view, self.x, self.timestep)
            ]
            for own in self.conds
        ]
        side_by_side = as_video(torch.cat(list(latents), -1), self.x)
        found = torch.stack(self.executor(self.model, conds, side_by_side, self.timestep, self.options))
        found = found.squeeze(3) if self.x.ndim == 5 else found
        return found.unflatten(-1, (len(views), width)).movedim(-2, 0)

    def _role(self, own: Sequence[Conditioning]) -> str:
        texts = (self.pass_.texts.get(entry.get("uuid")) for entry in own)
        return next((text.role for text in texts if text is not None), "")


def _standing(entry: Conditioning, slot: int, views: int, cells: Cells) -> Conditioning:
    """An entry of a view in the latents of all views; the host wants masks as large as these."""
    height, width, top, left = entry["area"]
    left += slot * cells.width
    around = (left, views * cells.width - left - width, top, cells.height - top - height)
    return {**entry, "area": (height, width, top, left), "mask": pad(entry["mask"], around)}
