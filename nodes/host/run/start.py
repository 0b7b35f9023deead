"""How a run begins: each method is asked whether it fits the batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ....attention_patches.contract.batch import Batch
from ....attention_patches.contract.method import Method
from ....attention_patches.contract.report import RunReport, Tally
from ..calls.guest_prompts import GuestPrompts
from ..facts.cells import cell_of
from ..facts.texts import conditioning_rows, texts_of
from ..families import family_of
from ..views.region_prompts import check_guidance, check_patches, check_viewed, region_entries
from .on_the_node import OnTheNode
from .run import Enrolled, Run


def _window(methods: Sequence[Method], batch: Batch) -> tuple[int, int] | None:
    """Of the first of the methods that looks at the picture through windows smaller than it."""
    calls = [
        call for method in methods if not method.off and (call := method.largest_call(batch)) is not None
    ]
    return next((size for _, size in calls if size != batch.latent), None)


def start_run(guider: Any, methods: Sequence[Method], nodes: Sequence[OnTheNode], noise: Tensor) -> Run:
    """Let the run that this guider is about to make go through the methods, each from a node.

    Raises ValueError for settings that do not fit the run.
    """
    family, latent = family_of(guider.model_patcher), (noise.shape[-2], noise.shape[-1])
    if noise.ndim == 5 and noise.shape[2] != 1:
        raise ValueError(
            f"latent_image holds {noise.shape[2]} frames, and attention control works on pictures of one. "
            "Use an empty latent of length 1."
        )
    layers = family.layer_map()
    batch = Batch(
        images=noise.shape[0],
        latent=latent,
        layers=layers,
        layer_sizes=family.layer_sizes(latent),
        residuals=family.residual_map(),
        checkpoints=family.checkpoints,
        presets=family.presets(latent),
        conditionings=conditioning_rows(guider.conds),
        texts=tuple(texts_of(guider.conds, latent, family).values()),
        tell=lambda line: None,
        cell=cell_of(guider.model_patcher),
    )
    batch = replace(batch, window=_window(methods, batch))
    tallies = [Tally(method.label, len(layers.layers), off=method.off) for method in methods]
    for method, tally in zip(methods, tallies, strict=True):
        if not method.off:
            tally.nothing_to_do = method.start(batch)
    enrolled = [Enrolled(*one) for one in zip(methods, tallies, nodes, strict=True)]
    for one in enrolled:
        if one.works and one.method.largest_call(batch) is not None:
            check_viewed(guider.conds)
            check_guidance(guider.model_options)
            check_patches(guider.model_options["transformer_options"])
            guider.conds.update(region_entries(one.method.region_prompts))
    run = Run(family, batch, enrolled, GuestPrompts(guider.conds, latent, family), RunReport(tallies))
    run.attach(guider.model_options)
    return run
