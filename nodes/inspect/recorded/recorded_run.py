"""A recorded run with its pictures and its prompt: the inputs of nodes that read masks or figures off it."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ....attention_patches.maps.matching import same_aspect
from ....attention_patches.maps.recorded import AttentionMaps, MapStore
from ...inputs.pictures_and_masks import read_pictures
from .attention_maps_type import AttentionMapsSocket


def recorded_run_inputs() -> list[Any]:
    """Maps, pictures, text encoder, prompt."""
    return [
        AttentionMapsSocket.Input(
            "maps", tooltip="From Attention Recorder or Attention Probe, with `record` on both."
        ),
        io.Image.Input("image", tooltip="The pictures of the recorded run, all of them, in order; any size."),
        io.Clip.Input("clip", tooltip="The text encoder, to find the words of the prompt."),
        io.String.Input(
            "prompt",
            multiline=True,
            tooltip="The text that was sampled with, the same for all pictures of the batch.",
        ),
    ]


def recorded_run(maps: MapStore, image: Tensor) -> tuple[AttentionMaps, Tensor]:
    """The run that made these pictures, and the pictures as (images, H, W, 3) in float32 on the CPU.

    Raises ValueError unless they can be the pictures of a run in the store.
    """
    pictures = read_pictures(image, "image")
    recorded = maps.read(pictures)
    _check(recorded, pictures)
    return recorded, pictures


def _check(maps: AttentionMaps, pictures: Tensor) -> None:
    images, height, width = pictures.shape[:3]
    if images != maps.images:
        raise ValueError(
            f"image: {images} pictures, but the maps are of {maps.images}. Connect all pictures that the "
            "recorded run made, in their order."
        )
    rows, columns = maps.latent
    if not same_aspect(maps.latent, (height, width)):
        raise ValueError(
            f"image: {width} x {height} pixels, but the maps are of a latent of {columns} x {rows} cells, "
            "which has another aspect ratio. Connect the pictures of the recorded run; resized they may be, "
            "but not cropped."
        )
