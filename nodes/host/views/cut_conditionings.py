"""The host's conditionings, cut to views of the picture: all in them that belongs to a place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_base
import torch
from comfy.conds import CONDNoiseShape, CONDRegular
from torch import Tensor

from ....attention_patches.contract.views import Cells, View
from ..calls.pushed_prompts import BESIDE, PUSHED, pushed_into
from ..facts.entry_weights import Conditioning, extent, rest, weights
from ..facts.region_texts import of_region
from ..facts.texts import Size
from ..facts.viewed_id import ViewedId
from .cut_control import CutControl
from .regions_of_run import RegionsOfRun

PIXELS = 8  # of a cell's side
REPLACED = ("default", "strength", "mask_strength", "control")


@dataclass(eq=False)
class CutConditionings:
    """Of one run on latents of `size`. What is cut of the run's own entries is kept until its end, by whether
    the view's region has a prompt of its own then. `roles` are those of the run's entries, by the host's
    identities of them, and `lasting` these objects."""

    model: Any
    size: Size
    roles: Mapping[Any, str]
    lasting: frozenset[int]
    regions: RegionsOfRun
    kept: dict[tuple[int, View, bool], list[Conditioning]] = field(default_factory=dict)
    controls: dict[int, CutControl] = field(default_factory=dict)

    @classmethod
    def of_run(cls, guider: Any, size: Size) -> "CutConditionings":
        """Of the run that a guider makes."""
        own = [(role, entry) for role, entries in guider.conds.items() for entry in entries or ()]
        roles = {entry["uuid"]: role for role, entry in own}
        lasting = frozenset(id(entry) for _, entry in own)
        return cls(guider.inner_model, size, roles, lasting, RegionsOfRun.of_run(guider.conds))

    def entries(
        self, own: Sequence[Conditioning], role: str, view: View, x: Tensor, timestep: Tensor
    ) -> list[Conditioning]:
        """What holds in a view in place of the entries of a role, with areas in its own cells, and masks as
        large as the areas."""
        found = []
        own, stands = self._standing(own, role, view, x, timestep)
        for entry in own:
            key = (id(entry), view, stands)
            if "default" in entry:
                found += list(self._cut(entry, view, rest(own, x, timestep), stands))
            elif key in self.kept:
                found += self.kept[key]
            else:
                cut = list(self._cut(entry, view, weights(entry, x, timestep), stands))
                found += cut
                if id(entry) in self.lasting:
                    self.kept[key] = cut
        return found

    def _standing(
        self, own: Sequence[Conditioning], role: str, view: View, x: Tensor, timestep: Tensor
    ) -> tuple[Sequence[Conditioning], bool]:
        """The entries of a role in a view, and whether its region has a prompt of its own. What is a part of
        the sampler's for a method is one of a region's too."""
        found = self.regions.entries(view.region, role, timestep)
        for entry in own if found else ():
            if PUSHED in entry:
                found = pushed_into(found, [entry], entry[PUSHED], x, timestep)
        return found or own, self.regions.stands(view.region, timestep)

    def _cut(self, entry: Conditioning, view: View, weighing: Tensor, stands: bool) -> Iterator[Conditioning]:
        whole = extent(entry, self.size)
        plain = {key: value for key, value in entry.items() if key not in REPLACED}
        for piece in _pieces(whole, view.cells, self.size[1]):
            left = (view.cells.left + piece.left) % self.size[1]
            cells = replace(piece, top=view.cells.top + piece.top, left=left)
            within = replace(cells, top=cells.top - whole.top, left=cells.left - whole.left)
            share = None if view.share is None else piece.cut(view.share)
            yield {
                **plain,
                "uuid": ViewedId(entry["uuid"], cells, whole, self.size, view.region, share),
                "area": (piece.height, piece.width, piece.top, piece.left),
                "mask": within.cut(weighing),
                "model_conds": self._model_conds(entry, cells, view.cells),
                **self._control(entry, view.region if stands else None),
            }

    def _model_conds(self, entry: Conditioning, cells: Cells, view: Cells) -> dict[str, Any]:
        """What the model's class has made of an entry, for a part of the picture."""
        conds = {
            name: CONDRegular(cells.cut(cond.cond)) if isinstance(cond, CONDNoiseShape) else cond
            for name, cond in entry["model_conds"].items()
        }
        if isinstance(self.model, comfy.model_base.SDXL | comfy.model_base.SDXLRefiner):
            conds["y"] = CONDRegular(self._with_sizes(entry, view))
        return conds

    def _with_sizes(self, entry: Conditioning, view: Cells) -> Tensor:
        """What SDXL is told beside the text, with the sizes of a view. The rest stays as the host has made it
        for the run: of a picture that unCLIP shows the model, noise drawn by the run's seed is a part."""
        known: Tensor = entry["model_conds"]["y"].cond
        told = self._sizes(entry, view) | {"pooled_output": known[:, :0]}
        told.pop("unclip_conditioning", None)
        sizes: Tensor = self.model.encode_adm(**told)
        return torch.cat([known[:, : known.shape[1] - sizes.shape[1]], sizes.to(known)], dim=1)

    def _sizes(self, entry: Conditioning, view: Cells) -> dict[str, Any]:
        """An entry with what SDXL is told of sizes: a window is a crop of the whole picture."""
        height, width = (side * PIXELS for side in self.size)
        return {
            "width": width,
            "height": height,
            "prompt_type": self.roles.get(entry["uuid"], ""),
            **entry,
            "crop_w": entry.get("crop_w", 0) + view.left * PIXELS,
            "crop_h": entry.get("crop_h", 0) + view.top * PIXELS,
            "target_width": view.width * PIXELS,
            "target_height": view.height * PIXELS,
        }

    def _control(self, entry: Conditioning, region: int | None) -> dict[str, Any]:
        """The ControlNet of an entry in a view, which may be of a region that has a prompt of its own."""
        control, own = entry.get("control"), entry.get(BESIDE, entry["uuid"])
        if region is not None and not of_region(self.roles.get(own, "")):
            control = self.regions.beside.get((region, own))
        if control is None:
            return {}
        return {"control": self.controls.setdefault(id(control), CutControl(control))}


def _pieces(extent: Cells, view: Cells, around: int) -> Iterator[Cells]:
    """Where a part of the picture lies in a view of it, in the view's cells; `around` is the picture's width.
    There are two pieces if the view goes round and begins and ends in it."""
    top = max(extent.top, view.top)
    height = min(extent.top + extent.height, view.top + view.height) - top
    if height <= 0:
        return
    if extent.width == around:
        yield Cells(top - view.top, 0, height, view.width)
        return
    for turn in (0, around):
        left = max(extent.left + turn, view.left)
        width = min(extent.left + turn + extent.width, view.left + view.width) - left
        if width > 0:
            yield Cells(top - view.top, left - view.left, height, width)
