"""The host's ControlNets that stand on the model: in each call they see their whole hint, made for a run."""

from collections.abc import Mapping, Sequence
from typing import Any

HINTED = frozenset({"DiffSynthCnetPatch", "ZImageControlPatch", "AnimaLLLitePatch"})

Patches = Mapping[str, Sequence[Any]]  # as the host's transformer options hold them


def hinted(patches: Patches) -> list[str]:
    """Their names among these."""
    return sorted({type(patch).__name__ for some in patches.values() for patch in some} & HINTED)


def without_hinted(patches: Patches) -> dict[str, list[Any]]:
    """All others."""
    return {
        place: [patch for patch in some if type(patch).__name__ not in HINTED]
        for place, some in patches.items()
    }
