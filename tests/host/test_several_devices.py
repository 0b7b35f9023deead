"""The host shares a run among devices: here the processor under two names stands for two graphics cards."""

import threading

import pytest
from attention_control.nodes.host.run.install import install

from .guidance_methods import METHODS as GUIDANCES
from .laws import SIZE, enough, prompts
from .methods import OTHER_WAYS
from .recorded import recorder
from .specimen import IMAGES
from .tiny import assert_same_image, sample, tiny_model
from .tiny.precision import nearly
from .two_devices import on_two_devices


def run(model, **how):
    return sample(model, *prompts("sd15"), batch=IMAGES, **SIZE, **how)


SAME_WAY = {"style of a picture", "prompt to prompt", "shape variations", "shape variations, keeping"}
ALL = [
    method for method in (*OTHER_WAYS, GUIDANCES[0]) if method.name not in SAME_WAY
]  # as others of their kind


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_two_devices_make_the_picture_of_one(method):
    """Each prompt on a device of its own, at the same time; gradients are taken on the first."""
    model, threads, how = tiny_model("sd15", layout="shallow"), set(), enough(method)
    expected = run(method.on(model), **how)
    assert_same_image(run(method.on(on_two_devices(model, threads)), **how), expected)
    assert len(threads - {threading.main_thread()}) == 2
    assert (threading.main_thread() in threads) == (method in GUIDANCES)


def test_two_devices_record_the_maps_of_one():
    """Of both prompts, whichever device comes first."""
    model, found = tiny_model("sd15"), []
    for sampled in (model, on_two_devices(model, set())):
        patch, store = recorder(sampled, roles=("positive", "negative"))
        run(install(sampled, patch))
        found.append(store.read())
    assert found[0].slices == found[1].slices
    for one, two in zip(found[0].layers, found[1].layers, strict=True):
        for kind in ("cross_attention", "self_attention"):
            maps, others = getattr(one, kind), getattr(two, kind)
            assert maps.keys() == others.keys() == {"positive", "negative"}
            assert all(nearly(maps[role], others[role], atol=1e-3) for role in maps)
