"""BlendMasks: where the edits of Prompt-to-Prompt differ from their source, as masks."""

from typing import Any

from comfy_api.latest import io, ui
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention_patches.methods.prompt_to_prompt.mask_store import MaskStore
from ..host.exchange import handed_on
from ..inputs.pictures_and_masks import read_pictures
from .blend_masks_type import BlendMasksSocket


class BlendMasks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlendMasks",
            display_name="Blend Masks",
            category="attention control/edit",
            description=(
                "The masks by which Prompt-to-Prompt has blended its edits with their source, for nodes that "
                "take masks: inpainting, compositing."
            ),
            search_aliases=["local blend", "edit mask", "prompt to prompt mask"],
            is_output_node=True,
            inputs=[
                BlendMasksSocket.Input(
                    "masks", tooltip="From Prompt-to-Prompt, with words in its `blend_words`."
                ),
                io.Image.Input(
                    "image", tooltip="All pictures of that run, in their order: so that it runs first."
                ),
            ],
            outputs=[
                io.Mask.Output(
                    tooltip=(
                        "One for each picture, of its size: 1 where it may differ from the source; the first "
                        "is where the source's own words are."
                    )
                )
            ],
        )

    @classmethod
    def execute(cls, masks: MaskStore, image: Tensor) -> io.NodeOutput:
        pictures = read_pictures(image, "image")
        found = masks.read(pictures)[:, None]
        size: Any = tuple(pictures.shape[1:3])
        mask = handed_on(interpolate(found, size=size, mode="nearest")[:, 0])
        return io.NodeOutput(mask, ui=ui.PreviewMask(mask, cls=cls))
