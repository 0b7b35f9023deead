"""The memory of a run: tensors alive between operations, counted by torch's dispatch."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_HOLDERS = (torch.Tensor, torch.UntypedStorage)


def _storage(x: Any) -> torch.UntypedStorage:
    return x.untyped_storage() if isinstance(x, torch.Tensor) else x


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of the storages made while it is open and still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_storage(x).data_ptr() for x in tree_leaves((args, kwargs)) if isinstance(x, _HOLDERS)}
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else (out,):
            if isinstance(x, torch.Tensor) and x.untyped_storage().data_ptr() not in given:
                self._see(x.untyped_storage())
        return out

    def _see(self, storage: Any) -> None:
        address, size = storage.data_ptr(), storage.nbytes()
        if address in self.known:
            return
        self.known.add(address)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._forget, address, size)

    def _forget(self, address: int, size: int) -> None:
        self.known.discard(address)
        self.alive -= size
