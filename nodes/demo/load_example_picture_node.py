"""The pictures that the example workflows start from."""

from pathlib import Path

import numpy as np
import torch
from comfy_api.latest import io, ui
from PIL import Image

from ..host.exchange import handed_on

FOLDER = Path(__file__).parents[2] / "example_workflows" / "inputs"


class LoadExamplePicture(io.ComfyNode):
    """Pictures of the pack, so that an example opens and runs without files of the user's."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadExamplePicture",
            display_name="Load Example Picture",
            category="attention control/demo",
            description=(
                "A picture that comes with this pack, for the example workflows. "
                "For a picture of your own put Load Image in its place."
            ),
            search_aliases=["demo picture", "sample image", "test image"],
            inputs=[
                io.Combo.Input(
                    "picture",
                    options=sorted(path.stem for path in FOLDER.glob("*.png")),
                    default="example",
                    tooltip="Which picture.",
                )
            ],
            outputs=[
                io.Image.Output(tooltip="The picture."),
                io.Mask.Output(tooltip="1 where its object is painted, as in Load Image; else 0 everywhere."),
            ],
        )

    @classmethod
    def execute(cls, picture: str) -> io.NodeOutput:
        with Image.open(FOLDER / f"{picture}.png") as file:
            pixels = torch.from_numpy(np.array(file.convert("RGBA"))[None]) / 255
        image, mask = handed_on(pixels[..., :3]), handed_on(1 - pixels[..., 3])
        return io.NodeOutput(image, mask, ui=ui.PreviewImage(image, cls=cls))
