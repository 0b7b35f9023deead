"""The model that a node works on, and how its tooltips name the layers of one."""

from typing import Any

from comfy_api.latest import io

BLOCKS = "a block (output 4), one transformer in it (output 4.1), a number or range (10, 10-20)"
LAYERS = f"all, input, middle, output (of a U-Net), double, single, double 0-18 (of a transformer), {BLOCKS}"


def model_input() -> Any:
    """A model of any family that the pack knows."""
    return io.Model.Input(
        "model",
        tooltip=(
            "A U-Net model (SD1.5, SD2, SDXL or built like them), or a transformer: Flux, Chroma, Z-Image, "
            "Lumina 2, Qwen-Image, SD3, Anima, Cosmos-Predict2, Krea 2, HunyuanImage, AuraFlow, HiDream or "
            "Wan. A node that does not work on yours says so, and which do."
        ),
    )
