"""What guidances by layout tell: what the shifts came to, and how much attention lies in its box."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..attention.attention_map import attention_map, by_token, rows_of
from ..contract.call.qkv import QKV
from ..contract.call.site import Rows, Site, Window
from ..contract.objective import LayerAttention
from ..contract.report import counted
from .live_boxes import live_boxes
from .placed import Placed, placed
from .regions import Layout, Subject

NONE_DUE = "the run has none before guidance_until"
NOTHING_SEEN = (
    "before guidance_until the prompt of the boxes was not in use, or no layer to look at was computed"
)


def inside(map_: Tensor, subject: Subject, cells: Tensor) -> Tensor:
    """(H, N, T) and cells (N,) -> (H, tokens): the part of each of the subject's tokens in its cells."""
    own = map_[..., list(subject.token_positions)]
    return (own * cells[:, None]).sum(-2) / own.sum(-2).clamp_min(torch.finfo(own.dtype).tiny)


Shares = dict[tuple[LayerAttention, Window], Tensor]
"""(layer, part of the picture) -> which part of each subject's attention lies in its place, (images, S)."""


@dataclass
class Progress:
    """What a guidance has to tell, while it runs and in its report; of the attention in these `layers`."""

    layout: Layout
    tell: Callable[[str], None]
    layers: frozenset[int] = frozenset()
    doubt: str | None = None  # of the boxes, told with the places
    draw: Callable[[Callable[[], Tensor]], None] | None = None  # where the places are shown
    due: bool = False  # whether a call of the sampler came in the guided part of the schedule
    steps: set[float] = field(default_factory=set)  # by sigma
    looks: int = 0
    first: list[float] = field(default_factory=list)  # loss of each image
    last: list[float] = field(default_factory=list)
    before: Shares = field(default_factory=dict)
    after: Shares = field(default_factory=dict)
    there: dict[Window, Sequence[tuple[int, int]]] = field(default_factory=dict)  # (image, subject)
    placed: dict[Any, Placed] = field(default_factory=dict, repr=False)  # kept for the run
    seen: tuple[Tensor, Tensor, tuple[int, int]] | None = field(default=None, repr=False)  # heat, masks, grid

    def step(self, sigma: float, losses: Sequence[Tensor]) -> None:
        """A step should be guided: its losses (images,) at each look, none if there was nothing to see."""
        self.due = True
        if not losses:
            return
        self.steps.add(sigma)
        self.looks += len(losses)
        start, end = losses[0].tolist(), losses[-1].tolist()
        self.first, self.last = self.first or start, end
        self.tell(f"Guided step {len(self.steps)}: loss {_numbers(start)} -> {_numbers(end)}")
        if self.draw is not None and self.seen is not None:
            seen = self.seen
            self.draw(lambda: live_boxes(*seen))
            self.seen = None

    def watches(self, site: Site) -> bool:
        """Whether it should look at this site."""
        return site.kind == "cross" and site.layer.ordinal in self.layers and any(self._own(site.rows))

    def _own(self, rows: Rows) -> Iterator[tuple[slice, int, Window]]:
        """(rows, length of the text, part of the picture) of every chunk of the layout's prompt."""
        for text, own, window in rows.by_text:
            if text.of(self.layout.prompt) and window is not None:
                yield own, text.tokens, window

    def unseen(self, site: Site) -> bool:
        """Whether it should look at this site, and has not done so yet."""
        place = (site.layer.ordinal, site.kind)
        return self.watches(site) and all(place != seen for seen, _ in self.before)

    def watch(self, site: Site, qkv: QKV) -> None:
        """Look at an attention call, if it should."""
        if not self.watches(site):
            return
        for rows, tokens, window in self._own(site.rows):
            with torch.no_grad():
                map_ = attention_map(rows_of(qkv, rows))
            self.look(site, by_token(map_, tokens), window)

    def look(self, site: Site, map_: Tensor, window: Window) -> None:
        """Note how much attention (images, H, N, T) of the layout's prompt lies where it should; what was
        seen first in a layer and what was seen last are kept, on the device."""
        where = self.where(site, map_, window)
        if window.whole and self.draw is not None:
            self.seen = (where.heat(map_.detach()), where.masks, site.grid)
        self.there[window] = where.there
        place = ((site.layer.ordinal, site.kind), window)
        self.after[place] = shares = where.inside(map_.detach())
        self.before.setdefault(place, shares)

    def where(self, site: Site, map_: Tensor, window: Window) -> Placed:
        """The subjects as maps (images, H, N, T) at this site see them, made once."""
        key = (site.grid, window, map_.shape[0], map_.shape[-1], map_.dtype, map_.device)
        if key not in self.placed:
            self.placed[key] = placed(self.layout, site.grid, window, map_.shape[0], map_)
        return self.placed[key]

    def guided(self) -> str:
        """For the report: what the shifts came to."""
        if not self.steps:
            return f"No step was guided: {NOTHING_SEEN if self.due else NONE_DUE}."
        return (
            f"Guided {counted(len(self.steps), 'step')} with {counted(self.looks, 'look')}, "
            f"loss {_numbers(self.first)} -> {_numbers(self.last)}."
        )

    def places(self) -> str | None:
        """For the report: where the subjects' attention lay at the first look, and where at the last."""
        there = sorted({subject for found in self.there.values() for subject in found})
        images = sorted({image for image, _ in there})
        lines = [
            (f"\nimage {image} " if len(images) > 1 else " ")
            + ", ".join(self._subject(image, number) for i, number in there if i == image)
            for image in images
        ]
        told = [f"Attention in its box:{';'.join(lines)}." if lines else None, self.doubt]
        return ("\n" if len(images) > 1 else " ").join(filter(None, told)) or None

    def _subject(self, image: int, number: int) -> str:
        """Means over the layers, and over the parts of the picture that hold the subject."""
        percents = [
            100 * torch.stack([found.cpu() for found in self._seen(shares, image, number)]).mean()
            for shares in (self.before, self.after)
        ]
        phrase = self.layout.subjects(image)[number].phrase
        return f"{phrase} {percents[0]:.0f} -> {percents[1]:.0f} %"

    def _seen(self, shares: Shares, image: int, number: int) -> Iterator[Tensor]:
        for (_, window), found in shares.items():
            if (image, number) in self.there[window]:
                yield found[image, number]


def _numbers(losses: Sequence[float]) -> str:
    return ", ".join(f"{loss:.2f}" for loss in losses)
