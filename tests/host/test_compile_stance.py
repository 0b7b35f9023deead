"""A compiled model in passes that overlap, as on two devices: while one of them lasts nothing runs compiled,
and afterwards the compiler is as it was."""

import threading
from collections import Counter

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY

from .laws import SIZE, prompts
from .methods import METHODS
from .specimen import IMAGES
from .tiny import sample, tiny_model
from .two_devices import on_two_devices

PATIENCE = 60.0  # seconds, should a pass never come
ORDERS = {"first to come is first to go": True, "first to come is last to go": False}


class Compiled:
    """A function that counts how often it runs compiled."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        torch._dynamo.reset()
        self.function = torch.compile(lambda x: x + 0.0, backend=self.backend)

    def backend(self, graph, inputs):
        def run(*args):
            self.runs["compiled"] += 1
            return graph.forward(*args)

        return run


class Meeting:
    """Lets two passes begin together, and one of them compute only when the other is over."""

    def __init__(self, first_goes_first: bool) -> None:
        self.first_goes_first = first_goes_first
        self.lock, self.both = threading.Lock(), threading.Barrier(2)
        self.over = threading.Event()
        self.came: list[int] = []

    def round_pass(self, executor, *args, **kwargs):
        """Wrapper outside ours."""
        try:
            return executor(*args, **kwargs)
        finally:
            if self._goes_first:
                self.over.set()

    def inside(self) -> None:
        """At the beginning of the network: ours is in force."""
        with self.lock:
            self.came.append(threading.get_ident())
        self.both.wait(PATIENCE)
        if not self._goes_first:
            assert self.over.wait(PATIENCE)

    @property
    def _goes_first(self) -> bool:
        mine = self.came.index(threading.get_ident())
        return (mine == 0) == self.first_goes_first


def as_it_is(executor, *args, **kwargs):
    """In the place of the host's compile node."""
    return executor(*args, **kwargs)


def compiled_model(compiled, meeting):
    """The MODEL with the mark of the host's compile node and a part that is compiled, on two devices."""

    def beginning(h, options):
        if options["block"] != ("input", 0):
            return h
        meeting.inside()
        return compiled.function(h)

    clone = tiny_model("sd15").clone()
    clone.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "meeting", meeting.round_pass)
    clone.add_wrapper_with_key(
        WrappersMP.APPLY_MODEL, COMPILE_KEY, lambda executor, *a, **k: executor(*a, **k)
    )
    clone.set_model_input_block_patch(beginning)
    return on_two_devices(clone, set())


@pytest.mark.parametrize("first_goes_first", ORDERS.values(), ids=ORDERS)
def test_overlapping_passes_run_uncompiled_and_leave_the_compiler_as_it_was(first_goes_first):
    """Whichever of two passes ends first."""
    compiled, meeting = Compiled(), Meeting(first_goes_first)
    compiled.function(torch.ones(2))
    assert compiled.runs.pop("compiled") == 1
    patched = METHODS[0].on(compiled_model(compiled, meeting))
    try:
        sample(patched, *prompts("sd15"), batch=IMAGES, **SIZE, steps=1)
        assert len(meeting.came) == 2, "the passes did not overlap"
        assert not compiled.runs, "a pass ran compiled"
        compiled.function(torch.ones(3))
        assert compiled.runs["compiled"] == 1, "the compiler stays off"
    finally:
        torch.compiler.set_stance("default")


@pytest.mark.parametrize("fails", [True, False], ids=["failed", "not"])
def test_a_failed_pass_leaves_the_compiler_as_it_was(fails):
    """Also from a stance that somebody else has chosen."""
    compiled = Compiled()
    clone = tiny_model("sd15").clone()
    clone.add_wrapper_with_key(
        WrappersMP.APPLY_MODEL, COMPILE_KEY, lambda executor, *a, **k: executor(*a, **k)
    )

    def beginning(h, options):
        if fails and options["block"] == ("input", 4):
            raise RuntimeError("failed")
        return h

    clone.set_model_input_block_patch(beginning)
    patched = METHODS[0].on(clone)
    for stance, runs in (("default", 1), ("force_eager", 1)):
        with torch.compiler.set_stance(stance):
            try:
                sample(patched, *prompts("sd15"), batch=IMAGES, **SIZE, steps=1)
            except RuntimeError as error:
                assert fails and str(error) == "failed"
            compiled.function(torch.ones(3))
            assert compiled.runs["compiled"] == runs
    compiled.function(torch.ones(3))
    assert compiled.runs["compiled"] == 2
