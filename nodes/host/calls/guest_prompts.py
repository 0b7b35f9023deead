"""The prompts of a run as guests see them whose latents are of another size, and prompts of their own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from comfy.sampler_helpers import convert_cond
from comfy.samplers import process_conds
from torch import Tensor

from ....attention_patches.contract.call.site import WHOLE_PICTURE, Text
from ..facts.entry_weights import Conditioning
from ..facts.region_texts import merged_texts, of_region, with_regions
from ..facts.texts import Size, own_names, plain_area, texts_of
from ..families.family import Family
from .pushed_prompts import pushed_into

GUESTS = "guests"  # the role of a text that is theirs alone
HIDDEN = "attention_control_hooks"  # from the host, which would set the run's hooks back to their beginning


class GuestPrompts:
    """Belongs to one run. `given` are the guider's conditionings before the host fits them to the run's
    latents, of `size`.

    Masks, areas in percent and the sizes that SDXL is told are fitted to a guest as the host fits them to a
    run of that size. The host's other areas are absolute; a guest has them at the same part of its picture.
    Guests that are seen whole have none of them, the first row of each conditioning, and the prompts of
    regions as well.
    """

    def __init__(
        self, given: Mapping[str, Sequence[Conditioning] | None], size: Size, family: Family
    ) -> None:
        self.given = {role: [dict(entry) for entry in entries or ()] for role, entries in given.items()}
        self.size = size
        self.family = family
        self.fitted: dict[
            tuple[bool, tuple[int, ...]], tuple[dict[str, list[Conditioning]], dict[Any, Text]]
        ] = {}
        self.own: dict[tuple[int, str, tuple[int, ...]], tuple[list[Conditioning], dict[Any, Text]]] = {}

    @contextmanager
    def fit(
        self, guider: Any, latents: Tensor, seed: int | None, whole: bool = False
    ) -> Iterator[dict[Any, Text] | None]:
        """While open, the guider's prompts are those for latents (B, C, h, w), which may be seen `whole`;
        gives what they are, or None if they are the run's own."""
        own, key = guider.conds, (whole, tuple(latents.shape))
        if tuple(latents.shape[-2:]) == self.size and not whole:
            guider.conds, texts = _uncontrolled(own), None
        else:
            if key not in self.fitted:
                self.fitted[key] = self._fitted(guider.inner_model, latents, seed, whole)
            guider.conds, texts = self.fitted[key]
        try:
            yield texts
        finally:
            guider.conds = own

    def of_guests(
        self, model: Any, prompt: Any, latents: Tensor, seed: int | None, role: str = "positive"
    ) -> tuple[list[Conditioning], dict[Any, Text]]:
        """A CONDITIONING in the host's form for latents (B, C, h, w), and what its entries are; it is made
        once for each size. Models may be told otherwise of a negative, as SDXL's refiner is."""
        key = id(prompt), role, tuple(latents.shape)  # the prompt lies on a node, and outlives the run
        if key not in self.own:
            fitted = process_conds(
                model,
                latents,
                {"positive": [{**entry, "prompt_type": role} for entry in convert_cond(prompt)]},
                latents.device,
                latents,
                None,
                seed,
                [latents.shape],
            )["positive"]
            size = (latents.shape[-2], latents.shape[-1])
            self.own[key] = fitted, texts_of({GUESTS: fitted}, size, self.family)
        return self.own[key]

    def pushed(
        self,
        model: Any,
        conds: Mapping[str, Sequence[Conditioning]],
        prompt: Any,
        weight: float,
        latents: Tensor,
        timestep: Tensor,
        seed: int | None,
    ) -> tuple[dict[str, Sequence[Conditioning]], dict[Any, Text]]:
        """The run's conditionings, fitted to latents (B, C, h, w), with a CONDITIONING as so large a part of
        the negative; and what its entries are."""
        size = (latents.shape[-2], latents.shape[-1])
        entries, _ = self.of_guests(model, prompt, latents, seed, "negative")
        negative = conds["negative"]
        named = {"negative": [*negative, *entries]}  # so that they are numbered behind the run's own
        texts = texts_of(named, size, self.family)
        further = {entry["uuid"]: texts[entry["uuid"]] for entry in entries if entry["uuid"] in texts}
        return {**conds, "negative": pushed_into(negative, entries, weight, latents, timestep)}, further

    def _fitted(
        self, model: Any, latents: Tensor, seed: int | None, whole: bool
    ) -> tuple[dict[str, list[Conditioning]], dict[Any, Text]]:
        size = (latents.shape[-2], latents.shape[-1])
        entries = {
            role: [self._entry(entry, size) for entry in own]
            for role, own in self.given.items()
            if whole or not of_region(role)
        }
        if whole:
            entries = {role: [_first(entry) for entry in own] for role, own in entries.items()}
        fitted: dict[str, list[Conditioning]] = process_conds(
            model, latents, entries, latents.device, latents, None, seed, [latents.shape]
        )
        named = own_names(
            {role: [_renamed(entry, HIDDEN, "hooks") for entry in own] for role, own in fitted.items()}
        )
        if not whole:
            return named, texts_of(named, size, self.family)
        # only now: the host has copied entries for the areas of others, as it has in the run
        texts = merged_texts(texts_of(named, size, self.family))
        texts = {uuid: replace(text, window=WHOLE_PICTURE) for uuid, text in texts.items()}
        named = with_regions(named)
        return {role: [_without_place(entry) for entry in own] for role, own in named.items()}, texts

    def _entry(self, entry: Conditioning, size: Size) -> Conditioning:
        """The entry for latents of this size; without ControlNet, which no guest gets."""
        kept = {key: value for key, value in entry.items() if key != "control"}
        kept = _renamed(kept, "hooks", HIDDEN)
        if "area" in kept:
            kept["area"] = scaled_area(kept["area"], self.size, size)
        return kept


def _uncontrolled(conditionings: Mapping[str, Sequence[Conditioning] | None]) -> dict[str, Any]:
    """The same without ControlNets: one that has been asked with other rows cuts its hints to these."""
    return {
        role: entries and [{key: of for key, of in entry.items() if key != "control"} for entry in entries]
        for role, entries in conditionings.items()
    }


def _first(entry: Conditioning) -> Conditioning:
    """The entry with the first row of what has a row for each image."""
    return {
        key: value[:1] if isinstance(value, Tensor) and value.ndim > 1 else value
        for key, value in entry.items()
    }


def _without_place(entry: Conditioning) -> Conditioning:
    return {key: value for key, value in entry.items() if key not in ("area", "mask")}


def _renamed(entry: Conditioning, name: str, other: str) -> Conditioning:
    return {other if key == name else key: value for key, value in entry.items()}


def scaled_area(area: Sequence[Any], of: Size, size: Size) -> tuple[int, int, int, int]:
    """The host's area, (height, width, top, left) in cells of latents `of`, or in parts of them behind the
    word "percentage", in cells of latents of `size`; never empty."""
    if area[0] == "percentage":
        parts = list(plain_area(area[1:]))
    else:
        parts = [extent / of[axis % 2] for axis, extent in enumerate(plain_area(area))]
    height, width = (max(1, round(part * cells)) for part, cells in zip(parts[:2], size, strict=True))
    top, left = (min(round(part * cells), cells - 1) for part, cells in zip(parts[2:], size, strict=True))
    return height, width, top, left
