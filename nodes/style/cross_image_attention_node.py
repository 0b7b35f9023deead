"""CrossImageAttention: the structure of one picture in the appearance of another."""

from typing import Any, get_args

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.contract.schedule import PercentRange
from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.cross_image.latent_adain import LatentAdaIN
from ...attention_patches.methods.cross_image.method import CrossImage
from ..host.families import family_of
from ..host.run.install import install
from ..host.walks.inversion_samplers import Replay
from ..inputs.model_inputs import BLOCKS
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import percent_input
from ..inversion.inversion_type import InversionSocket
from .inversion_pair import PAPER, InversionPair
from .transfer_masks import MaskInputs, Mode


class CrossImageAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CrossImageAttention",
            display_name="Cross-Image Attention",
            category="attention control/style",
            description=(
                "Shows the structure of one picture in the appearance of another, without training: the "
                "output starts at the structure's own noise, and its self-attention looks at the appearance "
                "instead of at itself (Cross-Image Attention, Alaluf et al. 2024). Invert both pictures "
                "first, and connect all four outputs to SamplerCustom."
            ),
            search_aliases=["appearance transfer", "style transfer", "cross-image", "swap keys and values"],
            **shows_report(),
            inputs=[
                io.Model.Input("model", tooltip="The model of both inversions (SD1.5, SD2, SDXL or alike)."),
                InversionSocket.Input(
                    "structure",
                    tooltip="The picture, or several, whose shapes the output takes, and its size.",
                ),
                InversionSocket.Input(
                    "appearance",
                    tooltip=(
                        "The picture whose colours and surfaces the output takes, of any size: one for all "
                        "structures, or one for each. Inverted with the same scheduler and steps."
                    ),
                ),
                io.Float.Input(
                    "contrast",
                    default=1.67,
                    min=1.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "Spreads each row of attention from its mean, so that the output looks at few places "
                        "of the appearance; 1 is none, and faster. Paper: 1.67."
                    ),
                ),
                io.Float.Input(
                    "swap_guidance",
                    default=3.5,
                    min=1.0,
                    max=20.0,
                    step=0.1,
                    tooltip=(
                        "Strengthens what looking at the appearance changes, as CFG does for words; falls to "
                        "half, but not below 1, in the run. 1 is none, and faster. Paper: 3.5."
                    ),
                ),
                io.Int.Input(
                    "refresh_structure_every",
                    default=5,
                    min=0,
                    max=1000,
                    tooltip=(
                        "On every so many of the earlier steps the output looks at the structure instead, "
                        "which keeps its shape; 0 is never. Paper's code: 5, in the first 40 of 68 steps."
                    ),
                ),
                io.Combo.Input(
                    "adain",
                    options=list(get_args(Mode)),
                    default="masked",
                    tooltip=(
                        "Latents take over the mean and deviation of the appearance's: inside the masks, "
                        "over the whole pictures, or not at all. Paper: masked."
                    ),
                ),
                io.String.Input(
                    "subject",
                    default="",
                    tooltip=(
                        "What to find in the pictures where a mask is not connected, if `clip` is: cat, or "
                        "for structure and appearance: cat, dog."
                    ),
                ),
                io.String.Input(
                    "layers",
                    default=PAPER,
                    tooltip=(
                        "Transformer layers to swap in. paper: the decoder's on its two finest levels of "
                        f"attention. Or comma-separated: output, {BLOCKS}."
                    ),
                ),
                percent_input(
                    "begin_percent",
                    0.32,
                    "Where on the noise schedule the output leaves the structure's inversion; 0 is pure "
                    "noise. Later keeps more of the structure. Paper: 0.32.",
                    highest=0.95,
                ),
                percent_input(
                    "start_percent",
                    0.43,
                    "Start of the swap, as a fraction of the noise schedule. Authors' code: 0.43.",
                ),
                percent_input(
                    "end_percent",
                    1.0,
                    "End of the swap (not included); equal to the start switches the node off, and the "
                    "structure is reconstructed. Paper: 1.",
                ),
                percent_input(
                    "adain_start_percent",
                    0.52,
                    "Where AdaIN starts; it goes on to the end. Paper: 0.52.",
                    advanced=True,
                ),
                io.Mask.Input(
                    "structure_mask",
                    optional=True,
                    tooltip="The object of the structure, in any size; one for all, or one for each picture.",
                ),
                io.Mask.Input(
                    "appearance_mask", optional=True, tooltip="The object of the appearance, in any size."
                ),
                io.Clip.Input("clip", optional=True, tooltip="The text encoder, to find the `subject`."),
            ],
            outputs=[
                io.Model.Output(tooltip="The model with the patch."),
                io.Sampler.Output(tooltip="Walks the structure's stored noise; draws none of its own."),
                io.Sigmas.Output(tooltip="The inversions' noise levels, from `begin_percent` on."),
                io.Latent.Output(
                    tooltip="The structure's noisy state there. CFG: that of the inversion, or 1."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        structure: Inversion,
        appearance: Inversion,
        contrast: float,
        swap_guidance: float,
        refresh_structure_every: int,
        adain: Mode,
        subject: str,
        layers: str,
        begin_percent: float,
        start_percent: float,
        end_percent: float,
        adain_start_percent: float = 0.52,
        structure_mask: Tensor | None = None,
        appearance_mask: Tensor | None = None,
        clip: Any = None,
    ) -> io.NodeOutput:
        family_of(model, CrossImage.label)
        pair = InversionPair(model, structure, appearance)
        swap, first = PercentRange(start_percent, end_percent), pair.begin(begin_percent)
        remarks, after_step = pair.remarks(), None
        if adain != "off" and not swap.empty:
            inputs = MaskInputs(adain, structure_mask, appearance_mask, subject, clip)
            begins = pair.step(adain_start_percent)
            if begins < structure.steps:
                masks, remark = inputs.choose(pair)
                after_step = LatentAdaIN(appearance, masks, begins)
            else:
                remark = "No AdaIN: adain_start_percent lies behind the last step."
            remarks.append(remark)
        patch = CrossImage(
            structure=structure,
            appearance=appearance,
            layers=pair.layers(layers),
            first=first,
            contrast=contrast,
            swap_guidance=swap_guidance,
            refresh_every=refresh_structure_every,
            remark=" ".join(remarks),
            during=swap,
        )
        return io.NodeOutput(
            install(model, patch, cls.hidden.unique_id),
            Replay(structure, after_step),
            structure.levels(first),
            {"samples": pair.latents(first)},
        )
