"""What nodes draw of attention while a run goes on."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.nodes.host.run.install import install, installed
from attention_control.nodes.host.run.on_the_node import OnTheNode
from attention_control.nodes.host.run.paced import Paced
from attention_control.nodes.host.text.clip_tokens import prompt_tokens
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance as LayoutGuidanceNode
from safetensors.torch import save_file
from torch.nn.functional import interpolate

from .editing import change, run
from .node_calls import call_node
from .specimen import SHALLOW, model
from .test_tokens import with_embeddings
from .tiny import conditioning, sample
from .viewing import CONTENT, PROMPT, STEPS, record, word_map


@pytest.fixture
def drawn(monkeypatch):
    """The maps that were put on any node, in order; there is time for all."""
    pictures = []
    monkeypatch.setattr(Paced, "share", 1.0)
    monkeypatch.setattr(OnTheNode, "draw", lambda node, make: pictures.append(make()))
    return pictures


def test_the_recorder_draws_its_words(clip, drawn):
    """At every step, a map for each word, over its own maximum; at last those of the last time slice."""
    words = [prompt_tokens(clip, PROMPT).find(word).positions for word in CONTENT[:3]]
    maps = record(clip, live=tuple(words)).read()
    assert len(drawn) == STEPS and all(len(picture) == len(words) for picture in drawn)
    finest = max((x.grid for x in maps.layers), key=lambda grid: grid[0] * grid[1])
    for heat, positions in zip(drawn[-1], words, strict=True):
        enlarged = [
            interpolate(word_map(x, 0, positions, [STEPS - 1])[None, None], finest, mode="bilinear")
            for x in maps.layers
        ]
        wanted = torch.cat(enlarged).mean((0, 1))
        assert heat.shape == finest and float((heat.cpu() - wanted / wanted.max()).abs().max()) < 0.01


def test_guidance_draws_its_boxes(drawn):
    """At every guided step and for each image: white frames, and the subjects' attention below them."""
    prompts = conditioning(model(SHALLOW), 2, seed=1), conditioning(model(SHALLOW), seed=2)
    left, right = ((0.0, 0.0, 0.5, 0.5),), ((0.5, 0.25, 1.0, 1.0),)
    layout = Layout(((Subject("left", (2, 3), left), Subject("right", (5,), right)),))
    guiding = LayoutGuidance(layout=layout, effort=Effort(1.0, iterations=1, target=0.0))
    how = {"steps": 2, "batch": 2, "height": 16, "width": 32}
    out = sample(install(model(SHALLOW), guiding), *prompts, **how)
    assert len(drawn) == 2
    hidden = sample(install(model(SHALLOW), replace(guiding, shows_boxes=False)), *prompts, **how)
    assert len(drawn) == 2 and torch.equal(hidden, out)
    for picture in drawn:
        images, height, width = picture.shape
        assert images == 2 and width == 2 * height >= 128
        for x, y in ((0, 0), (0.25, 0), (0, 0.25), (0.5, 0.5), (0.75, 0.25)):
            assert bool((picture[:, int(y * height), int(x * width)] == 1).all()), (x, y)
        assert float(picture[:, 2:-2, 2 : width // 3].max()) == 1 and float(picture[:, -3, 3].max()) < 1


def test_the_last_masks_of_a_blend_stand_on_the_node(clip, monkeypatch):
    """Where there is time for the first picture alone, the last one is drawn behind the run: the masks that
    Blend Masks gives out."""
    pictures, shares = [], []
    monkeypatch.setattr(OnTheNode, "draw", lambda node, make: pictures.append(make()))
    for share in (1.0, 1e-9):
        monkeypatch.setattr(Paced, "share", share)
        outputs = change(clip, blend_words="cat, dog", blend_threshold=0.9, shape="sd15")
        run(outputs, "sd15", steps=4)
        shares.append(pictures.copy())
        pictures.clear()
        ((_, kept),) = outputs[4].runs
        assert torch.equal(shares[-1][-1], kept)
    every, few = shares
    assert len(every) == 4 and len(few) == 2
    assert torch.equal(few[0], every[0]) and not torch.equal(few[0], few[1])


def test_words_that_the_sampled_text_has_not_are_left_out(clip, drawn):
    """Another prompt than the one sampled with, which is longer."""
    record(clip, live=((100,),))
    assert drawn == []


def test_live_words_need_the_text_encoder(clip, tmp_path):
    """Content words of the prompt, eight at most; none without one."""
    patched = call_node(AttentionRecorder, model(SHALLOW), clip=clip, live_prompt=PROMPT)[0]
    assert len(installed(patched)[-1].method.live) == len(CONTENT)
    assert installed(call_node(AttentionRecorder, model(SHALLOW), clip=clip)[0])[-1].method.live == ()
    with pytest.raises(ValueError, match="clip: not connected, so the words of `live_prompt`"):
        call_node(AttentionRecorder, model(SHALLOW), live_prompt=PROMPT)
    save_file({"emb_params": torch.randn(2, 16)}, tmp_path / "foreign.safetensors")
    foreign = {"clip": with_embeddings("sd15", str(tmp_path)), "live_prompt": "embedding:foreign"}
    with pytest.raises(ValueError, match=r"^live_prompt: it has an embedding of width 16"):
        call_node(AttentionRecorder, model(SHALLOW), **foreign)


@pytest.mark.parametrize("node", [LayoutGuidanceNode, BoundedAttention])
def test_boxes_are_shown_by_default(clip, node):
    """And not where they are switched off."""

    def shown(**settings):
        given = {"boxes": "0 0 0.5 0.5: red cat", **settings}
        (patched, *_) = call_node(node, model(SHALLOW), clip, PROMPT, **given)
        return installed(patched)[-1].method.shows_boxes

    assert (shown(), shown(show_boxes=False)) == (True, False)


def test_pictures_are_paid_for_by_the_time_between_them():
    """The first always comes; each that took a second is followed by 49 without, so all take 2 %."""
    now, made = [0.0], []

    def draw(make):
        made.append(make())
        now[0] += 1

    paced = Paced(draw, lambda: now[0])
    for step in range(100):
        paced(lambda step=step: step)
        now[0] += 1
    assert made == [0, 49, 98]
    assert len(made) <= Paced.share * now[0] + 1
