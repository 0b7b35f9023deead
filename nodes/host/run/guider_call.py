"""One call that the sampler makes, through the patches that change it, and the passes made for guests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ....attention_patches.contract.method import Denoiser, Patch
from ....attention_patches.contract.objective import Objective, Slope
from ....attention_patches.contract.site import Rows, Text
from .gradients import SlopePass, positive_pass
from .guest_prompts import GuestPrompts
from .sampler_state import SamplerState

Within = Callable[[Patch, float], bool]


class GuiderCalls:
    """Which latents the guider is computing, and for whom; its calls run one after the other."""

    def __init__(
        self,
        patches: Sequence[Patch],
        within: Within,
        progress: Callable[[float], float],
        texts: Mapping[Any, Text],
        images: int,
        prompts: GuestPrompts,
    ) -> None:
        own = [patch for patch in patches if type(patch).denoise is not Patch.denoise]
        self.patches = sorted(own, key=lambda patch: patch.guides)  # the last one is outermost
        self.within = within
        self.progress = progress
        self.known = texts
        self.images = images  # latents in one chunk of the present call
        self.prompts = prompts  # for guests of another size
        self.host: Patch | None = None  # whose guests the present call is for
        self.slope: SlopePass | None = None  # the pass for a gradient that the present call makes
        self.state = SamplerState()
        self.seen: set[Any] = set()  # conditionings computed in the present call

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: Any = None, seed: int | None = None
    ) -> Tensor:
        """Wrapper round the guider: x (B, C, h, w) at sigma `timestep` (B,); gives what it denoises to."""
        sigma, rest = float(timestep[0]), (model_options or {}, seed)

        def guider(latents: Tensor) -> Tensor:
            self.seen.clear()
            times = timestep if len(timestep) == len(latents) else timestep[:1].expand(len(latents))
            out: Tensor = executor(latents, times, *rest)
            return out

        def alone(latents: Tensor, patch: Patch) -> Tensor:
            with self._guests(patch, len(latents)), self.prompts.fit(executor.class_obj, latents, seed):
                return guider(latents)

        def slope(latents: Tensor, patch: Patch, objective: Objective, owner: Patch) -> Slope | None:
            with self._slope(SlopePass(owner, patch, objective, latents.shape[-2:])) as pass_:
                gradient = positive_pass(executor.class_obj, latents, timestep, *rest)
                mask = self.state.mask
                return pass_.result(gradient if mask is None else gradient * mask)

        call, done = guider, self.progress(sigma)
        given = x.clone() if self.patches and self.patches[-1].guides else None
        for patch in self.patches:
            within = self.within(patch, sigma)
            measured = partial(slope, owner=patch)
            call = partial(patch.denoise, model=Denoiser(sigma, within, done, call, alone, measured, given))
        return self.state.call(x, sigma, call) if self.patches else guider(x)

    @contextmanager
    def _slope(self, pass_: SlopePass) -> Iterator[SlopePass]:
        self.seen.clear()
        self.slope = pass_
        try:
            yield pass_
        finally:
            self.slope = None

    @contextmanager
    def _guests(self, patch: Patch, images: int) -> Iterator[None]:
        before = self.host, self.images
        self.host, self.images = patch, images
        try:
            yield
        finally:
            self.host, self.images = before

    def texts(self, uuids: Sequence[Any], chunks: int) -> tuple[Text | None, ...]:
        """The text of each chunk; None for a conditioning that this call of the guider has had already."""
        texts = tuple(None if uuid in self.seen else self.known.get(uuid) for uuid in uuids)
        self.seen.update(uuids)
        return texts or (None,) * chunks

    def control(self, control: Any, rows: Rows, patches: Sequence[Patch]) -> Any:
        """ControlNet's residuals {block: [(B, C, h, w) or None]} without those of images that want none."""
        if control is None or self.host is not None:
            return None
        images = sorted({image for patch in patches for image in patch.uncontrolled})
        if not images:
            return control
        return {name: [_without(c, rows, images) for c in residuals] for name, residuals in control.items()}


def _without(residual: Tensor | None, rows: Rows, images: Sequence[int]) -> Tensor | None:
    if residual is None or residual.shape[0] not in (1, rows.total):
        return residual
    copy = residual.expand(rows.total, *residual.shape[1:]).clone()
    rows.split(copy)[:, torch.tensor(images, device=copy.device)] = 0
    return copy
