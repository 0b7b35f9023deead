"""LoadAttentionMaps: recorded attention from a file."""

from comfy_api.latest import io

from ...attention_patches.maps.map_files import load_maps
from ...attention_patches.maps.recorded import MapStore
from ..host.files.file_kinds import MAPS, path_of, state_of
from ..inputs.file_inputs import saved_file_input
from .recorded.attention_maps_type import AttentionMapsSocket


class LoadAttentionMaps(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadAttentionMaps",
            display_name="Load Attention Maps",
            category="attention control/inspect",
            description=(
                "Reads attention maps that Save Attention Maps has written, for a viewer or for segmentation."
            ),
            search_aliases=["import attention", "open attention maps"],
            inputs=[saved_file_input(MAPS)],
            outputs=[
                AttentionMapsSocket.Output(display_name="maps", tooltip="The maps as they were saved."),
                io.String.Output(
                    display_name="prompt", tooltip="The prompt, if it was saved with them; else empty."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        """Changes with the file."""
        return state_of(file)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        saved = load_maps(path_of(file))
        prompt = "" if saved.tokens is None else saved.tokens.prompt
        return io.NodeOutput(MapStore(saved.maps, tokens=saved.tokens), prompt)
