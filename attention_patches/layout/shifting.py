"""What guidances by layout share: when they work, what they tell, and how much attention is in its box."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..contract.layers import LayerMap
from ..contract.method import LayerSize
from ..contract.objective import Place, attention_map
from ..contract.qkv import QKV
from ..contract.site import Layer, Rows, Site
from .regions import Layout, Subject


@dataclass(frozen=True)
class Effort:
    """How much guidance: in the first `steps` (a fraction) of the run's steps up to `iterations` shifts each,
    and no more once the loss is down to `target`. Raises ValueError for what cannot be."""

    steps: float
    iterations: int = 5
    target: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.steps <= 1.0:
            raise ValueError(f"guidance_steps is {self.steps:g}; it is a part of all steps, from 0 to 1")

    @property
    def none(self) -> bool:
        return self.steps == 0 or self.iterations == 0

    def done(self, progress: float) -> float | None:
        """How much of the guided steps is done, from 0; None behind them."""
        return progress / self.steps if progress < self.steps else None


def positive_rows(rows: Rows) -> slice | None:
    """The rows of the first positive prompt, if they are in this call."""
    for text, (_, own) in zip(rows.texts, rows.chunks, strict=True):
        if text is not None and text.role == "positive" and text.entry == 0:
            return own
    return None


def rows_of(qkv: QKV, rows: slice) -> QKV:
    """The attention call of these rows alone, with its bias."""
    bias = qkv.bias if qkv.bias is None or qkv.bias.shape[0] == 1 else qkv.bias[rows]
    return replace(qkv, q=qkv.q[rows], k=qkv.k[rows], v=qkv.v[rows], bias=bias)


def by_token(map_: Tensor, site: Site) -> Tensor:
    """Cross-attention (B, H, N, M) over the text's own tokens; copies that the host made of it are summed."""
    text = next((text for text in site.rows.texts if text is not None), None)
    if text is None or text.tokens == map_.shape[-1]:
        return map_
    copies = map_.shape[-1] // text.tokens
    return map_[..., : copies * text.tokens].unflatten(-1, (copies, text.tokens)).sum(-2)


def inside(map_: Tensor, subject: Subject, cells: Tensor) -> Tensor:
    """(H, N, T) and cells (N,) -> (H, tokens): the part of each of the subject's tokens in its cells."""
    own = map_[..., list(subject.token_positions)]
    return (own * cells[:, None]).sum(-2) / own.sum(-2).clamp_min(torch.finfo(own.dtype).tiny)


def coarse_layers(model: LayerMap, sizes: Mapping[int, LayerSize]) -> list[Layer]:
    """The middle of a U-Net and the first level on the way up that has attention: up_blocks.1 of SD1.5 and
    SD2 (a quarter of the latents' side), up_blocks.0 of SDXL."""
    up = [layer for layer in model.layers if layer.block == "output"]
    level = [layer for layer in up if sizes[layer.ordinal].grid == sizes[up[0].ordinal].grid]
    return [layer for layer in model.layers if layer.block == "middle"] + level


Shares = dict[tuple[int, int, Place], Tensor]
"""(image, subject, layer) -> which part of the subject's attention lies in its place, 0..1."""


@dataclass
class Progress:
    """What a guidance has to tell, while it runs and in its report; of the attention in these `layers`."""

    layout: Layout
    tell: Callable[[str], None]
    layers: frozenset[int] = frozenset()
    steps: set[float] = field(default_factory=set)  # by sigma
    looks: int = 0
    first: list[float] = field(default_factory=list)  # loss of each image
    last: list[float] = field(default_factory=list)
    before: Shares = field(default_factory=dict)
    after: Shares = field(default_factory=dict)

    def step(self, sigma: float, losses: Sequence[Tensor]) -> None:
        """A step has been guided: its losses (images,) at each look."""
        if not losses:
            return
        self.steps.add(sigma)
        self.looks += len(losses)
        start, end = losses[0].tolist(), losses[-1].tolist()
        self.first, self.last = self.first or start, end
        self.tell(f"Guided step {len(self.steps)}: loss {_numbers(start)} -> {_numbers(end)}")

    def watches(self, site: Site) -> bool:
        return (
            site.kind == "cross"
            and site.layer.ordinal in self.layers
            and positive_rows(site.rows) is not None
        )

    def unseen(self, site: Site) -> bool:
        """Whether it is watched, and has not been looked at yet."""
        place = (site.layer.ordinal, site.kind)
        return self.watches(site) and all(place != seen for _, _, seen in self.before)

    def watch(self, site: Site, qkv: QKV) -> None:
        """`look` at an attention call if it is watched."""
        rows = positive_rows(site.rows) if self.watches(site) else None
        if rows is not None:
            own = rows_of(qkv, rows)
            own = replace(own, q=own.q.detach(), k=own.k.detach())
            self.look(site, by_token(attention_map(own), site))

    def look(self, site: Site, map_: Tensor) -> None:
        """Note how much attention (images, H, N, T) of the positive prompt lies where it shall; what was
        seen first in a layer and what was seen last are kept, on the device."""
        for image, own in enumerate(map_.detach()):
            cells = self.layout.masks(site.grid, image).to(own)
            for number, (subject, mask) in enumerate(zip(self.layout.subjects(image), cells, strict=True)):
                key = (image, number, (site.layer.ordinal, site.kind))
                self.after[key] = share = inside(own, subject, mask).mean()
                self.before.setdefault(key, share)

    def guided(self) -> str:
        """For the report: what the shifts came to."""
        if not self.steps:
            return "No step was guided."
        return (
            f"Guided {len(self.steps)} steps with {self.looks} looks, loss {_numbers(self.first)} -> "
            f"{_numbers(self.last)}."
        )

    def places(self) -> str | None:
        """For the report: where the subjects' attention lay at the first look, and where at the last."""
        images = sorted({image for image, _, _ in self.before})
        lines = [(f"image {i + 1} " if len(images) > 1 else "") + self._image(i) for i in images]
        return f"Attention in its box: {'; '.join(lines)}." if lines else None

    def _image(self, image: int) -> str:
        return ", ".join(
            f"{subject.phrase} {_percent(self.before, image, number)} -> "
            f"{_percent(self.after, image, number)} %"
            for number, subject in enumerate(self.layout.subjects(image))
        )


def _percent(shares: Shares, image: int, number: int) -> str:
    own = [float(share) for (i, n, _), share in shares.items() if (i, n) == (image, number)]
    return f"{100 * sum(own) / len(own):.0f}"


def _numbers(losses: Sequence[float]) -> str:
    return ", ".join(f"{loss:.2f}" for loss in losses)
