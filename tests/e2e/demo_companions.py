"""A custom node for the server under test: it writes a random ControlNet and a random LoRA that fit a model.

For the example workflows whose models a user has to bring; the files get the names that those load.
"""

import sys
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import ComfyExtension, io
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent  # the server's custom nodes, with this checkout among them
CONTROLNET, LORA = "control_v11f1p_sd15_depth_fp16.safetensors", "your_subject.safetensors"
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


class WriteCompanions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="WriteCompanions", inputs=[io.Model.Input("model")], outputs=[], is_output_node=True
        )

    @classmethod
    def execute(cls, model: Any) -> io.NodeOutput:
        sys.path.append(str(HERE / "attention-control" / "tests" / "host"))
        from tiny.extras import tiny_controlnet, tiny_lora

        models, network = Path(folder_paths.models_dir), tiny_controlnet(model).control_model
        files = {
            models / "controlnet" / CONTROLNET: network.state_dict(),
            models / "loras" / LORA: tiny_lora(model.model.diffusion_model, "diffusion_model.", ATTENTION),
        }
        for path, tensors in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return io.NodeOutput()


async def comfy_entrypoint() -> ComfyExtension:
    class Companions(ComfyExtension):
        async def get_node_list(self) -> list[Any]:
            return [WriteCompanions]

    return Companions()
