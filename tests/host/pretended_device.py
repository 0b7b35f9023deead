"""A second device that is none: its tensors lie in the processor's memory, and must not meet others.

With it the rules of a graphics card hold on a machine without one. Every call of a function of torch is
looked at: a tensor is on the device if its memory was made for it, what is computed from it is there too, and
tensors of both devices in one call are refused as torch refuses them. The processor computes, so all results
are the same to the bit. The host takes the device for one of DirectML, of which it asks nothing but a name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

CPU, PRETENDED = torch.device("cpu"), torch.device("privateuseone", 0)
MAY_MEET = {Tensor.copy_, Tensor.data.__set__, torch._has_compatible_shallow_copy_type}
MAY_MEET |= {Tensor.expand_as, Tensor.view_as, Tensor.reshape_as}  # which ask for a size
MAY_MEET |= {torch.autograd.backward, torch.autograd.grad}  # gradients on their way are known by nobody
EVEN_NUMBERS = {torch.cat, torch.stack}  # other functions take a single number from the processor
ONLY_CPU = {Tensor.numpy, Tensor.__array__, Tensor.__dlpack__}


class Generator(torch.Generator):
    """Random numbers of the device."""


def generator(device: Any = CPU) -> torch.Generator:
    """What `torch.Generator` is in the meantime."""
    return Generator() if device_of(device) == PRETENDED else torch_generator(device)


torch_generator = torch.Generator


class PretendedDevice(TorchFunctionMode):
    """While it is entered, `privateuseone:0` is a device beside the processor; in one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[int, StorageWeakRef] = {}  # the references keep an address from being used again
        self.special: dict[Any, Callable[..., Any]] = {
            Tensor.device.__get__: self.where,
            Tensor.is_cpu.__get__: lambda x: self.where(x) == CPU,
            Tensor.get_device: lambda x: -1 if self.where(x) == CPU else PRETENDED.index,
            Tensor.cpu: lambda x, **options: self.to(x, CPU),
            Tensor.to: self.to,
            Tensor.type_as: lambda x, other: self.to(x, other),
            torch.as_tensor: self.as_tensor,
            torch.asarray: self.as_tensor,
        }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in self.special:
            return self.special[func](*args, **kwargs)
        given = list(tensors((args, kwargs)))
        if func in ONLY_CPU and self.where(args[0]) != CPU:
            raise TypeError(f"can't convert {PRETENDED} device type tensor to numpy")
        there = self.common(func, args, given)
        if "device" in kwargs:
            there = device_of(kwargs["device"]) or there
            kwargs["device"] = CPU
        generator = kwargs.get("generator")
        if generator is not None and isinstance(generator, Generator) != (there == PRETENDED):
            raise RuntimeError("Expected a generator of the tensor's device but found one of another device")
        return self.placed(func(*args, **kwargs), there)

    def where(self, x: Tensor) -> torch.device:
        """The device of a tensor."""
        try:
            return PRETENDED if x.untyped_storage()._cdata in self.memory else CPU
        except (RuntimeError, NotImplementedError):  # without memory of its own, such as a sparse one
            return CPU

    def common(self, func: Any, args: Any, given: list[Tensor]) -> torch.device:
        """The device on which these tensors are computed with. Raises RuntimeError if they are on two."""
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            places = list(tensors(args[1]))
            if func is Tensor.__setitem__ and not places:  # a copy into a part
                return self.where(given[0])
            on_cpu = [x for x in places if self.where(x) == CPU]  # any tensor can be asked for these
            given = [x for x in given if not any(x is place for place in on_cpu)]
        alone = [x for x in given if x.ndim or self.where(x) != CPU or func in EVEN_NUMBERS]
        found = {self.where(x) for x in alone or given}
        if func in MAY_MEET:
            return self.where(given[0])
        if len(found) > 1:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{PRETENDED} and {CPU}! (in {getattr(func, '__qualname__', func)})"
            )
        return found.pop() if found else CPU

    def placed(self, result: Any, device: torch.device) -> Any:
        """The result, known as being on this device."""
        if device != CPU:
            for x in tensors(result):
                storage = x.untyped_storage()
                self.memory.setdefault(storage._cdata, StorageWeakRef(storage))
            if len(self.memory) > 20000:
                self.memory = {key: kept for key, kept in self.memory.items() if not kept.expired()}
        return result

    def to(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`Tensor.to`: to a device, to a type, or to both as another tensor has them."""
        wanted = [kwargs[key] for key in ("device", "other") if key in kwargs] + list(args)
        devices = [self.where(a) if isinstance(a, Tensor) else device_of(a) for a in wanted]
        target = next((device for device in devices if device), None) or self.where(x)
        args = tuple(CPU if device_of(a) else a for a in args)
        kwargs = {key: CPU if key == "device" else value for key, value in kwargs.items()}
        return self.moved(x, x.to(*args, **kwargs), target)

    def as_tensor(self, data: Any, **kwargs: Any) -> Tensor:
        """`torch.as_tensor`: the same memory where it can be."""
        source = self.where(data) if isinstance(data, Tensor) else CPU
        target = device_of(kwargs.pop("device", None)) or source
        out = torch.as_tensor(data, **kwargs)
        return self.moved(data, out, target) if isinstance(data, Tensor) else self.placed(out, target)

    def moved(self, x: Tensor, out: Tensor, target: torch.device) -> Tensor:
        """`out`, made of `x`, in memory of the target's."""
        shared = out.untyped_storage()._cdata == x.untyped_storage()._cdata
        return self.placed(out.clone() if shared and target != self.where(x) else out, target)


@contextmanager
def pretended_device() -> Iterator[PretendedDevice]:
    """Have a second device while the block lasts, in backward passes and in new threads as well."""
    mode, engine, run_thread = PretendedDevice(), torch.autograd._engine_run_backward, Thread.run

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        with (
            mode
        ):  # the caller's call of torch has left it, but what is checkpointed is computed again in here
            return engine(*args, **kwargs)

    def run(self: Thread) -> None:
        with mode:
            run_thread(self)

    module = ModuleType("torch.privateuseone")  # where torch asks what the device can do
    answers = {"get_amp_supported_dtype": list, "_is_in_bad_fork": bool, "manual_seed_all": lambda seed: None}
    vars(module).update(answers)
    with (
        patch.object(torch, "privateuseone", module, create=True),
        patch.object(torch, "Generator", generator),
        patch.object(Thread, "run", run),
        patch.object(torch.autograd, "_engine_run_backward", run_backward),
        mode,
    ):
        yield mode


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in a value and the containers in it."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors(part)


def device_of(value: Any) -> torch.device | None:
    """The device that an argument names, if it names one."""
    if isinstance(value, (str, torch.device)):
        return PRETENDED if torch.device(value).type == PRETENDED.type else CPU
    return None
