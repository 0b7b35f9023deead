"""A MODEL that the host shares among devices: the processor under two names."""

import threading
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP

SECOND = torch.device("cpu", 0)  # the first is torch.device("cpu")


def on_two_devices(model: Any, threads: set[threading.Thread]) -> Any:
    """The MODEL as the host's MultiGPU node gives it, and the threads that have computed noise with it."""

    def note(executor: Any, *args: Any, **kwargs: Any) -> Any:
        threads.add(threading.current_thread())
        return executor(*args, **kwargs)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "threads", note)
    other = model.deepclone_multigpu(new_load_device=SECOND)
    other.is_multigpu_base_clone = True
    clone.set_additional_models("multigpu", [other])
    clone.match_multigpu_clones()
    return clone
