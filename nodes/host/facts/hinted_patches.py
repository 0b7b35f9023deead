"""The host's ControlNets that stand on the model: in each call they see their whole hint, made for a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

HINTED = frozenset(
    {"DiffSynthCnetPatch", "ZImageControlPatch", "AnimaLLLitePatch", "SUPIRPatch", "WanUni3CCnetPatch"}
)

Patches = Mapping[str, Sequence[Any]]  # as the host's transformer options hold them
CHANGED = {
    "DiffSynthCnetPatch": ("img",),
    "ZImageControlPatch": ("img",),
    "WanUni3CCnetPatch": ("img",),
    "AnimaLLLiteAttentionPatch": ("q", "k", "v"),
    "AnimaLLLiteMLPPatch": ("x",),
}
"""What they change, (rows, ...) each, of all that they are given."""


def hinted(patches: Patches) -> list[str]:
    """Their names among these."""
    return sorted({_name(patch) for some in patches.values() for patch in some} & HINTED)


def without_hinted(patches: Patches) -> dict[str, list[Any]]:
    """All others."""
    return {place: [patch for patch in some if _name(patch) not in HINTED] for place, some in patches.items()}


def _name(patch: Any) -> str:
    """What a patch belongs to: an object, or one of its methods, which may stand behind a class of layers."""
    one = patch[-1] if isinstance(patch, tuple) else patch
    return type(getattr(one, "__self__", one)).__name__


def sparing(patches: Patches, rows: Tensor) -> dict[str, list[Any]]:
    """The same, but they leave these rows of a call as they are; not so SUPIR, whose adapters are a part of
    the network itself."""
    return {
        place: [
            Sparing(patch, CHANGED[name], rows) if (name := type(patch).__name__) in CHANGED else patch
            for patch in some
        ]
        for place, some in patches.items()
    }


@dataclass(frozen=True, eq=False)
class Sparing:
    """A ControlNet at one of its places; some work in what they are given, and give out nothing."""

    patch: Any
    changed: Sequence[str]
    rows: Tensor

    def __call__(self, *given: Any, **named: Any) -> dict[str, Any]:
        state = given[0] if isinstance(given[0], dict) else dict(zip(("q", "k", "v"), given, strict=True))
        own = {name: state[name] for name in self.changed}
        before = {name: tensor[self.rows.to(tensor.device)] for name, tensor in own.items()}
        found: dict[str, Any] = self.patch(*given, **named)
        spared = {
            name: found.get(name, own[name]).index_copy(0, self.rows.to(kept.device), kept)
            for name, kept in before.items()
        }
        return {**found, **spared}
