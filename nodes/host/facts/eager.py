"""A compiled model as its plain self while patches work: the traced code knows nothing of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY


@dataclass(eq=False)
class Eager:
    """Belongs to one run, whose passes may overlap in threads of several devices.

    The stance of torch's compiler is the whole process's, so the first pass takes it and the last one gives
    it back.
    """

    compiled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    open: int = 0
    stance: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While open, nothing runs compiled."""
        if not self.compiled:
            yield
            return
        with self.lock:
            self.open += 1
            if self.open == 1:
                self.stance = torch.compiler.set_stance("force_eager")
                self.stance.__enter__()
        try:
            yield
        finally:
            with self.lock:
                self.open -= 1
                if self.open == 0:
                    self.stance.__exit__(None, None, None)
                    self.stance = None


def is_compiled(model: Any) -> bool:
    """Whether the host's compile wrapper, or a compiled module put in as an object patch, is on the MODEL."""
    return bool(model.get_wrappers(WrappersMP.APPLY_MODEL, COMPILE_KEY)) or any(
        hasattr(value, "_orig_mod") for value in model.object_patches.values()
    )
