"""Tensors of other nodes that hold NaN ("not a number") or infinity, and what users can do about it."""

from torch import Tensor

from ...attention_patches.numerics.finite import all_finite

HALF_PRECISION = (
    "Models and VAEs in half precision make such values where one overflows: start ComfyUI with --fp32-vae "
    "or --force-upcast-attention, or use another VAE."
)


def require_numbers(tensor: Tensor, each: str, first: int = 0, remedy: str = HALF_PRECISION) -> None:
    """Raises ValueError, naming the first of (B, ...) that is not all finite: `each` and its number from
    `first` on."""
    if all_finite(tensor):
        return
    number = next(number for number, one in enumerate(tensor, first) if not all_finite(one))
    raise ValueError(f"{each} {number} holds values that are no numbers (NaN or infinite). {remedy}")
