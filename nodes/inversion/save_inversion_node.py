"""SaveInversion: keep an inversion in a file."""

import logging

from comfy_api.latest import io

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.inversion.inversion_files import save_inversion, tensors
from ...attention_patches.numerics.tensor_files import megabytes
from ..host.files.file_kinds import INVERSIONS
from ..inputs.file_inputs import file_output, prefix_input
from .inversion_type import InversionSocket


class SaveInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SaveInversion",
            display_name="Save Inversion",
            category="attention control/inversion",
            description=(
                "Writes an inversion to a file in the output folder, so that the picture need not be "
                "inverted again. Load Inversion reads it."
            ),
            search_aliases=["export inversion", "store inversion"],
            is_output_node=True,
            inputs=[
                InversionSocket.Input("inversion", tooltip="From Invert Latent."),
                prefix_input(INVERSIONS),
            ],
            outputs=[file_output()],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        """Before anything runs: whether a file can have this prefix; None if it is connected."""
        return INVERSIONS.fault(filename_prefix or "") or True

    @classmethod
    def execute(cls, inversion: Inversion, filename_prefix: str) -> io.NodeOutput:
        path = INVERSIONS.next_path(filename_prefix)
        save_inversion(path, inversion)
        logging.info(
            "[Attention Control] Saved an inversion, %.1f MB: %s", megabytes(tensors(inversion)), path
        )
        return io.NodeOutput(str(path))
