"""StyleAlignedBatch: every image of a batch in the style of one of them."""

from typing import Any, get_args

from comfy_api.latest import io

from ...attention_patches.contract.method import Method
from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.style_aligned.method import (
    AdaIN,
    Sharing,
    StyleAligned,
)
from ...attention_patches.methods.style_aligned.mixture import StyleMixture
from ...attention_patches.methods.style_aligned.placement import Placement
from ...attention_patches.methods.style_aligned.style_reference import StyleReference
from ..host.families import INVERSION, family_of
from ..host.run.install import install
from ..host.walks.model_identity import require_model
from ..inputs.model_inputs import LAYERS, model_input
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import range_inputs
from ..inversion.inversion_type import InversionSocket
from .style_references import REFERENCES, StyleReferencesSocket, checked, require_alone

PLACES = ("each place", "each part")


class StyleAlignedBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="StyleAlignedBatch",
            display_name="Style Aligned Batch",
            category="attention control/style",
            description=(
                "Gives all images of a latent batch one style, without training: in self-attention every "
                "image also looks at the reference image, one of the batch or a picture of your own "
                "(StyleAligned, Hertz et al. 2024). Put it between the model and any sampler node."
            ),
            search_aliases=["style", "consistent style", "shared attention", "StyleAligned"],
            **shows_report(),
            inputs=[
                model_input(),
                io.Combo.Input(
                    "sharing",
                    options=list(get_args(Sharing)),
                    default="reference",
                    tooltip=(
                        "reference: every image also attends to the reference (the paper). all images: "
                        "every image attends to all images; AdaIN, shift and scale are then ignored. "
                        "off: AdaIN alone."
                    ),
                ),
                io.Combo.Input(
                    "adain",
                    options=list(get_args(AdaIN)),
                    default="queries and keys",
                    tooltip=(
                        "What takes over the reference's mean and deviation, per channel. "
                        "Paper: queries and keys."
                    ),
                ),
                io.Int.Input(
                    "reference_index",
                    default=0,
                    min=0,
                    max=4095,
                    tooltip=(
                        "Which image of the batch gives the style, counted from 0; with a reference picture, "
                        "which image is that picture. Paper: the first."
                    ),
                ),
                io.Float.Input(
                    "score_shift",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "Log-odds added to the reference's keys: 0.69 (log 2) doubles their weight against "
                        "an image's own, negative values weaken the style. Paper: 0; 0.69 with a reference "
                        "picture, and 0 again (with a score_scale of 0.5) with a famous one."
                    ),
                ),
                io.Float.Input(
                    "score_scale",
                    default=1.0,
                    min=0.0,
                    max=4.0,
                    step=0.01,
                    tooltip=(
                        "Factor on the reference's keys for the other images. Below 1 the reference's "
                        "content leaks less. Paper: 1; 0.5 with a famous picture, which the model knows well "
                        "and would copy."
                    ),
                ),
                io.Boolean.Input(
                    "share_group_norm",
                    default=False,
                    advanced=True,
                    tooltip=(
                        "Takes the statistics of all group norms of the U-Net over image and reference "
                        "together, in all layers. Authors' notebooks: off for text to image with SDXL, "
                        "on for SD1.4, SD2 and reference pictures."
                    ),
                ),
                io.String.Input(
                    "layers",
                    default="all",
                    tooltip=f"Transformer layers to align, comma-separated: {LAYERS}. Paper: all.",
                ),
                *range_inputs("Paper: 1."),
                InversionSocket.Input(
                    "reference_picture",
                    optional=True,
                    tooltip=(
                        "A picture of your own, from Invert Latent: the image of reference_index is that "
                        "picture, and the others follow its style. Needs a batch size of 1 more than the "
                        "new pictures, all of the picture's size. ControlNets leave the picture alone."
                    ),
                ),
                StyleReferencesSocket.Input(
                    REFERENCES,
                    optional=True,
                    tooltip=(
                        "Pictures of your own from Style Reference, one or several, of any size: all images "
                        "follow the mixture of their styles. They take no place in the batch, so "
                        "reference_index is ignored, and a batch of one image works."
                    ),
                ),
                io.Combo.Input(
                    "follow_masks",
                    options=list(PLACES),
                    default=PLACES[0],
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Where references have masks. each place: every cell follows the references that "
                        "cover it. each part: the whole image, or each window of a wide picture, follows one "
                        "mixture, by how much of it each mask covers."
                    ),
                ),
                io.Combo.Input(
                    "placement",
                    options=list(get_args(Placement)),
                    default="beside",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "In transformers (Flux, Z-Image, Qwen-Image, ...), where the reference stands for "
                        "the other images. beside: to the right of the picture (AlignedGen). same place: "
                        "tends to copy its layout. untwisted: the same place, with what carries places "
                        "turned down, less and less so (Untwisting RoPE). No effect on U-Nets, SD3 and "
                        "AuraFlow."
                    ),
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model with the patch, for any sampler node.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        sharing: Sharing,
        adain: AdaIN,
        reference_index: int,
        score_shift: float,
        score_scale: float,
        layers: str,
        start_percent: float,
        end_percent: float,
        share_group_norm: bool = False,
        reference_picture: Inversion | None = None,
        references: tuple[StyleReference, ...] | None = None,
        follow_masks: str = PLACES[0],
        placement: Placement = "beside",
    ) -> io.NodeOutput:
        family = family_of(model, StyleAligned.label)
        if share_group_norm and not family.group_norms:
            raise ValueError(
                f"share_group_norm is on, and {family.models} have no group norms to share. Switch it off."
            )
        if reference_picture is not None or references is not None:
            family_of(model, INVERSION)
        layers_, during = family.layer_map().parse(layers), PercentRange(start_percent, end_percent)
        remark = family.unplaced if sharing == "reference" and placement != "same place" else None
        method: Method
        if references is not None:
            require_alone(sharing, share_group_norm, reference_picture)
            method = StyleMixture(
                references=checked(references, model),
                attends=sharing == "reference",
                adain=adain,
                score_shift=score_shift,
                score_scale=score_scale,
                by_place=follow_masks == PLACES[0],
                placement=placement,
                remark=remark,
                layers=layers_,
                during=during,
            )
        else:
            method = StyleAligned(
                sharing=sharing,
                adain=adain,
                reference=reference_index,
                score_shift=score_shift,
                score_scale=score_scale,
                placement=placement,
                remark=remark,
                share_group_norm=share_group_norm,
                layers=layers_,
                during=during,
                reference_picture=reference_picture,
                note=None if reference_picture is None else require_model(reference_picture, model),
            )
        return io.NodeOutput(install(model, method, cls.hidden.unique_id))
