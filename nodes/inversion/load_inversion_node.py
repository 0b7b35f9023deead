"""LoadInversion: an inversion from a file."""

from comfy_api.latest import io

from ...attention_patches.inversion.inversion_files import load_inversion
from ..host.files.file_kinds import INVERSIONS, path_of, state_of
from ..inputs.file_inputs import saved_file_input
from .inversion_type import InversionSocket


class LoadInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadInversion",
            display_name="Load Inversion",
            category="attention control/inversion",
            description="Reads an inversion that Save Inversion has written. It needs the same model.",
            search_aliases=["import inversion", "open inversion"],
            inputs=[saved_file_input(INVERSIONS)],
            outputs=[
                InversionSocket.Output(display_name="inversion", tooltip="The inversion as it was saved."),
                io.Sigmas.Output(display_name="sigmas", tooltip="Its schedule, falling to 0."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        """Changes with the file."""
        return state_of(file)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        inversion = load_inversion(path_of(file))
        return io.NodeOutput(inversion, inversion.levels())
