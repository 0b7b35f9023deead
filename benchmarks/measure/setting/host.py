"""The host in this process, as a benchmark needs it: the CPU if there is no GPU, SDPA as on most machines."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts"))

from pack import load_pack, use_host


def start() -> None:
    """Make the host and the pack importable. COMFYUI_PATH names the host."""
    import torch

    use_host()
    import comfy.cli_args

    comfy.cli_args.args.cpu = not torch.cuda.is_available()
    comfy.cli_args.args.use_pytorch_cross_attention = True
    load_pack()
    import comfy.utils

    comfy.utils.set_progress_bar_enabled(False)
