"""The maps of a run, made of the means that a recorder has kept."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from ...contract.batch import Batch
from ...contract.call.site import Prompt
from ..recorded import AttentionMaps, RecordedLayer, TimeSlice
from .wanted import Wanted

Key = tuple[str, int, str]
"""What, ordinal of the layer, role."""

Kept = Mapping[Key, Tensor]
"""Means by time slice."""


def maps_of_run(
    batch: Batch, wanted: Wanted, times: Mapping[int, Mapping[float, float]], kept: Kept, latents: Tensor
) -> AttentionMaps:
    """The maps of a run that has ended. `times` are the places on the schedule that were seen in each slice,
    by sigma, `kept` the means in all of these slices, and `latents` what the run has ended in."""
    slices = sorted(times)
    bins = wanted.time_bins
    percents = [times[s].values() for s in slices]
    return AttentionMaps(
        model=batch.layers,
        images=batch.images,
        latent=batch.latent,
        slices=tuple(
            TimeSlice(s / bins, (s + 1) / bins, 1.0 - sum(seen) / len(seen))
            for s, seen in zip(slices, percents, strict=True)
        ),
        layers=tuple(_layers(batch, kept)),
        latents=latents,
        prompts=_prompts(batch, wanted),
    )


def _prompts(batch: Batch, wanted: Wanted) -> dict[str, Prompt]:
    """What was sampled with, by role; texts of several rows are other prompts for other images."""
    rows = batch.conditionings
    return {
        text.role: text.prompt
        for text in wanted.texts
        if text.prompt is not None and set(rows.get(text.role, ())) == {1}
    }


def _layers(batch: Batch, kept: Kept) -> Iterator[RecordedLayer]:
    for layer in batch.layers.layers:
        by_kind = {
            what: {r: t for (w, n, r), t in kept.items() if (w, n) == (what, layer.ordinal)}
            for what in ("cross", "self", "queries", "keys")
        }
        if by_kind["cross"] or by_kind["self"]:
            yield RecordedLayer(
                layer,
                batch.layer_sizes[layer.ordinal].grid,
                batch.layer_sizes[layer.ordinal].heads,
                by_kind["cross"],
                by_kind["self"],
                by_kind["queries"],
                by_kind["keys"],
            )
