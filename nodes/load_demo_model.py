"""The loader of the embedded demo model."""

from comfy_api.latest import io

from .host.demo_model import load_demo_model


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
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        demo = load_demo_model()
        return io.NodeOutput(demo.model, demo.clip, demo.vae)
