"""MultiDiffusion against a naive loop over windows, with any sampler and guider."""

import comfy.sampler_helpers
import pytest
import torch
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inversion.invert_latent_node import InvertLatent

from .methods import METHODS
from .naive_windows import panorama
from .node_calls import call_node
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample, spy_calls

WIDE = {"height": 6, "width": 14, "batch": 2}
WINDOWS = {"window": (4, 6), "stride": 4}


def prompts(rows=1):
    return conditioning(model(SHALLOW), rows, seed=1), conditioning(model(SHALLOW), seed=2)


def with_windows(on, **settings):
    return install(on, MultiDiffusion(**{**WINDOWS, **settings}))


@pytest.mark.parametrize(
    ("settings", "sampler"),
    [
        ({}, "heun"),
        ({"weighting": "gaussian"}, "dpmpp_2m"),
        ({"wrap": True, "stride": 3}, "euler_ancestral"),
        ({"wrap": True, "window": (9, 14), "weighting": "gaussian"}, "euler"),
        ({"window": (3, 99), "stride": 1}, "euler"),
    ],
    ids=str,
)
def test_windows_are_averaged_in_each_call(settings, sampler):
    """As a loop over windows, cell by cell, that calls the host on each."""
    how = {"sampler": sampler, **WIDE}
    expected = sample(panorama(model(SHALLOW), **{**WINDOWS, **settings}), *prompts(2), **how)
    out = sample(with_windows(model(SHALLOW), **settings), *prompts(2), **how)
    assert_same_image(out, expected, tolerance=1e-3)  # two looks a step let rounding grow
    assert not torch.allclose(out, sample(model(SHALLOW), *prompts(2), **how), rtol=0.01)


@pytest.mark.parametrize("window", [(6, 14), (8, 99)], ids=str)
@pytest.mark.parametrize("weighting", ["uniform", "gaussian"])
def test_a_window_as_large_as_the_picture(report, window, weighting):
    """Is the plain run to the bit, and the report says so."""
    patched = with_windows(model(SHALLOW), window=window, weighting=weighting)
    assert torch.equal(sample(patched, *prompts(), **WIDE), sample(model(SHALLOW), *prompts(), **WIDE))
    *_, (_, line) = report("MultiDiffusion")
    assert "one window holds the whole picture" in line


@pytest.mark.parametrize(("per_call", "rows"), [(1, 4), (99, 24)])
def test_windows_of_a_call(per_call, rows):
    """Bound the rows of a call of the model, and never change the picture."""
    expected = sample(with_windows(model(SHALLOW), per_call=4), *prompts(), **WIDE)
    with spy_calls(model(SHALLOW)) as calls:
        out = sample(with_windows(model(SHALLOW), per_call=per_call), *prompts(), **WIDE)
    assert_same_image(out, expected)
    assert {call.shape[2:] for call in calls} == {(4, 6)}
    assert max(call.shape[0] for call in calls) == rows
    assert sum(call.shape[0] for call in calls) == 2 * 6 * 2 * 2  # steps, windows, images, prompts


@pytest.mark.parametrize("node", [InvertLatent, AttentionProbe])
def test_inversions_and_probes_look_through_windows(node):
    """Of the model that they are given, as a sampler does."""
    given = {"steps": 2, "scheduler": "normal"} if node is InvertLatent else {}
    latent = {"samples": torch.randn(1, 4, 6, 14)}
    with spy_calls(model(SHALLOW)) as calls:
        call_node(node, with_windows(model(SHALLOW)), prompts()[0], latent, **given)
    assert calls and {call.shape[2:] for call in calls} == {(4, 6)}


def test_the_memory_that_the_host_is_told(monkeypatch):
    """Is that of the windows of a call, however large the picture is; and what other methods need in them."""
    asked, estimate = [], comfy.sampler_helpers.estimate_memory

    def note(patcher, noise_shape, conds):
        asked.append(list(noise_shape))
        return estimate(patcher, noise_shape, conds)

    monkeypatch.setattr(comfy.sampler_helpers, "estimate_memory", note)
    for width in (14, 28):
        sample(with_windows(model(SHALLOW), per_call=3), *prompts(), **{**WIDE, "width": width}, steps=1)
    sample(with_windows(model(SHALLOW), per_call=99), *prompts(), **WIDE, steps=1)
    (aligned,) = [method for method in METHODS if method.name == "style aligned"]
    sample(aligned.on(with_windows(model(SHALLOW), per_call=3)), *prompts(), **WIDE, steps=1)
    assert asked[:3] == [[6, 4, 4, 6], [6, 4, 4, 6], [12, 4, 4, 6]]
    assert asked[3][0] > 6 and asked[3][1:] == [4, 4, 6]


def test_what_the_report_says(report):
    """How many windows there are."""
    sample(with_windows(model(SHALLOW)), *prompts(), **WIDE)
    *_, (level, line) = report("MultiDiffusion")
    assert level == "INFO"
    assert "2 of 2 noise levels, 2 images" in line
    assert "6 windows of 48 x 32 pixels: 6 views in each call of the sampler." in line


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"window": (4, 7), "stride": 7}, "take a stride below 56 pixels"),
        ({"window": (6, 14), "stride": 14}, "one window holds the whole picture; wrap closes nothing"),
        ({"window": (6, 99), "stride": 20}, "take a stride below 112 pixels"),
        ({"window": (4, 7), "stride": 6}, None),
        ({"window": (6, 14), "stride": 13}, None),
        ({"window": (4, 7), "stride": 7, "wrap": False}, None),
    ],
    ids=str,
)
def test_a_picture_that_does_not_close_is_told(report, settings, told):
    """With `wrap`, where no window goes round the right edge."""
    sample(with_windows(model(SHALLOW), **{"wrap": True, **settings}), *prompts(), **WIDE)
    *_, (_, line) = report("MultiDiffusion")
    assert told in line if told else "wrap" not in line
