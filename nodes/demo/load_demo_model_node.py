"""The loader of the embedded demo model."""

from comfy_api.latest import io

from ..host.demo_model import load_demo_model


class LoadDemoModel(io.ComfyNode):
    """Pocket Diffusion: a small text-to-image model of an emoji world, for trying things out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadDemoModel",
            display_name="Load Demo Model",
            category="attention control/demo",
            description=(
                "A small text-to-image model that comes with this pack: emoji subjects in five styles, "
                "128 x 128 pixels, a few seconds per image on a CPU. "
                "Try: 'a red cat and a blue dog in the snow, clay style'."
            ),
            inputs=[],
            outputs=[
                io.Model.Output(tooltip="The denoiser, a U-Net with 7 transformer layers; 128 x 128 pixels."),
                io.Clip.Output(tooltip="The text encoder."),
                io.Vae.Output(tooltip="The autoencoder, 8 pixels to a latent cell."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        demo = load_demo_model()
        return io.NodeOutput(demo.model, demo.clip, demo.vae)
