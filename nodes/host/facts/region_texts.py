"""The prompts of regions among the texts of a run: the guider has them under names of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ....attention_patches.contract.call.site import Text

REGION = "attention_control region"  # begins the guider's names for them


def region_role(region: int, role: str) -> str:
    """The guider's name for the prompts of a region, counted from 0."""
    return f"{REGION} {region} {role}"


def of_region(role: str) -> bool:
    """Whether a name of the guider's is one for the prompts of a region."""
    return role.startswith(REGION)


def with_regions(conds: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The sampler's roles, with the entries of all regions behind its own."""
    found = {role: list(entries) for role, entries in conds.items() if not of_region(role)}
    for name, entries in conds.items():
        role = name.rsplit(" ", 1)[-1]
        if of_region(name) and role in found:  # what the host has copied for an area is nobody's
            found[role] += [entry for entry in entries if "area" not in entry]
    return found


def merged_texts(texts: Mapping[Any, Text]) -> dict[Any, Text]:
    """The texts of a run, those of regions as further ones of the sampler's roles."""
    roles = ("positive", "negative")
    counts = {role: sum(text.role == role for text in texts.values()) for role in roles}
    named = dict(texts)
    for uuid, text in texts.items():
        if of_region(text.role):
            role = text.role.rsplit(" ", 1)[-1]
            named[uuid] = replace(text, role=role, entry=counts[role])
            counts[role] += 1
    return named
