"""MultiDiffusion: large pictures from windows of the size that the model was trained on."""

from typing import Any, get_args

from comfy_api.latest import io

from ...attention_patches.methods.multidiffusion.method import MultiDiffusion as MultiDiffusionMethod
from ...attention_patches.methods.multidiffusion.regions import Region
from ...attention_patches.methods.multidiffusion.windows import Weighting
from ..host.families import family_of
from ..host.run.install import install, installed
from ..inputs.model_inputs import model_input
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import percent_input, seed_input
from .backgrounds import encoded_colours
from .regions_type import RegionsSocket
from .window_sizes import LARGEST, PIXELS, Grid


class MultiDiffusion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MultiDiffusion",
            display_name="MultiDiffusion",
            category="attention control/wide",
            description=(
                "Pictures larger than the model was trained for, such as panoramas: the model sees windows "
                "of the size that it knows, and where they overlap they are averaged in each step "
                "(MultiDiffusion, Bar-Tal et al. 2023). Regions may have prompts of their own. Put it "
                "between the model and any sampler node."
            ),
            search_aliases=["panorama", "tiled diffusion", "wide", "regional prompt", "Mixture of Diffusers"],
            **shows_report(),
            inputs=[
                model_input(),
                io.Int.Input(
                    "window_width",
                    default=512,
                    min=PIXELS,
                    max=LARGEST,
                    step=PIXELS,
                    tooltip=(
                        "Width of a window in pixels, a multiple of 8, on transformers of 16 (HunyuanImage, "
                        "Wan 2.2 5B: 32): the size that the model was trained on (512 for SD1.5, 1024 for "
                        "SDXL, Flux and later ones). Paper: 512."
                    ),
                ),
                io.Int.Input(
                    "window_height",
                    default=512,
                    min=PIXELS,
                    max=LARGEST,
                    step=PIXELS,
                    tooltip="Height of a window in pixels, a multiple of 8, or 16 as its width. Paper: 512.",
                ),
                io.Int.Input(
                    "stride",
                    default=64,
                    min=PIXELS,
                    max=LARGEST,
                    step=PIXELS,
                    tooltip=(
                        "From one window to the next in pixels, a multiple of 8 (Flux.2: 16, HunyuanImage: "
                        "32) and no more than a side of the window. Larger strides need fewer windows: along "
                        "a panorama half a window needs a fourth of those of an eighth. Paper: 64, an eighth."
                    ),
                ),
                io.Boolean.Input(
                    "wrap",
                    default=False,
                    tooltip=(
                        "Windows go round the right edge, so that the picture closes: left and right edge "
                        "fit together. Horizontally only."
                    ),
                ),
                io.Int.Input(
                    "windows_per_call",
                    default=4,
                    min=1,
                    max=256,
                    tooltip=(
                        "How many windows go through the model at once: more take more memory, and fewer "
                        "calls. The picture stays the same."
                    ),
                ),
                io.Combo.Input(
                    "weighting",
                    options=list(get_args(Weighting)),
                    default="uniform",
                    tooltip=(
                        "uniform: all cells of a window weigh the same (the paper). gaussian: its middle "
                        "weighs more than its edges (Mixture of Diffusers)."
                    ),
                ),
                RegionsSocket.Input(
                    "regions", optional=True, tooltip="From Prompt Region: places with prompts of their own."
                ),
                percent_input(
                    "bootstrap",
                    0.4,
                    (
                        "Only with regions: up to this part of the noise schedule each region sees a "
                        "background of one random colour outside its mask, so that its subject gets into the "
                        "mask. 0 is off. Paper: 0.4 (20 of 50 steps)."
                    ),
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip=(
                        "For the coloured backgrounds of regions. Without it they are constants of the "
                        "latents, which are near to colours."
                    ),
                ),
                seed_input("For the colours of the backgrounds; without regions it does nothing."),
            ],
            outputs=[io.Model.Output(tooltip="The model with the patch, for any sampler node.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        window_width: int,
        window_height: int,
        stride: int,
        wrap: bool,
        windows_per_call: int,
        weighting: Weighting,
        bootstrap: float,
        seed: int,
        regions: tuple[Region, ...] = (),
        vae: Any = None,
    ) -> io.NodeOutput:
        grid = Grid.of(model, family_of(model, MultiDiffusionMethod.label))
        grid.require(window_width, window_height, stride)
        if any(isinstance(one.method, MultiDiffusionMethod) for one in installed(model)):
            raise ValueError(
                "model: it has MultiDiffusion already, and one picture has one set of windows. Remove one of "
                "the two nodes; regions are chained by `previous` of Prompt Region."
            )
        window = window_height // grid.cell, window_width // grid.cell
        wanted = vae is not None and regions and bootstrap > 0
        method = MultiDiffusionMethod(
            window=window,
            stride=stride // grid.cell,
            wrap=wrap,
            per_call=windows_per_call,
            weighting=weighting,
            regions=tuple(regions),
            bootstrap=bootstrap,
            backgrounds=encoded_colours(vae, model, (window_height, window_width), seed) if wanted else None,
            seed=seed,
        )
        return io.NodeOutput(install(model, method, cls.hidden.unique_id))
