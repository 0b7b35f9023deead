"""Local blend: outside of what the words mean, an edit is the source.

Hertz et al., section 3.2 ("local editing"), and the authors' `LocalBlend`. With S the sum of the maps so far
of an image's words, over heads, layers and steps,

    M = nearest(maxpool_3x3(S)) / max > threshold,  or that of the source's words
    x_edit <- x_source + M (x_edit - x_source)      after each step

and the words to keep take away from M, by maps that are not pooled. Differences: the authors blend what a
step gives. A sampler of higher order goes on from expected pictures of earlier steps as well, so here a call
of the sampler blends both the latents that come in, by the mask of the call before, and the picture that it
expects, by its own. With Euler's method this is the same as blending behind each step.

In transformers for text and picture the maps are those of the joint softmax in the blocks where words lie
best, smoothed by a Gaussian of 7 x 7 tokens and deviation 1 in place of pooling, and blending ends at half of
the schedule (Shin et al., ICCV 2025, arXiv 2508.07519; of SD3 their code pools as well). They take the maps
of an edit before the source's queries and keys are put in its place, here they are those that it has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad

from ...attention.attention_map import by_token
from ...attention.explicit_maps import probabilities
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Prompt, Site
from ...contract.denoiser import Denoiser
from ...contract.layers.layer_size import LayerSize, rows_with_outlines
from ...contract.schedule import before
from ...inversion.inversion import Inversion
from .mask_store import MaskStore

SMOOTHED = 7  # tokens on a side of the Gaussian
UNSEEN = "no map of the words was seen, or the blend starts behind the run"
IN_A_PART = "the model got a part of the picture, and the blend's masks are found in the whole one"


@dataclass(frozen=True)
class Blend:
    """`words[i]` are the tokens of image i whose place may change, `kept[i]` those whose place stays as it
    is; the source is image 0. `start` is where on the schedule blending starts, and `until` where it ends;
    maps are summed before it as well, and are smoothed if they are `smooth`, pooled else."""

    words: tuple[tuple[int, ...], ...]
    kept: tuple[tuple[int, ...], ...] = ()
    threshold: float = 0.3
    start: float = 0.0
    until: float = 1.0
    smooth: bool = False

    def acts(self, percent: float) -> bool:
        """Whether it blends at this place of the schedule."""
        return not before(percent, self.start) and before(percent, self.until)


@dataclass(kw_only=True)
class Blending:
    """A Blend at work in one run."""

    order: ClassVar[Order] = "observe"  # maps as all others have made them
    spec: Blend
    layers: frozenset[int]
    grid: tuple[int, int]  # of these layers
    latent: tuple[int, int]
    prompt: Prompt | None = None
    picture: Inversion | None = None  # that the source is, if it is one
    tell: Callable[[str], None] = lambda line: None
    draw: Callable[[Callable[[], Tensor]], None] = lambda make: None
    store: MaskStore | None = None  # where the last masks go
    sums: Tensor | None = None  # (images, 2, N): of the words, of those to keep
    masks: Tensor | None = None  # (images, 1, h, w) of the last call, where images may differ from the source
    last: Tensor | None = None  # the masks of the last call that was blended
    covered: list[float] = field(default_factory=list)  # part of the latents in them, by edit

    def wants(self, site: Site) -> bool | StepAside:
        if site.kind != "cross" or site.layer.ordinal not in self.layers:
            return False
        own = [window for text, _, window in site.rows.by_text if text.of(self.prompt)]
        if not own or site.rows.images != len(self.spec.words):
            return False
        if site.grid != self.grid or any(window is None or not window.whole for window in own):
            return StepAside(IN_A_PART)
        return True

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        out = attend(qkv)
        for text, rows, _ in site.rows.by_text:
            if text.of(self.prompt) and not qkv.swapped:
                self._add(qkv, rows, text.tokens)
        return out

    def _add(self, qkv: QKV, rows: slice, tokens: int) -> None:
        chosen = self._chosen(tokens, qkv.q.device)
        if self.sums is None:
            self.sums = chosen.new_zeros(chosen.shape[0], chosen.shape[2], qkv.q.shape[2])
        for queries, maps in probabilities(qkv, rows):
            words = by_token(maps[..., : qkv.k.shape[2]].sum(1), tokens)  # (images, n, T)
            self.sums[..., queries] += (words @ chosen).transpose(1, 2).to(self.sums.device)

    def _chosen(self, tokens: int, device: torch.device) -> Tensor:
        """(images, T, 2): which tokens are summed."""
        chosen = torch.zeros(len(self.spec.words), tokens, 2)
        for kind, by_image in enumerate((self.spec.words, self.spec.kept)):
            for image, positions in enumerate(by_image):
                chosen[image, list(positions), kind] = 1.0
        return chosen.to(device)

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Blend what the last step has made."""
        if self.masks is None:
            return False
        source = latents[:1] if self.picture is None else self.picture.at(model.sigma).to(latents)
        latents[1:] = torch.where(self.masks[1:].to(latents.device), latents[1:], source)
        return True

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        expected = model.rest(latents)
        blends = self.sums is not None and self.spec.acts(model.percent)
        self.masks = self._masks() if blends else None
        if self.masks is None:
            return expected
        self.tell(f"Blend: {self._shares()} of the edits may differ from the source.")
        self.draw(self.masks[:, 0].float)
        return torch.where(self.masks.to(expected.device), expected, expected[:1])

    def _masks(self) -> Tensor:
        assert self.sums is not None
        words, kept = self.sums.unflatten(-1, self.grid).unbind(1)
        smooth, threshold = self.spec.smooth, self.spec.threshold
        if smooth:
            words, kept = smoothed(words), smoothed(kept)
        found = where(words, threshold, self.latent, pooled=not smooth)
        masks = found & ~where(kept, threshold, self.latent, pooled=False)
        self.last = masks
        self.covered = masks[1:].float().mean((1, 2, 3)).tolist()
        return masks

    def finish(self, latents: Tensor) -> str | None:
        if self.last is None:
            if self.store is not None:
                self.store.missed.add(latents, UNSEEN)
            return f"Nothing was blended: {UNSEEN}."
        if self.store is not None:
            self.store.add(latents, self.last[:, 0])
        height, width = self.grid
        layers = f"{len(self.layers)} layers of {height} x {width}"
        return f"Blended by {layers}; {self._shares()} of the edits may differ."

    def _shares(self) -> str:
        return ", ".join(f"{covered:.0%}" for covered in self.covered)


def where(sums: Tensor, threshold: float, size: Sequence[int], *, pooled: bool) -> Tensor:
    """Maps (images, h, w) -> (images, 1, *size): where each exceeds this part of its greatest value, or the
    first one does."""
    maps = sums[:, None]
    if pooled:
        maps = max_pool2d(maps, 3, stride=1, padding=1)
    large = interpolate(maps, size=tuple(size), mode="nearest")
    greatest = large.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(large.dtype).tiny)
    mask = large / greatest > threshold
    return mask | mask[:1]


def smoothed(maps: Tensor) -> Tensor:
    """Maps (images, h, w) under a Gaussian, whose edges go on outwards."""
    places = torch.arange(SMOOTHED, dtype=maps.dtype, device=maps.device) - SMOOTHED // 2
    bell = torch.exp(-places.square() / 2)
    bell = bell / bell.sum()
    wide = pad(maps[:, None], (SMOOTHED // 2,) * 4, mode="replicate")
    return conv2d(conv2d(wide, bell[None, None, :, None]), bell[None, None, None])[:, 0]


def blended_layers(sizes: Mapping[int, LayerSize], height: int) -> frozenset[int]:
    """Ordinals of all layers of a quarter of the latents' height: five of 16 x 16 in SD1.5 at 512 pixels, as
    the authors have it; in SDXL at 1024 pixels all 60 of 32 x 32, the middle's among them. For models that
    do not go down so far see `rows_with_outlines`."""
    chosen = rows_with_outlines({size.grid[0] for size in sizes.values()}, height)
    return frozenset(ordinal for ordinal, size in sizes.items() if size.grid[0] == chosen)
