"""The conditionings of a run as texts: each named once, by its role and its number there."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ....attention_patches.contract.call.site import WHOLE_PICTURE, Prompt, Text, Window
from ..families.family import Family
from ..text.prompt_identity import prompt_of

Conditionings = Mapping[str, Sequence[dict[str, Any]] | None]
"""The guider's entries by role, as the host keeps them during a run."""

Size = tuple[int, int]  # (height, width) in cells


def own_names(conds: Conditionings) -> dict[str, list[dict[str, Any]]]:
    """The same entries, none of which has the identity of another.

    Where areas have no counterpart of the other role, the host copies an entry with its identity and gives
    the copy the other role's vectors; so an identity would stand for a positive and for a negative text.
    """
    taken: set[Any] = set()
    named: dict[str, list[dict[str, Any]]] = {}
    for role, entries in conds.items():
        named[role] = []
        for entry in entries or ():
            own = {**entry, "uuid": uuid.uuid4()} if entry.get("uuid") in taken else entry
            taken.add(own.get("uuid"))
            named[role].append(own)
    return named


def texts_of(conds: Conditionings, size: Size, family: Family) -> dict[Any, Text]:
    """What each conditioning is, by the identity that the host gives it for one run of latents of this
    size."""
    texts = {}
    for role, entries in conds.items():
        prompts: dict[int, Prompt | None] = {}
        for number, entry in enumerate(entries or ()):
            ready = entry.get("model_conds", {}).items()
            given = entry | {name: own.cond for name, own in ready if hasattr(own, "cond")}
            vectors = given.get("c_crossattn", entry.get("cross_attn"))
            if not isinstance(vectors, Tensor) or vectors.ndim != 3 or "uuid" not in entry:
                continue
            # what the host has copied from another role has the vectors of an original of its own role
            prompt = prompts.setdefault(id(vectors), prompt_of(entry))
            window = window_of(entry.get("area"), size)
            tokens = family.text_tokens(vectors.shape[1], given)
            texts[entry["uuid"]] = Text(role, number, tokens, prompt, window)
    return texts


def plain_area(area: Sequence[Any]) -> Sequence[Any]:
    """The host's area without the side of time that those for videos have: (height, width, top, left)."""
    return [*area[-2 - len(area) // 2 : -(len(area) // 2)], *area[-2:]]


def window_of(area: Sequence[Any] | None, size: Size) -> Window:
    """The host's area, (height, width, top, left) in cells or, behind the word "percentage", in fractions, as
    a part of a picture of this size."""
    if area is None:
        return WHOLE_PICTURE
    height, width = (1.0, 1.0) if area[0] == "percentage" else size
    h, w, top, left = plain_area(area[1:] if area[0] == "percentage" else area)
    return Window(top / height, left / width, min((top + h) / height, 1.0), min((left + w) / width, 1.0))


def cells_of(window: Window, size: Size) -> Size:
    """How many cells (height, width) a part of a picture of this size has."""
    height, width = size
    return round((window.bottom - window.top) * height), round((window.right - window.left) * width)


def conditioning_rows(conds: Conditionings) -> dict[str, list[int]]:
    """Rows of every tensor of each conditioning, by the guider's name for it (positive, negative, ...)."""
    return {
        name: [
            entry[key].shape[0]
            for entry in entries or ()
            for key in ("cross_attn", "pooled_output")
            if isinstance(entry.get(key), Tensor)
        ]
        for name, entries in conds.items()
    }
