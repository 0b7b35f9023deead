"""Other packs at the host's attention: their functions keep running, and what they take away is named."""

import logging
from collections import Counter
from typing import Any

import comfy.hooks
import pytest
import torch
from comfy.patcher_extension import WrappersMP

from .companions import COMPANIONS, fainter, override
from .methods import METHODS
from .naive import replace_self_attention
from .specimen import IMAGES, blocks, model
from .tiny import assert_same_image, conditioning, sample, spy_calls

METHOD = METHODS[0]
ORDERS = {
    "override first": lambda model, function: METHOD.on(override(model, function)),
    "override last": lambda model, function: override(METHOD.on(model), function),
}
ordered = pytest.mark.parametrize(
    ("order", "shape"), list(zip(ORDERS.values(), ("sd15", "sdxl"), strict=True)), ids=ORDERS
)


def run(patched: Any, shape: str, further: dict[str, Any] | None = None, **how: Any) -> torch.Tensor:
    """Latents (IMAGES, 4, 6, 10); `further` goes into the positive conditioning."""
    positive, negative = conditioning(model(shape), IMAGES, seed=1), conditioning(model(shape), seed=2)
    positive = [[text, {**extra, **(further or {})}] for text, extra in positive]
    return sample(patched, positive, negative, **{"batch": IMAGES, "height": 6, "width": 10, **how})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the pack warned of."""
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [x.getMessage() for x in records if x.getMessage().startswith("[Attention Control]")]


class Counting:
    """An attention function that changes nothing and counts its calls by place and kind of attention."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[Any, ...]] = Counter()

    def __call__(self, func: Any, q: Any, k: Any, v: Any, heads: int, mask: Any = None, **kwargs: Any) -> Any:
        options = kwargs["transformer_options"]
        kind = "cross" if k.shape[1] == 77 else "self"
        self.calls[(*options["block"], options["block_index"], kind)] += 1
        return func(q, k, v, heads, mask=mask, **kwargs)


@ordered
def test_foreign_override_is_called_for_every_attention_call(shape, order):
    """Set before or after ours, another pack's function sees each attention of each model call."""
    alone, beside = Counting(), Counting()
    with spy_calls(model(shape)) as calls:
        plain = run(override(model(shape), alone), shape)
    assert set(alone.calls.values()) == {len(calls)}
    images = run(order(model(shape), beside), shape)
    assert beside.calls.keys() == alone.calls.keys()
    assert all(beside.calls[place] >= alone.calls[place] for place in alone.calls)
    assert torch.equal(images, run(METHOD.on(model(shape)), shape))
    assert not torch.allclose(images, plain, rtol=0.01)


@ordered
def test_foreign_override_is_called_as_before_where_the_method_is_off(shape, order):
    """With the method on one layer only, all others reach the foreign function as they do without it."""
    alone, beside = Counting(), Counting()
    run(override(model(shape), alone), shape)
    middle = METHOD.on(override(model(shape), beside), layers="middle 0.0")
    run(middle, shape)
    assert {place for place in alone.calls if beside.calls[place] != alone.calls[place]} <= {
        ("middle", 0, 0, "self")
    }


def test_two_overrides_in_a_row():
    """Of two foreign functions of which the later calls the earlier, both still work, in that order."""
    seen = []

    def earlier(func, *args, **kwargs):
        seen.append("earlier")
        return func(*args, **kwargs)

    def later(func, *args, **kwargs):
        seen.append("later")
        return earlier(func, *args, **kwargs)

    patched = override(METHOD.on(override(model("sd15"), earlier)), later)
    assert torch.equal(run(patched, "sd15"), run(METHOD.on(model("sd15")), "sd15"))
    assert seen == ["later", "earlier"] * (len(seen) // 2)


def at_run_start(patcher: Any, replace: bool) -> Any:
    """A node of a pack that takes the attention function at the start of a run, as ours does."""

    def outer_sample(executor, *args, **kwargs):
        options = executor.class_obj.model_options["transformer_options"]
        before = options.get("optimized_attention_override")

        def function(func, *args, **kwargs):
            if before is None or replace:
                return fainter(func, *args, **kwargs)
            return before(lambda *a, **k: fainter(func, *a, **k), *args, **kwargs)

        options["optimized_attention_override"] = function
        return executor(*args, **kwargs)

    clone = patcher.clone()
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "another pack", outer_sample)
    return clone


def expected_with_fainter(shape: str) -> torch.Tensor:
    """The naive method below another pack's attention function."""
    everywhere = replace_self_attention(
        model(shape), lambda *qkv: 0.8 * METHOD.naive(*qkv), blocks(model(shape))
    )
    return run(override(everywhere, fainter), shape)


@pytest.mark.parametrize(("ours_first", "shape"), [(True, "sdxl"), (False, "sd15")])
def test_override_taken_at_run_start(shape, ours_first):
    """A pack that wraps the attention function at the start of a run works beside ours in either order."""
    patched = (
        at_run_start(METHOD.on(model(shape)), replace=False)
        if ours_first
        else METHOD.on(at_run_start(model(shape), replace=False))
    )
    assert_same_image(run(patched, shape), expected_with_fainter(shape), tolerance=1e-3)


def test_override_that_replaces_ours_at_run_start():
    """A pack that throws out whatever function it finds at the start of a run is below us all the same."""
    images = run(at_run_start(METHOD.on(model("sd15")), replace=True), "sd15")
    assert_same_image(images, expected_with_fainter("sd15"), tolerance=1e-3)


@pytest.mark.parametrize(
    "scope",
    [
        comfy.hooks.EnumHookScope.AllConditioning,
        comfy.hooks.EnumHookScope.HookedOnly,
    ],
)
def test_override_in_a_conditioning(scope):
    """A function that a conditioning carries in its hooks works below ours too."""
    hook = comfy.hooks.TransformerOptionsHook({"optimized_attention_override": fainter}, hook_scope=scope)
    hooks = comfy.hooks.HookGroup()
    hooks.add(hook)
    images = run(METHOD.on(model("sd15")), "sd15", further={"hooks": hooks}, cfg=1.0)
    everywhere = replace_self_attention(
        model("sd15"), lambda *qkv: 0.8 * METHOD.naive(*qkv), blocks(model("sd15"))
    )
    expected = run(override(everywhere, fainter), "sd15", cfg=1.0)
    assert_same_image(images, expected, tolerance=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "HyperTile",
        "PAG",
        "replacement that keeps the options",
    ],
)
def test_no_warning_of_layers_that_nobody_asked_for(name, caplog):
    """Where the method is not wanted anyway, another pack's cut or replaced attention is nothing to tell."""
    (companion,) = [companion for companion in COMPANIONS if companion.name == name]
    layers = "output 3" if name != "HyperTile" else "middle"
    patched = METHOD.on(companion.on_model(model("sd15")), layers=layers)
    run(patched, "sd15", **companion.how)
    assert warnings(caplog) == []
