"""The host's conditionings, cut to views of the picture: all in them that belongs to a place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_base
import comfy.samplers
import torch
from comfy.conds import CONDNoiseShape, CONDRegular
from torch import Tensor

from ....attention_patches.contract.views import Cells, View
from ..facts.region_texts import of_region, region_role
from ..facts.texts import Size, plain_area
from ..facts.viewed_id import ViewedId
from .cut_control import CutControl

Conditioning = dict[str, Any]  # an entry as the guider holds it
PIXELS = 8  # of a cell's side
NO_WEIGHT = ("timestep_start", "timestep_end", "control", "hooks")
REPLACED = ("default", "strength", "mask_strength", "control")


@dataclass(eq=False)
class CutConditionings:
    """Of one run on latents of `size`. What is cut of the run's own entries is kept until its end; `roles`
    are theirs, by the identity of these objects; `of_regions` is the ControlNet of each region's prompt."""

    model: Any
    size: Size
    roles: Mapping[int, str]
    of_regions: Mapping[str, Any]
    kept: dict[tuple[int, View], list[Conditioning]] = field(default_factory=dict)
    controls: dict[int, CutControl] = field(default_factory=dict)

    @classmethod
    def of_run(cls, guider: Any, size: Size) -> "CutConditionings":
        """Of the run that a guider makes."""
        roles = {id(entry): role for role, entries in guider.conds.items() for entry in entries or ()}
        controls = {
            role: next((entry["control"] for entry in entries or () if entry.get("control")), None)
            for role, entries in guider.conds.items()
            if of_region(role)
        }
        return cls(guider.inner_model, size, roles, controls)

    def entries(
        self, own: Sequence[Conditioning], view: View, x: Tensor, timestep: Tensor
    ) -> list[Conditioning]:
        """What these entries are in a view, with areas in its own cells, and masks as large as the areas."""
        found = []
        for entry in own:
            key = (id(entry), view)
            if "default" in entry:
                found += list(self._cut(entry, view, self._rest(own, x, timestep)))
            elif key in self.kept:
                found += self.kept[key]
            else:
                cut = list(self._cut(entry, view, _weights(entry, x, timestep)))
                found += cut
                if id(entry) in self.roles:
                    self.kept[key] = cut
        return found

    def _rest(self, own: Sequence[Conditioning], x: Tensor, timestep: Tensor) -> Tensor:
        """(B, ..., H, W): what the others of a prompt leave to those that hold where nobody else does."""
        rest = torch.ones_like(x[:, 0])
        for entry in own:
            if "default" not in entry and _holds(entry, timestep):
                at = self._extent(entry)
                rest[..., at.top : at.top + at.height, at.left : at.left + at.width] -= _weights(
                    entry, x, timestep
                )
        return rest.clamp(min=0)

    def _extent(self, entry: Conditioning) -> Cells:
        """The area of an entry."""
        height, width = self.size
        if "area" not in entry:
            return Cells(0, 0, height, width)
        h, w, top, left = plain_area(entry["area"])
        return Cells(top, left, min(h, height - top), min(w, width - left))

    def _cut(self, entry: Conditioning, view: View, weights: Tensor) -> Iterator[Conditioning]:
        extent = self._extent(entry)
        plain = {key: value for key, value in entry.items() if key not in REPLACED}
        for piece in _pieces(extent, view.cells, self.size[1]):
            left = (view.cells.left + piece.left) % self.size[1]
            cells = replace(piece, top=view.cells.top + piece.top, left=left)
            within = replace(cells, top=cells.top - extent.top, left=cells.left - extent.left)
            share = None if view.share is None else piece.cut(view.share)
            yield {
                **plain,
                "uuid": ViewedId(entry["uuid"], cells, extent, self.size, view.region, share),
                "area": (piece.height, piece.width, piece.top, piece.left),
                "mask": within.cut(weights),
                "model_conds": self._model_conds(entry, cells, view.cells),
                **self._control(entry, view),
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
            "prompt_type": self.roles.get(id(entry), ""),
            **entry,
            "crop_w": entry.get("crop_w", 0) + view.left * PIXELS,
            "crop_h": entry.get("crop_h", 0) + view.top * PIXELS,
            "target_width": view.width * PIXELS,
            "target_height": view.height * PIXELS,
        }

    def _control(self, entry: Conditioning, view: View) -> dict[str, Any]:
        """The ControlNet of an entry in a view. The sampler's negative stands against a region's prompt under
        that one's: guidance would lead away from the hint of another."""
        control = entry.get("control")
        if view.region is not None and not of_region(self.roles.get(id(entry), "")):
            control = control and self.of_regions.get(region_role(view.region, "positive"))
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


def _weights(entry: Conditioning, x: Tensor, timestep: Tensor) -> Tensor:
    """(B, ..., h, w): what an entry weighs in the cells of its area on x (B, C, ..., H, W), as the host has
    it."""
    bare = {key: value for key, value in entry.items() if key not in NO_WEIGHT}
    found = comfy.samplers.get_area_and_mult({**bare, "model_conds": {}}, x, timestep)
    weights: Tensor = found.mult[:, 0]
    return weights


def _holds(entry: Conditioning, timestep: Tensor) -> bool:
    sigma = float(timestep[0])
    return not (
        sigma > float(entry.get("timestep_start", sigma)) or sigma < float(entry.get("timestep_end", sigma))
    )
