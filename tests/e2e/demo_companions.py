"""Write a random ControlNet, LoRA and embedding that fit the demo model: `python demo_companions.py MODELS`.

For workflows whose models a user has to bring, and for those that load the demo model's own companions; the
files get the names that those load.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from pack import load_pack, use_host

use_host()

import comfy.cli_args  # noqa: E402  the host is found only now

comfy.cli_args.args.cpu = True
load_pack()
sys.path.append(str(Path(__file__).resolve().parents[1] / "host"))

import torch  # noqa: E402
from attention_control.demo_model.architecture import TEXT  # noqa: E402
from attention_control.demo_model.training.companions import Control, Embedding, Lora  # noqa: E402
from attention_control.nodes.host.demo_model import load_demo_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tiny.extras import tiny_controlnet, tiny_lora  # noqa: E402

CONTROLNET, LORA = "control_v11f1p_sd15_depth_fp16.safetensors", "your_subject.safetensors"
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def main(models: Path) -> None:
    model = load_demo_model().model
    control = tiny_controlnet(model).control_model.state_dict()
    lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ATTENTION)
    files = {
        models / "controlnet" / CONTROLNET: control,
        models / "loras" / LORA: lora,
        models / Control.file: control,
        models / Lora.file: lora,
        models / Embedding.file: {"clip_l": torch.ones(1, TEXT["hidden_size"])},
    }
    for path, tensors in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
