"""PromptToPrompt beside what users put on a model: the source stays what it is without the edits."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install, installed

from .companions import COMPANIONS
from .editing import change
from .recorded import recorder
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample, split_calls

EDITS = "a red dog, on the stairs\na very big red cat, on the stairs\na red cat, on the stairs"
SIZE = {"height": 6, "width": 10}


def run(patched, prompts, latent, **how):
    """Latents of the source and three edits."""
    size = {name: how.pop(name, side) for name, side in SIZE.items()}
    start = latent["samples"].new_zeros(len(latent["samples"]), 4, *size.values())
    given = {"latent": start, "images": latent["batch_index"], "steps": 3, **how}
    return sample(patched, *prompts, **given)


@pytest.mark.parametrize("companion", COMPANIONS, ids=lambda companion: companion.name)
def test_the_source_is_what_it_is_beside_a_companion(clip, companion):
    """To the bit, and so is an edit of the same prompt; the other edits are edited."""
    patched, positive, latent, *_ = change(clip, edits=EDITS)
    plain = companion.on_model(model(SHALLOW))
    prompts = companion.on_prompts(plain, (positive, conditioning(plain, seed=2)))
    out = run(companion.on_model(patched), prompts, latent, **companion.how)
    alone = run(plain, prompts, latent, **companion.how)
    assert torch.equal(out[0], alone[0])
    assert torch.equal(out[3], out[0])
    for image in (1, 2):
        assert not torch.allclose(out[image], alone[image], rtol=0.01)


def test_one_call_or_two(clip):
    """A negative that comes by itself is not taken for the prompt."""
    patched, positive, latent, *_ = change(clip, edits=EDITS, blend_words="cat, dog")
    prompts = positive, conditioning(model(SHALLOW), seed=2)
    together = run(patched, prompts, latent)
    with split_calls(model(SHALLOW), rows=4):
        assert_same_image(run(patched, prompts, latent), together)


def test_a_recorder_keeps_the_edited_maps_and_changes_nothing(clip):
    """What is recorded of an edit is what it attends to: the source's maps, where all are taken over."""
    ends = {"cross_until": 1.0, "self_until": 1.0}
    patched, positive, latent, *_ = change(clip, edits="a red dog, on the stairs", **ends)
    prompts = positive, conditioning(patched, seed=2)
    kept, store = recorder(patched)
    assert torch.equal(run(install(patched, kept), prompts, latent), run(patched, prompts, latent))
    for layer in store.maps.layers:
        for maps in (layer.cross_attention["positive"], layer.self_attention["positive"]):
            assert torch.allclose(maps[:, 0], maps[:, 1], atol=1e-6), layer.layer


def test_beside_style_aligned_in_either_order(clip):
    """The source is the reference and stays plain; both act, and an edit of the same prompt is the source."""
    patched, positive, latent, *_ = change(clip, edits=EDITS)
    prompts = positive, conditioning(patched, seed=2)
    layers = family_of(patched).layer_map().parse("all")
    aligned = StyleAligned(layers=layers)
    plain, edited = run(model(SHALLOW), prompts, latent), run(patched, prompts, latent)
    (own,) = installed(patched)
    for both in (install(patched, aligned), install(install(model(SHALLOW), aligned), own.method)):
        out = run(both, prompts, latent)
        assert torch.equal(out[0], plain[0])
        assert_same_image(out[3:], out[:1])
        assert not torch.allclose(out[1], edited[1], rtol=0.01)


def test_a_part_of_the_picture_is_edited_but_not_blended(clip, caplog):
    """An area has maps of its own cells only; the report says why nothing is blended."""
    patched, [[text, more]], latent, *_ = change(clip, edits=EDITS, blend_words="cat, dog")
    inside = [[text, {**more, "area": (6, 5, 0, 0), "strength": 1.0}]]
    everywhere = conditioning(patched, seed=5)
    prompts = inside + everywhere, conditioning(patched, seed=2)
    out, plain = (run(one, prompts, latent) for one in (patched, model(SHALLOW)))
    assert torch.equal(out[0], plain[0])
    assert not torch.allclose(out[1], plain[1], rtol=0.01)
    assert "masks are found in the whole one" in caplog.text


def test_where_a_picture_is_looked_at_nothing_is_blended(clip):
    """What is left there hangs on no earlier step."""
    (own,) = installed(change(clip, edits=EDITS, blend_words="cat, dog")[0])
    assert own.method.looking == replace(own.method, blend=None)
