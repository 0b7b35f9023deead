"""What stands in the regions of one run: prompts of their own while these hold, else the sampler's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any

from torch import Tensor

from ..facts.entry_weights import Conditioning, holds
from ..facts.region_texts import of_region, region_role
from .region_controls import controls_beside

Entries = Mapping[str, Sequence[Conditioning] | None]


@dataclass(frozen=True, eq=False)
class RegionsOfRun:
    """`conds` are the guider's, with those of regions. `beside` are the ControlNets of the sampler's own
    entries in a region, by its number and their identity."""

    conds: Entries
    beside: Mapping[tuple[int, Any], Any]

    @classmethod
    def of_run(cls, conds: Entries) -> "RegionsOfRun":
        """Of the conditionings as the host has made them for a run."""
        return cls(conds, dict(_beside(conds)))

    def entries(self, region: int | None, role: str, timestep: Tensor) -> list[Conditioning]:
        """What holds in a region in place of the sampler's conditionings of a role; nothing if these hold."""
        if region is None or not self.stands(region, timestep):
            return []
        own = self._own(region, role)
        return own if _any_holds(own, timestep) else []

    def stands(self, region: int | None, timestep: Tensor) -> bool:
        """Whether a region has a positive prompt at this noise level: without one it is the sampler's."""
        return region is not None and _any_holds(self._own(region, "positive"), timestep)

    def _own(self, region: int, role: str) -> list[Conditioning]:
        """Those of a region, without what the host has copied for an area of others."""
        return [entry for entry in self.conds.get(region_role(region, role)) or () if "area" not in entry]


def _any_holds(entries: Sequence[Conditioning], timestep: Tensor) -> bool:
    return any(holds(entry, timestep) and entry.get("strength", 1.0) != 0 for entry in entries)


def _beside(conds: Entries) -> Iterator[tuple[tuple[int, Any], Any]]:
    for region in takewhile(lambda number: region_role(number, "positive") in conds, count()):
        positive = conds[region_role(region, "positive")] or ()
        for role, entries in conds.items():
            if role != "positive" and not of_region(role):
                for uuid, control in controls_beside(positive, entries or ()).items():
                    yield (region, uuid), control
