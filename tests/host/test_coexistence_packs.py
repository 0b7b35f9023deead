"""Methods beside packs that reach deeper into a run: each does what it does alone, or says why not."""

import gc
import re
import types

import pytest
import torch
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder

from .layout_runs import FOUND, GUIDED, GUIDED_MASKS, WAYS, encoded, figures, noise, run
from .methods import METHODS
from .node_calls import call_node
from .other_packs import coupled, keeping_options, neg_pip, sliding
from .specimen import model
from .tiny import assert_same_image, conditioning, sample, tiny_clip, tiny_model

guided = pytest.mark.parametrize("way", [GUIDED_MASKS, GUIDED], ids=str)


@pytest.fixture
def own_clip():
    """A text encoder that no other test uses, since a pack patches it."""
    return tiny_clip("sd15")


LONG = {"prompt": "red " * 80 + "cat", "boxes": "0 0 64 64: cat"}


@pytest.mark.parametrize(
    ("way", "length"),
    [pytest.param(way, length, id=str(way)) for way, length in zip(WAYS, [LONG, {}, {}, LONG], strict=True)],
)
def test_two_vectors_a_token_without_negative_weights_change_nothing(own_clip, report, way, length):
    """NegPip without a negative weight is the plain model: the same picture, the same figures."""
    how = {"steps": 2 if way is FOUND else 1}  # subjects are sought before the second
    patched, own = way(own_clip, **length)
    expected = run(patched, own, encoded(own_clip, ""), noise(), **how)
    told = figures(report, way.label)
    on, clip = neg_pip(model("sd15"), own_clip)
    patched, own = way(clip, on=on, **length)
    assert own[0][0].shape[1] in (154, 308)
    assert_same_image(run(patched, own, encoded(clip, ""), noise(), **how), expected, tolerance=1e-3)
    assert figures(report, way.label) == told != []


def test_maps_of_two_vectors_a_token(own_clip):
    """They are the maps of the plain model, a column for each token."""
    found = []
    for on, clip in ((model("sd15"), own_clip), neg_pip(model("sd15"), own_clip)):
        patched, store = call_node(AttentionRecorder, on)
        run(patched, encoded(clip, "a red cat"), encoded(clip, ""), noise())
        found.append(store.read())
    for one, two in zip(*(maps.layers for maps in found), strict=True):
        a, b = (layer.cross_attention["positive"].float() for layer in (one, two))
        assert a.shape == b.shape
        assert torch.allclose(a, b, atol=2e-3)


@pytest.mark.parametrize(("way", "length"), [(GUIDED_MASKS, 2), (GUIDED, 3)], ids=str)
def test_a_sampling_function_of_another_pack(clip, report, way, length):
    """Gradients are taken through it: where it cuts the batch into windows nothing is shifted and the report
    says why, where one window holds all images the guidance works as without it."""
    plain = sliding(model("sd15"), length)
    patched, own = way(clip, on=plain)
    negative, start = encoded(clip, ""), noise(3)
    picture = run(patched, own, negative, start)
    if length == 3:
        assert_same_image(picture, run(way(clip)[0], own, negative, start))
        return
    assert torch.equal(picture, run(plain, own, negative, start))
    assert any(level == "WARNING" and "2 of 3 images" in line for level, line in report())


@guided
def test_an_error_of_another_pack_in_a_gradient_is_its_own(clip, way):
    """It is not told as if the host could not compute gradients."""

    def fail(n, context, value, options):
        if torch.is_grad_enabled():
            raise RuntimeError("motion module: expected 16 frames, got 1")
        return n, context, value

    broken = model("sd15").clone()
    broken.set_model_attn2_patch(fail)
    patched, own = way(clip, on=broken)
    with pytest.raises(RuntimeError, match="expected 16 frames") as raised:
        run(patched, own, encoded(clip, ""), noise())
    assert "could not compute" not in str(raised.value)


@pytest.mark.parametrize("way", [FOUND, GUIDED], ids=str)
def test_rows_that_another_pack_adds_are_named(clip, report, way):
    """Attention Couple: self-attention is bounded as always, cross-attention is left alone and the reason
    speaks of rows."""
    patched, own = way(clip, on=coupled(model("sd15"), conditioning(model("sd15"), seed=5)[0][0]))
    run(patched, own, encoded(clip, ""), noise(), steps=2)
    warnings = [line for level, line in report() if level == "WARNING"]
    assert any(re.search(r"\d+ rows", line) for line in warnings)
    assert not any("cut or merged" in line for line in warnings)


def held(kept):
    """Tensors that objects of this pack hold, as far as one comes from `kept`; not those of modules, classes
    and functions, which live on anyway."""
    seen, ours, tensors = set(), [], []

    def follow(start, visit):
        todo = [start]
        while todo:
            thing = todo.pop()
            if id(thing) in seen or isinstance(thing, types.ModuleType | type):
                continue
            seen.add(id(thing))
            visit(thing)
            if isinstance(thing, types.FunctionType):
                todo += [cell.cell_contents for cell in thing.__closure__ or () if _full(cell)]
            elif not isinstance(thing, torch.Tensor | torch.nn.Module):
                todo += gc.get_referents(thing)

    def note(thing):
        if type(thing).__module__.startswith("attention_control."):
            ours.append(thing)

    follow(kept, note)
    seen.clear()
    for thing in ours:
        follow(thing, lambda thing: tensors.append(thing) if isinstance(thing, torch.Tensor) else None)
    return tensors


def _full(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


@pytest.mark.parametrize("way", [FOUND, GUIDED_MASKS, GUIDED], ids=str)
def test_options_kept_by_another_pack_hold_nothing_of_a_run(clip, way):
    """What travels in them is empty when the run is over: no masks, no maps, no gradients."""
    patched, own = way(clip, on=tiny_model("sd15"))
    with keeping_options() as kept:
        run(patched, own, encoded(clip, ""), noise(), steps=2)
    assert kept() is not None
    assert held(kept()) == []


@pytest.mark.parametrize("method", [METHODS[0], METHODS[4]], ids=lambda method: method.name)
def test_options_kept_by_another_pack_hold_no_keys(method):
    """Nor keys and values of other pictures."""
    base = tiny_model("sd15")
    prompts = conditioning(base, 3, seed=1), conditioning(base, seed=2)
    with keeping_options() as kept:
        sample(method.on(base), *prompts, batch=3, height=6, width=10)
    assert held(kept()) == []


def test_options_kept_by_another_pack_hold_no_maps(clip):
    """A recorder's maps live in its store alone."""
    patched, store = call_node(AttentionRecorder, tiny_model("sd15"))
    with keeping_options() as kept:
        run(patched, encoded(clip, "a red cat"), encoded(clip, ""), noise())
    assert store.read().layers
    assert held(kept()) == []
