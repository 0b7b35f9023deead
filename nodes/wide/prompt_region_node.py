"""PromptRegion: a place in the picture with a prompt of its own."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.contract.views import RegionPrompts
from ...attention_patches.methods.multidiffusion.regions import INSIDE, Region
from ..host.views.region_prompts import region_entries
from ..inputs.pictures_and_masks import read_masks
from .regions_type import RegionsSocket


class PromptRegion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PromptRegion",
            display_name="Prompt Region",
            category="attention control/wide",
            description=(
                "A place in the picture with a prompt of its own, for MultiDiffusion. Chain several by "
                "`previous`; what none of them covers belongs to the sampler's own prompt."
            ),
            search_aliases=["regional prompt", "area composition", "regions", "MultiDiffusion"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="What is to be seen in the region."),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="What is not to be seen there. Without it the sampler's own negative holds.",
                ),
                io.Mask.Input(
                    "mask",
                    tooltip=(
                        "Where: a mask of any size, stretched over the whole picture, or a batch of masks, "
                        "one for each image. Values of 0.5 and more belong to the region, as in the paper's "
                        "code. Where regions overlap they are averaged."
                    ),
                ),
                RegionsSocket.Input(
                    "previous", optional=True, tooltip="Regions before this one, from another Prompt Region."
                ),
            ],
            outputs=[RegionsSocket.Output(tooltip="All regions so far, for `regions` of MultiDiffusion.")],
        )

    @classmethod
    def execute(
        cls,
        positive: Any,
        mask: Tensor,
        negative: Any = None,
        previous: tuple[Region, ...] = (),
    ) -> io.NodeOutput:
        masks = read_masks(mask, "mask")
        if not (masks >= INSIDE).any():
            raise ValueError(
                f"mask: nothing in it is {INSIDE:g} or more (its largest value is {float(masks.max()):g}), "
                "so the region has no place. Paint where it should be in white."
            )
        region = Region(RegionPrompts(positive=positive, negative=negative), masks)
        region_entries([*(one.prompts for one in previous), region.prompts])
        return io.NodeOutput((*previous, region))
