"""A custom node for the server under test: a random ControlNet, LoRA and embedding that fit a model.

For workflows whose models a user has to bring, and for those that load the demo model's own companions; the
files get the names that those load.
"""

import sys
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy_api.latest import ComfyExtension, io
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent  # the server's custom nodes, with this checkout among them
CONTROLNETS = ("control_v11f1p_sd15_depth_fp16.safetensors", "demo_edges.safetensors")
LORAS = ("your_subject.safetensors", "demo_toy_lora.safetensors")
EMBEDDING = "demo_toy.safetensors"
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

        models, control = Path(folder_paths.models_dir), tiny_controlnet(model).control_model.state_dict()
        lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ATTENTION)
        width = next(w.shape[1] for name, w in control.items() if name.endswith("attn2.to_k.weight"))
        files = {models / "controlnet" / name: control for name in CONTROLNETS}
        files |= {models / "loras" / name: lora for name in LORAS}
        files[models / "embeddings" / EMBEDDING] = {"clip_l": torch.ones(1, width)}
        for path, tensors in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return io.NodeOutput()


async def comfy_entrypoint() -> ComfyExtension:
    class Companions(ComfyExtension):
        async def get_node_list(self) -> list[Any]:
            return [WriteCompanions]

    return Companions()
