"""What is measured on the maps of one scene: pointing and overlap of words, overlap of segments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from attention_control.attention_patches.maps.averages import cross_map
from attention_control.attention_patches.maps.recorded import AttentionMaps
from attention_control.attention_patches.maps.self_segmentation.segmentation import (
    Segmentation,
    SelfSegmentation,
    label,
)
from attention_control.attention_patches.text.words import Word
from torch import Tensor

from measure.setting.scenes import SIZE, Labelled

KINDS = ("noun", "colour")
Figures = dict[tuple[Any, ...], list[float]]
Means = dict[tuple[Any, ...], float]


def one_image(maps: AttentionMaps, image: int) -> AttentionMaps:
    """The maps of one image of a batch."""

    def part(kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {role: tensor[:, image : image + 1] for role, tensor in kept.items()}

    layers = [
        replace(x, cross_attention=part(x.cross_attention), self_attention=part(x.self_attention))
        for x in maps.layers
    ]
    return replace(maps, images=1, layers=tuple(layers))


def all_times(several: Sequence[AttentionMaps]) -> AttentionMaps:
    """Maps of several noise levels as time slices of one run, of which everything else takes the mean."""

    def joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {role: torch.cat([part[role] for part in parts]) for role in parts[0]}

    layers = [
        replace(
            same[0],
            cross_attention=joined([x.cross_attention for x in same]),
            self_attention=joined([x.self_attention for x in same]),
        )
        for same in zip(*(maps.layers for maps in several), strict=True)
    ]
    slices = tuple(slice_ for maps in several for slice_ in maps.slices)
    return replace(several[0], slices=slices, layers=tuple(layers))


def enlarged(maps: AttentionMaps, layers: str = "all") -> Tensor:
    """(words, SIZE, SIZE): the mean of these layers."""
    return cross_map(maps, (SIZE, SIZE), layers=maps.model.parse(layers))


def of_words(scene: Labelled, seen: Tensor, name: Any, cuts: Sequence[float]) -> Figures:
    """Of maps (words, SIZE, SIZE), nouns first: ("pointing", kind, name) and ("mIoU", kind, name, cut)."""
    figures: Figures = defaultdict(list)
    truths = [(kind, group.mask) for kind in KINDS for group in scene.groups]
    for (kind, truth), map_ in zip(truths, seen, strict=True):
        figures[("pointing", kind, name)].append(float(truth.flatten()[map_.argmax()]))
        share = (map_ - map_.min()) / (map_.max() - map_.min())
        for cut in cuts:
            figures[("mIoU", kind, name, cut)].append(iou(share > cut, truth))
    return figures


def of_segments(
    scene: Labelled,
    maps: AttentionMaps,
    level: float | str,
    layers: str,
    thresholds: Iterable[float],
    sharpened: Sequence[bool] = (False, True),
) -> Figures:
    """("segments", level, layers, threshold, sharpened): the masks that SelfSegment gives for the nouns."""
    figures: Figures = defaultdict(list)
    found = segmentation(scene, maps, layers)
    clusters = {on: found.sharpened(scene.image) if on else found.enlarged((SIZE, SIZE)) for on in sharpened}
    for threshold, on in product(thresholds, sharpened):
        masks = replace(found, labels=label(found.scores, threshold)).masks(clusters[on])
        for mask, group in zip(masks, scene.groups, strict=True):
            figures[("segments", level, layers, threshold, on)].append(iou(mask, group.mask))
    return figures


def segmentation(scene: Labelled, maps: AttentionMaps, layers: str) -> Segmentation:
    """By the nouns, with the node's defaults but for the layers."""
    nouns = [Word(group.noun, (column,)) for column, group in enumerate(scene.groups)]
    return SelfSegmentation(layers=maps.model.parse(layers)).of_image(maps, nouns, 0)


def iou(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def pooled(parts: Iterable[Figures]) -> Means:
    """The mean of each figure over all words of all scenes."""
    values: Figures = defaultdict(list)
    for part in parts:
        for key, found in part.items():
            values[key] += found
    return {key: sum(found) / len(found) for key, found in values.items()}
