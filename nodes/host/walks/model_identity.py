"""Which model a MODEL is, so that an inversion is not used with another one."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ....attention_patches.inversion.inversion import Inversion, ModelIdentity
from ....attention_patches.numerics.noise_path import NoisePath

WEIGHTS = 64  # how many numbers are compared
FEWEST = 8  # biases, by which a model is known
NETWORK = "diffusion_model."


def identity(model: Any) -> ModelIdentity:
    """How the MODEL is built, some of its numbers without what is loaded on top, and a digest of that."""
    return ModelIdentity(_architecture(model), _weights(model), _changes(model.patches))


def require_model(inversion: Inversion, model: Any) -> str | None:
    """Raises ValueError if the MODEL is not the one of the inversion, whatever is loaded on top of it.

    Returns a remark if other changes (LoRA and the like) are on it than at the inversion, else None.
    """
    own, other = inversion.model, identity(model)
    channels = model.get_model_object("latent_format").latent_channels
    if inversion.states.shape[2] != channels:
        raise ValueError(
            f"inversion: its latents have {inversion.states.shape[2]} channels, and `model` takes "
            f"{channels}. Invert the picture with this model, its latent from this model's VAE."
        )
    if not own.same_base(other):
        made, here = own.architecture, other.architecture
        which = f"{made}, and `model` is {here}" if made != here else f"another {made}, with other weights"
        raise ValueError(
            f"inversion: it was made with {which}. Its noise means nothing to another model: load the one "
            "that it was made with, or invert the picture with this one."
        )
    if own.changes == other.changes:
        return None
    return (
        f"the inversion was made with {own.changes or 'nothing'} loaded on the model (LoRA and the like), "
        f"and here it is {other.changes or 'nothing'}: the picture is followed less exactly"
    )


def noise_path(model: Any) -> NoisePath:
    """How the MODEL's noisy latents hold their picture. Raises ValueError for those of another kind."""
    sampling = model.get_model_object("model_sampling")
    # image-to-image models are of these kinds too, and take no noise
    to_image = comfy.model_sampling.IMG_TO_IMG, comfy.model_sampling.IMG_TO_IMG_FLOW
    if not isinstance(sampling, to_image):
        if isinstance(sampling, comfy.model_sampling.EPS | comfy.model_sampling.COSMOS_RFLOW):
            return "variance exploding"
        if isinstance(sampling, comfy.model_sampling.CONST) and getattr(sampling, "noise_scale", 1.0) == 1.0:
            return "rectified flow"
    raise ValueError(
        f"model predicts as {prediction(sampling)}; inversion works for models that predict noise or "
        "velocity (eps, v-prediction, EDM, rectified flow), such as SD1.5, SDXL, Flux and SD3. Use such a "
        "checkpoint."
    )


def prediction(model_sampling: Any) -> str:
    """The host's name for what the model predicts: EPS, V_PREDICTION, ..."""
    return next(c.__name__ for c in type(model_sampling).__mro__ if "calculate_denoised" in vars(c))


def _architecture(model: Any) -> str:
    config = model.model.model_config
    plain = {key: value for key, value in config.unet_config.items() if "dtype" not in key}
    return (
        f"{type(config).__name__} {prediction(model.get_model_object('model_sampling'))} "
        f"{digest(sorted(plain.items()))}"
    )


def _weights(model: Any) -> tuple[float, ...]:
    """Numbers from places all over the network, as they are without patches: of biases, which all precisions
    keep, or of all weights where there are few biases (Flux.2, Cosmos)."""
    stored = {name: entries[0][0] for name, entries in sorted(model.get_key_patches(NETWORK).items())}
    plain = {name: x for name, x in stored.items() if _readable(x)}
    biases = [x for name, x in plain.items() if name.endswith(".bias") and x.ndim == 1]
    chosen = biases if len(biases) >= FEWEST else list(plain.values())
    places = [i * len(chosen) // WEIGHTS for i in range(WEIGHTS)] if chosen else []
    return tuple(_number(chosen[place], i * 7919) for i, place in enumerate(places))


def _readable(weight: Any) -> bool:
    """Whether its numbers lie there as they are; not so in what packs and the host store in blocks."""
    return type(weight) in (Tensor, torch.nn.Parameter) and weight.is_floating_point() and weight.ndim > 0


def _number(weight: Tensor, place: int) -> float:
    for size in reversed(weight.shape[1:]):
        place, rest = divmod(place, size)
        weight = weight.select(-1, rest)
    return float(weight[place % len(weight)])


def _changes(patches: Mapping[Any, Any]) -> str:
    if not patches:
        return ""
    listed = sorted((str(key), _walk(entries)) for key, entries in patches.items())
    return f"{len(listed)} patched weights {digest(listed)}"


def _walk(value: Any) -> Any:
    """What tells patches apart, stable between sessions: of tensors the shape and a few numbers."""
    if isinstance(value, Tensor):
        few = value.detach().flatten()[:: max(value.numel() // 8, 1)][:8]
        return [list(value.shape), few.to("cpu", torch.float32).tolist()]
    if isinstance(value, Mapping):
        return [[str(key), _walk(item)] for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_walk(item) for item in value]
    if isinstance(value, int | float | str | None):
        return value
    return [type(value).__name__, _walk(getattr(value, "weights", None))]


def digest(value: Any) -> str:
    """Eight letters that follow from what a value prints as."""
    return hashlib.blake2b(repr(value).encode(), digest_size=4).hexdigest()
