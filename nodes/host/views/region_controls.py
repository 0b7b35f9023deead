"""The ControlNets of regions' prompts, kept apart from those of the sampler's.

Where a positive prompt has one by the node for positives alone, the host gives it to prompts of all other
roles that have none. The guider knows prompts of regions as roles of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from comfy.samplers import apply_empty_x_to_equal_area

from ..facts.entry_weights import Conditioning
from ..facts.region_texts import of_region, region_role

CONTROLLED = "attention_control_controlled"  # in a region's entry: whether it has a ControlNet of its own


def with_own_controls(conds: Mapping[str, Sequence[Conditioning]]) -> dict[str, Sequence[Conditioning]]:
    """The guider's conditionings as the host has made them for a run, where the prompts of a region have
    ControlNets as they would have them in a run of their own."""
    found = {role: _own(entries) if of_region(role) else entries for role, entries in conds.items()}
    for region in range(len(conds)):
        positive, negative = (region_role(region, role) for role in ("positive", "negative"))
        if positive in found and negative in found:
            found[negative] = _spread(found[positive], found[negative])
    return found


def controls_beside(positive: Sequence[Conditioning], entries: Sequence[Conditioning]) -> dict[Any, Any]:
    """The ControlNets of the sampler's entries against a region's positive, by their identity: those that the
    host would give them from that one, and in place of each of their own that one's. Guidance would lead away
    from the hint of another."""
    first = next((entry["control"] for entry in positive if entry.get("control")), None)
    given = _spread(positive, [_uncontrolled(entry) for entry in entries])
    return {
        entry["uuid"]: by_host.get("control") or (first if entry.get("control") else None)
        for entry, by_host in zip(entries, given, strict=True)
    }


def _spread(positive: Sequence[Conditioning], others: Sequence[Conditioning]) -> list[Conditioning]:
    """The entries of another role beside a positive: the host gives them ControlNets of it."""
    found = list(others)
    given = [entry for entry in positive if entry.get("control_apply_to_uncond", False)]
    if any("area" not in entry for entry in found):
        apply_empty_x_to_equal_area(given, found, "control", lambda controls, number: controls[number])
    return found


def _own(entries: Sequence[Conditioning]) -> list[Conditioning]:
    return [entry if entry.get(CONTROLLED, False) else _uncontrolled(entry) for entry in entries]


def _uncontrolled(entry: Conditioning) -> Conditioning:
    return {key: value for key, value in entry.items() if key != "control"}
