"""A mixture of styles at work in one run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import WHOLE_PICTURE, Site, Window
from ...contract.denoiser import Denoiser
from ...contract.schedule import PercentRange
from .blend import Blend
from .placement import Placement, placed
from .style_reference import weights
from .visiting_styles import VisitingStyles

IN_TILES = (
    "the model got a part of the picture whose place is not known, and the references have places in it"
)
ONE_CELL = (1, 1)


@dataclass(eq=False)
class Mixing:
    """See `StyleMixture` for what the fields mean."""

    order: ClassVar[Order] = "edit"
    layers: frozenset[int]
    during: PercentRange
    blend: Blend
    visiting: VisitingStyles
    by_place: bool = False
    placement: Placement = "beside"
    made: dict[tuple[Window, tuple[int, int]], Tensor] = field(default_factory=dict)  # `weights`
    bare: set[Window] = field(default_factory=set)  # parts that no reference reaches
    left_alone: Counter[str] = field(default_factory=Counter)  # calls by reason

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        if not model.within(self.during):
            return model.rest(latents)
        with self.visiting.through(latents, model, self, (max(self.layers), "self")):
            return model.rest(latents)

    @property
    def placed(self) -> bool:
        """Whether it matters which part of the picture a call holds."""
        return any(reference.mask is not None for reference in self.visiting.references)

    def wants(self, site: Site) -> bool | StepAside:
        if site.kind != "self" or site.layer.ordinal not in self.layers:
            return False
        if self.visiting.inside is not None:
            return True
        if self.placed and any(window is None for window in site.rows.windows):
            return StepAside(IN_TILES)
        return self.visiting.gives

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        if self.visiting.inside is not None:
            self.visiting.keep(site, qkv)
            return attend(qkv)
        try:
            styles = self.visiting.styles(site, qkv.k.device)
        except KeyError as error:
            self.left_alone[str(error.args[0])] += 1
            return attend(qkv)
        grid = site.grid if self.by_place and self.placed else ONE_CELL
        shares = torch.stack([self.weights(window, grid) for window in site.rows.windows_or_whole])
        if not shares.any():
            return attend(qkv)
        keys = [
            placed(k, site.rotary, of, self.placement, site.percent)
            for k, of in zip(styles.keys, styles.rotaries, strict=True)
        ]
        return attend(self.blend(qkv, site.rows, replace(styles, keys=keys), shares, site.rotary))

    def weights(self, window: Window, grid: tuple[int, int]) -> Tensor:
        """(1 or images, R, h * w) on a part of the picture."""
        if (window, grid) not in self.made:
            found = weights(self.visiting.references, window, grid).float()
            self.made[window, grid] = found
            if not found.any():
                self.bare.add(window)
        return self.made[window, grid]

    def finish(self, latents: Tensor) -> str | None:
        return " ".join(self._lines())

    def _lines(self) -> Iterator[str]:
        references = self.visiting.references
        shares = weights(references, WHOLE_PICTURE, ONE_CELL)
        each = ", ".join(f"{share:.0%}" for share in shares.mean(0).flatten().tolist())
        count = "1 reference" if len(references) == 1 else f"{len(references)} references"
        whole = "picture" if len(shares) == 1 else "pictures, each image by its own masks"
        by = ", each cell by its own place" if self.by_place and self.placed else ""
        yield (
            f"The style is of {count} ({each} of the {whole}{by}), seen at "
            f"{len(self.visiting.seen)} noise levels."
        )
        if self.bare:
            parts = len({window for window, _ in self.made})
            yield f"No reference reaches {len(self.bare)} of {parts} parts of the picture."
        yield from (reference.note for reference in references if reference.note)
        for reason, calls in self.left_alone.items():
            yield f"Left alone {calls} times: {reason}."
