"""What is true of one architecture only, a package or a file each."""

from collections.abc import Sequence
from typing import Any

from .family import INVERSION, Family
from .transformers.aura_flow import AuraFlowFamily
from .transformers.cosmos import CosmosFamily
from .transformers.flux import FluxFamily
from .transformers.hidream import HiDreamFamily
from .transformers.hunyuan_image import HunyuanImageFamily
from .transformers.krea2 import Krea2Family
from .transformers.qwen_image import QwenImageFamily
from .transformers.sd3 import SD3Family
from .transformers.wan import WanFamily
from .transformers.z_image import ZImageFamily
from .unet import UNet

__all__ = ["FAMILIES", "INVERSION", "family_of"]

FAMILIES: tuple[type[Family], ...] = (
    UNet,
    FluxFamily,
    ZImageFamily,
    QwenImageFamily,
    SD3Family,
    CosmosFamily,
    Krea2Family,
    WanFamily,
    HunyuanImageFamily,
    AuraFlowFamily,
    HiDreamFamily,
)


def family_of(model: Any, wanted: str | None = None) -> Family:
    """The family of a MODEL, asked for once per run or node.

    `wanted` is the name of a method that has to work on it. Raises ValueError for networks of no known
    family, and for a method that does not work on this one.
    """
    network = model.get_model_object("diffusion_model")
    network = getattr(network, "_orig_mod", network)  # compiled
    for family in FAMILIES:
        if family.fits(network):
            if wanted is not None and not family.supports(wanted):
                raise ValueError(_unsupported(wanted, family, _called(model, network)))
            return family(network)
    raise ValueError(
        f"model: this is {_called(model, network)}, and attention control works on "
        f"{_listed([family.models for family in FAMILIES])}. Use such a checkpoint."
    )


def _unsupported(wanted: str, family: type[Family], called: str) -> str:
    """What works where, if a method does not work on a family."""
    others = _listed([other.models for other in FAMILIES if other.supports(wanted)])
    here = f" On {family.models} these work: {_listed(sorted(family.works))}." if family.works else ""
    why = f": {family.reasons[wanted]}" if wanted in family.reasons else " yet"
    return f"model: this is {called}, on which {wanted} does not work{why}. It works on {others}.{here}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def _called(model: Any, network: Any) -> str:
    """What people call the model: as the host does, if the network is one of the host's."""
    if not type(network).__module__.startswith("comfy."):
        return type(network).__name__
    return type(model.model.model_config).__name__.replace("_", " ")
