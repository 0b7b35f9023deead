"""StyleReference: a picture whose style a run follows, alone or mixed with others."""

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.style_aligned.style_reference import StyleReference as Reference
from ..inputs.pictures_and_masks import read_masks
from ..inversion.inversion_type import InversionSocket
from .style_references import StyleReferencesSocket


class StyleReference(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleReference",
            display_name="Style Reference",
            category="attention control/style",
            description=(
                "A picture of your own whose style the images of Style Aligned Batch follow. Chain several "
                "to mix their styles by weight, or to give each a place of its own by a mask."
            ),
            search_aliases=["style mixing", "style by region", "left and right style", "StyleAligned"],
            inputs=[
                InversionSocket.Input(
                    "reference",
                    tooltip=(
                        "The inversion of one picture, from Invert Latent or Load Inversion, of any size, "
                        "made with the model that samples."
                    ),
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    tooltip=(
                        "How much this style counts against the others of the chain: 1 and 1 are half and "
                        "half, 3 and 1 three quarters and one. 0 leaves it out."
                    ),
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "Where in the new pictures this style holds, stretched over the whole of each; a "
                        "batch of masks is one for each image. Gray mixes. Without it, everywhere. Where no "
                        "mask is, the picture is a plain one."
                    ),
                ),
                StyleReferencesSocket.Input(
                    "previous",
                    optional=True,
                    tooltip="Another Style Reference, to which this one is added.",
                ),
            ],
            outputs=[
                StyleReferencesSocket.Output(
                    display_name="references",
                    tooltip="For Style Aligned Batch, or the next Style Reference.",
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        reference: Inversion,
        weight: float,
        mask: Tensor | None = None,
        previous: tuple[Reference, ...] = (),
    ) -> io.NodeOutput:
        masks = None if mask is None else read_masks(mask, "mask")
        return io.NodeOutput((*(previous or ()), Reference(reference, weight, masks)))
