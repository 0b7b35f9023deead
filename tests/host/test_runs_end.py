"""What a run has made is gone when it is over, without waiting for Python's collector of cycles."""

import gc

from . import guidance_methods
from .methods import METHODS
from .specimen import SHALLOW, model
from .tiny import conditioning, sample

PLACES = (
    "attention_control.nodes.host.run.",
    "attention_control.nodes.host.calls.",
    "attention_control.nodes.host.facts.",
    "attention_control.attention_patches.methods.",
)


def ours():
    """The objects of runs that are alive; specifications of methods lie on nodes and stay."""
    alive = (thing for thing in gc.get_objects() if str(type(thing).__module__).startswith(PLACES))
    return {id(thing): type(thing).__name__ for thing in alive}


def test_nothing_waits_for_the_collector():
    """Masks, maps and keys of a run would lie in the device's memory until then."""
    base = model(SHALLOW)
    prompts = conditioning(base, seed=1), conditioning(base, seed=2)
    patched = [method.on(base) for method in (*METHODS, *guidance_methods.METHODS)]
    gc.collect()
    before = ours()
    gc.disable()
    try:
        for one in patched:
            sample(one, *prompts, batch=3, height=6, width=10, steps=2)
        assert [name for number, name in ours().items() if number not in before] == []
    finally:
        gc.enable()
