"""Inversion through the host's own sampling: wrappers, ControlNets, previews and cancel as in any run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import latent_preview
import torch
from torch import Tensor

from ....attention_patches.inversion.inversion import Inversion, InversionMethod
from ..facts.caches import caches_on, without_caches
from ..families import INVERSION, family_of
from ..run.install import installed, reinstalled
from ..run.on_the_node import OnTheNode
from ..text.prompt_identity import digest_of
from .distilled import distillation_remark
from .inversion_samplers import Inverter, Replay
from .latents import as_latent, model_latent
from .model_identity import digest, identity, noise_path
from .sampled import sampled

LEAST_KEPT = 1e-4  # of the picture, in the noisiest state of a flow; at 0 no sampler could be given the state


@dataclass(frozen=True)
class Conditions:
    """What a run is told: prompts and CFG. Raises ValueError if CFG wants a negative that is not there."""

    positive: Any
    negative: Any | None
    cfg: float

    def __post_init__(self) -> None:
        if self.cfg != 1.0 and self.negative is None:
            raise ValueError(
                f"cfg is {self.cfg:g} and `negative` is not connected: connect a prompt to it (an empty one "
                "will do), or set cfg to 1"
            )

    @property
    def prompt(self) -> str:
        """A digest of the texts in use."""
        used = [self.positive, *([] if self.cfg == 1.0 else [self.negative])]
        entries = [entry for conditioning in used for entry in conditioning]
        return digest([(digest_of(text), digest_of(more.get("pooled_output"))) for text, more in entries])

    def differences(self, inversion: Inversion) -> list[str]:
        """What is not as it was in the inversion, each as a sentence."""
        if self.cfg != inversion.cfg:
            return [f"cfg is {self.cfg:g}: set it to that of the inversion, {inversion.cfg:g}."]
        if self.prompt != inversion.prompt:
            return ["The prompts are not those of the inversion."]
        return []

    def sample(self, model: Any, sampler: Any, sigmas: Tensor, latent: Tensor, seed: int) -> Tensor:
        """Latents as a LATENT holds them, from a run of the host to which no noise is added."""
        return sampled(
            model,
            torch.zeros_like(latent),
            self.cfg,
            sampler,
            sigmas,
            self.positive,
            self.negative,
            latent,
            seed,
            callback=latent_preview.prepare_callback(model, len(sigmas) - 1),
        )


def invert(
    model: Any,
    conditions: Conditions,
    latent: Mapping[str, Any],
    sigmas: Tensor,
    method: InversionMethod,
    seed: int,
) -> tuple[Inversion, Tensor]:
    """The inversion of a LATENT's pictures, and its noisiest state as a LATENT holds it.

    `sigmas` falls to 0. Flows are walked up to a sigma of 0.9999 at most, where a state still holds a trace
    of its picture. A noise mask is ignored, and so are guidance and caches on the model. Raises ValueError
    for models and latents that cannot be.
    """
    family_of(model, INVERSION)
    path = noise_path(model)
    if path == "rectified flow":
        sigmas = sigmas.clamp(max=1.0 - LEAST_KEPT).unique_consecutive()  # several above it are one level
    if remark := distillation_remark(model, conditions.positive, method):
        logging.info("[Attention Control] Inversion: %s", remark)
    sampler = Inverter(method, path, seed, latent.get("batch_index"))
    conditions.sample(_following(model), sampler, sigmas, model_latent(model, latent), seed)
    assert sampler.states is not None
    own = (identity(model), conditions.cfg, conditions.prompt, path)
    inversion = Inversion(method, sigmas, sampler.states, sampler.noise, *own)
    return inversion, as_latent(model, inversion.beginning())


def reconstruct(model: Any, conditions: Conditions, inversion: Inversion, start_percent: float) -> Tensor:
    """Latents as a LATENT holds them, after the inversion's steps from a fraction of the schedule on.

    Guidance and caches on the model are ignored.
    """
    sigma = float(model.get_model_object("model_sampling").percent_to_sigma(start_percent))
    first = inversion.first_step(sigma)
    if first >= inversion.steps:
        raise ValueError(
            f"start_percent is {start_percent:g}, and none of the inversion's {inversion.steps} steps comes "
            "after it, so nothing would be followed. Start earlier."
        )
    rest = inversion.sigmas[first:]
    picture = as_latent(model, inversion.picture)
    return conditions.sample(_following(model), Replay(inversion), rest, picture, seed=0)


def guidance_remark(model: Any) -> str | None:
    """A remark on the guidance that is on the MODEL, None if none is: no picture is followed under it."""
    names = [spec.method.label for spec in installed(model) if spec.method.guides]
    if not names:
        return None
    return (
        f"The guidance of {' and '.join(names)} is left out: it shifts the latents, and would lead away from "
        "the picture."
    )


def cache_remark(model: Any) -> str | None:
    """A remark on the caches that are on the MODEL, None if none is: the host's end in an error where noise
    grows, and elsewhere the way to the picture is lost."""
    if not (names := caches_on(model)):
        return None
    verb = "is" if len(names) == 1 else "are"
    return f"{' and '.join(names)} {verb} left out: every step of a given picture is computed."


def _following(model: Any) -> Any:
    """The MODEL as it is to follow a given picture: without caches, and without guidance, whose nodes say
    so."""
    if remark := cache_remark(model):
        logging.info("[Attention Control] Inversion: %s", remark)
    model, specs = without_caches(model), installed(model)
    if all(spec.method.looking is spec.method for spec in specs):
        return model
    remark = guidance_remark(model)
    if remark is not None:
        logging.info("[Attention Control] Inversion: %s", remark)
    for spec in specs:
        if remark is not None and spec.method.guides:
            OnTheNode(spec.node_id).tell(remark)
    quiet = [
        spec
        if spec.method.looking is spec.method
        else replace(spec, method=spec.method.looking, node_id=None)
        for spec in specs
    ]
    return reinstalled(model, quiet)
