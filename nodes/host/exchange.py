"""Where the host keeps what nodes hand to each other: on the processor, or on the device (`--gpu-only`)."""

import comfy.model_management
from torch import Tensor


def handed_on(tensor: Tensor) -> Tensor:
    """An IMAGE, a MASK or the samples of a LATENT, as an output of a node.

    Other nodes join it with what they have, and torch joins no tensors of two devices.
    """
    return tensor.to(comfy.model_management.intermediate_device())
