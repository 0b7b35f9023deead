"""What is true of one architecture only, a package or a file each."""

from typing import Any

from .family import Family
from .unet import UNet

FAMILIES: tuple[type[Family], ...] = (UNet,)


def family_of(model: Any) -> Family:
    """The family of a MODEL, asked for once per run or node. Raises ValueError for networks of no known
    family."""
    network = model.get_model_object("diffusion_model")
    network = getattr(network, "_orig_mod", network)  # compiled
    for family in FAMILIES:
        if family.fits(network):
            return family(network)
    raise ValueError(
        f"model: this is {_called(model, network)}, and attention control works on "
        f"{' and '.join(family.models for family in FAMILIES)}. Use such a checkpoint."
    )


def _called(model: Any, network: Any) -> str:
    """What people call the model: as the host does, if the network is one of the host's."""
    if not type(network).__module__.startswith("comfy."):
        return type(network).__name__
    return type(model.model.model_config).__name__.replace("_", " ")
