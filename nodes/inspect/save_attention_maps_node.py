"""SaveAttentionMaps: keep recorded attention in a file."""

import logging
from typing import Any

from comfy_api.latest import io

from ...attention_patches.maps.map_files import SavedMaps, save_maps
from ...attention_patches.maps.recorded import MapStore
from ...attention_patches.maps.word_maps import check_length
from ..host.files.file_kinds import MAPS
from ..inputs.file_inputs import file_output, prefix_input
from .recorded.attention_maps_type import AttentionMapsSocket
from .recorded.known_words import known_words
from .recorded.recorded_run import recorded_run


class SaveAttentionMaps(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SaveAttentionMaps",
            display_name="Save Attention Maps",
            category="attention control/inspect",
            description=(
                "Writes attention maps to a file in the output folder, so that they can be looked at later "
                "without sampling again. Load Attention Maps reads it."
            ),
            search_aliases=["export attention", "store attention maps"],
            is_output_node=True,
            inputs=[
                AttentionMapsSocket.Input(
                    "maps", tooltip="From an Attention Recorder or an Attention Probe."
                ),
                prefix_input(MAPS),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "The pictures that the recorded sampler made: the maps saved are those of their run. "
                        "They are not saved themselves. Maps of a probe do not need them."
                    ),
                ),
                io.Clip.Input(
                    "clip", optional=True, tooltip="The text encoder of the prompt, to keep its words too."
                ),
                io.String.Input(
                    "prompt",
                    optional=True,
                    default="",
                    multiline=True,
                    tooltip="The positive prompt of the run. It is kept in the file; needs `clip`.",
                ),
            ],
            outputs=[file_output()],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        """Before anything runs: whether a file can have this prefix; None if it is connected."""
        return MAPS.fault(filename_prefix or "") or True

    @classmethod
    def execute(
        cls, maps: MapStore, filename_prefix: str, image: Any = None, clip: Any = None, prompt: str = ""
    ) -> io.NodeOutput:
        if image is None and maps.of_a_sampler:
            raise ValueError(
                "image: connect the pictures that the recorded sampler makes. Without them this node does "
                "not wait for the sampler, and would save the maps of the run before, or none."
            )
        tokens = known_words(maps, clip, prompt)
        recorded = maps.read() if image is None else recorded_run(maps, image)[0]
        if tokens is not None and prompt.strip():
            check_length(recorded, tokens)
        path = MAPS.next_path(filename_prefix)
        save_maps(path, SavedMaps(recorded, tokens))
        logging.info("[Attention Control] Saved %.1f MB of attention maps: %s", recorded.megabytes, path)
        return io.NodeOutput(str(path))
