"""How large a cell of a model's latents is."""

from typing import Any


def cell_of(model: Any) -> int:
    """Pixels of a side of a cell of the MODEL's latents."""
    ratio: int = model.get_model_object("latent_format").spacial_downscale_ratio
    return ratio
