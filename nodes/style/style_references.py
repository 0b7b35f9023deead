"""The socket that carries references of a style, and what they may stand beside."""

from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.style_aligned.method import Sharing
from ...attention_patches.methods.style_aligned.style_reference import StyleReference
from ..host.walks.model_identity import require_model

StyleReferencesSocket = io.Custom("STYLE_REFERENCES")
REFERENCES = "references"


def require_alone(sharing: Sharing, share_group_norm: bool, picture: Inversion | None) -> None:
    """Raises ValueError if references stand beside what needs the reference in the batch."""
    if picture is not None:
        raise ValueError(
            "references and reference_picture are both connected. Disconnect reference_picture, and give its "
            "inversion to a StyleReference of the chain."
        )
    if sharing == "all images":
        raise ValueError(
            "references are connected, and sharing is 'all images', where no picture is the reference. Set "
            "sharing to 'reference' or 'off', or disconnect references."
        )
    if share_group_norm:
        raise ValueError(
            "references are connected, and share_group_norm is on, which needs the reference in the batch. "
            "Turn it off, or use one picture as reference_picture."
        )


def checked(references: tuple[StyleReference, ...], model: Any) -> tuple[StyleReference, ...]:
    """The references with what is to be said of them on this MODEL.

    Raises ValueError if one of them was inverted with another model; they are counted from 1.
    """
    noted = []
    for number, reference in enumerate(references, start=1):
        try:
            note = require_model(reference.inversion, model)
        except ValueError as error:
            raise ValueError(f"references, number {number} of the chain: {error}") from None
        noted.append(replace(reference, note=note and f"Of reference {number}, {note}."))
    return tuple(noted)
