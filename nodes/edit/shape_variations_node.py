"""ShapeVariations: other shapes of one object, the rest of the picture kept."""

from typing import Any

from comfy_api.latest import io

from ...attention_patches.methods.shape_variations.finding import Named
from ...attention_patches.methods.shape_variations.keeping import Kept
from ...attention_patches.methods.shape_variations.method import ShapeVariations as ShapeVariationsMethod
from ..host.families import family_of
from ..host.run.install import install
from ..host.text.anima_prompts import with_adapter
from ..inputs.node_report import shows_report
from .one_start import one_start
from .prompts.object_prompt import ObjectPrompt
from .prompts.object_words import labels, other_words, positions
from .prompts.prompt_remarks import filled_up
from .prompts.varied_prompts import choose_proxies, describe, encode_varied
from .shape_variations_inputs import fault_in, inputs, shape_range


class ShapeVariations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ShapeVariations",
            display_name="Shape Variations",
            category="attention control/edit",
            description=(
                "Makes a picture and others in which one object has another shape, without training: while "
                "shapes form, its word says what another one does (Patashnik et al. 2023). Put it between "
                "the model and any sampler node, and use its conditioning and latent."
            ),
            search_aliases=["variations", "prompt mixing", "mix and match", "object shape", "localizing"],
            **shows_report(),
            inputs=inputs(),
            outputs=[
                io.Model.Output(tooltip="The model with the patch, for any sampler node."),
                io.Conditioning.Output(
                    tooltip="The original's prompt, then the proxies', a row each: the sampler's positive."
                ),
                io.Latent.Output(
                    tooltip="An image for each prompt, all of the same noise: the sampler's latent image."
                ),
                io.String.Output(
                    display_name="proxies", tooltip="The proxy words, one per line, to look at and to edit."
                ),
                io.String.Output(display_name="report", tooltip="For each image its word and prompt."),
            ],
        )

    @classmethod
    def validate_inputs(
        cls,
        prompt: str | None = None,
        shape_from: float | None = None,
        shape_until: float | None = None,
    ) -> bool | str:
        """Before anything runs; None is connected."""
        return fault_in(prompt, shape_from, shape_until) or True

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        prompt: str,
        proxies: str,
        count: int,
        latent: dict[str, Any],
        shape_from: float,
        shape_until: float,
        keep_objects: str,
        keep_until: float,
        keep_threshold: float,
        keep_background: bool,
        background_words: str,
        blend_at: float,
        segments: int,
        label_threshold: float,
        seed: int = 0,
    ) -> io.NodeOutput:
        family = family_of(model, ShapeVariationsMethod.label)
        shapes = shape_range(shape_from, shape_until)
        written = ObjectPrompt.read(prompt)
        tokens, varied = written.object_in(clip)
        objects = other_words(tokens, varied, keep_objects, "keep_objects")
        ground = other_words(tokens, varied, background_words, "background_words")
        named = Named(*labels(tokens, varied, objects, ground), segments, label_threshold, seed)
        chosen = choose_proxies(clip, written, proxies, count)
        words = chosen.words
        encoded = encode_varied(with_adapter(clip, model), written, words)
        images = 1 + len(words)
        filled = filled_up(clip, [written.of(word) for word in (written.word, *words)])
        method = ShapeVariationsMethod(
            layers=family.layer_map().parse("all"),
            images=images,
            shapes=shapes,
            kept=Kept(positions(objects), varied.positions, keep_until, keep_threshold) if objects else None,
            named=named if keep_background else None,
            blend_at=blend_at,
            same=encoded.same,
            prompt=encoded.identity,
            note=filled,
        )
        return io.NodeOutput(
            install(model, method, cls.hidden.unique_id),
            encoded.conditioning,
            one_start(latent, images),
            "\n".join(words),
            "\n".join(filter(None, [describe(clip, written, chosen), filled])),
        )
