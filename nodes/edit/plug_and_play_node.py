"""PlugAndPlay: new words for a picture, in its own layout."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.plug_and_play.method import PlugAndPlay as PlugAndPlayMethod
from ..host.families import family_of
from ..host.run.install import install
from ..inputs.model_inputs import BLOCKS, model_input
from ..inputs.node_report import shows_report
from ..inputs.sampling_inputs import percent_input
from ..inversion.inversion_type import InversionSocket
from .guide_inputs import AUTO, guide_places, plain_prompt, walk_of


class PlugAndPlay(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PlugAndPlay",
            display_name="Plug-and-Play",
            category="attention control/edit",
            description=(
                "Repaints a picture of your own as the prompt says, in its own layout, without training: "
                "features and self-attention of the picture are put in place of the new one's "
                "(Plug-and-Play, Tumanyan et al. 2023). Invert the picture first, and connect all four "
                "outputs to SamplerCustom."
            ),
            search_aliases=["image to image", "structure", "Ctrl-X", "translate", "edit a photo"],
            **shows_report(),
            inputs=[
                model_input(),
                io.MultiType.Input(
                    "guide",
                    [InversionSocket, io.Latent],
                    tooltip=(
                        "The picture whose layout is kept, from Invert Latent with an empty prompt at CFG 1: "
                        "one for all images of the latent batch, or one for each. Or a LATENT that was not "
                        "inverted: it gets other noise at each step (Ctrl-X), and the sampler adds noise."
                    ),
                ),
                percent_input(
                    "feature_until",
                    0.8,
                    "End of taking features, as a fraction of the noise schedule; 0 takes none. Later keeps "
                    "shapes more strictly, and near 1 surfaces as well. Paper: 0.8.",
                ),
                percent_input(
                    "attention_until",
                    0.5,
                    "End of taking queries and keys of self-attention, as a fraction of the noise schedule; "
                    "0 takes none. Later keeps parts and outlines more strictly. Paper: 0.5.",
                ),
                io.String.Input(
                    "feature_layers",
                    default=AUTO,
                    tooltip=(
                        "ResBlocks to take features in. auto: output 4 on SD1.5 and SD2 (the paper), output "
                        "0 on SDXL (Ctrl-X). Or comma-separated: output, or a block (output 5), which stands "
                        "for its ResBlocks; these are counted by themselves."
                    ),
                ),
                io.String.Input(
                    "attention_layers",
                    default=AUTO,
                    tooltip=(
                        "Transformer layers to take queries and keys in. auto: output 4 to 11 on SD1.5 and "
                        "SD2 (the paper), output 0 to 2 on SDXL (Ctrl-X). Or comma-separated: all, output, "
                        f"{BLOCKS}."
                    ),
                ),
                io.Float.Input(
                    "away_alpha",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "How much of the negative prompt is left at the beginning, if `away_from` is "
                        "connected; less and less after it. Authors: 1 for photos, 0.75 for generated guides."
                    ),
                ),
                io.Conditioning.Input(
                    "guide_prompt",
                    optional=True,
                    tooltip=(
                        "The prompt under which the guide is seen, for all rows. Paper: an empty one. Not "
                        "connected: under the prompts of the run, each row's own; it then goes through the "
                        "model once for each of them."
                    ),
                ),
                io.Conditioning.Input(
                    "away_from",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "What the guide is, in words, to be pushed away from where it stays too much itself: "
                        "it takes the place of the negative prompt more and more. One more row a step."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="The model with the patch, for any sampler node."),
                io.Sampler.Output(
                    tooltip=(
                        "Walks the inversion's steps, with its stored noise if it has any; Euler for a "
                        "LATENT."
                    )
                ),
                io.Sigmas.Output(tooltip="The inversion's noise levels; 50 steps for a LATENT."),
                io.Latent.Output(
                    tooltip=(
                        "The guide's noisiest state, to begin with; RepeatLatentBatch makes one of it for "
                        "each of several prompts. Its noise is in it: another sampler must add none. Of a "
                        "LATENT an empty one, to which the sampler adds noise."
                    )
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        guide: Inversion | dict[str, Any],
        feature_until: float,
        attention_until: float,
        feature_layers: str,
        attention_layers: str,
        away_alpha: float = 1.0,
        guide_prompt: Any = None,
        away_from: Any = None,
    ) -> io.NodeOutput:
        family_of(model, PlugAndPlayMethod.label)
        walk = walk_of(guide, model)
        places = guide_places(model, walk.guide, feature_layers, attention_layers)
        method = PlugAndPlayMethod(
            guide=walk.guide,
            layers=places.layers,
            features=places.residuals,
            feature_until=feature_until,
            attention_until=attention_until,
            guide_prompt=plain_prompt("guide_prompt", guide_prompt, walk.guide),
            away_from=plain_prompt("away_from", away_from, walk.guide),
            away_alpha=away_alpha,
            remark=walk.remark,
        )
        patched = install(model, method, cls.hidden.unique_id)
        return io.NodeOutput(patched, walk.sampler, walk.sigmas, {"samples": walk.start})
