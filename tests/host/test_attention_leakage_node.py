"""AttentionLeakage on recorded runs of the real host."""

import pytest
import torch
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention

from .node_calls import call_node
from .specimen import SHALLOW, model
from .tiny import conditioning, sample

PROMPT = "a ginger kitten and a gray puppy"
BOXES = "0 0 200 512: ginger kitten\n312 0 200 512: gray puppy"
LAYOUT = {"boxes": BOXES, "subjects": "", "width": 512, "height": 512}
RECORD = {"queries_and_keys": True, "time_bins": 2}


def recorded(patcher, encoded):
    """Maps of a run of two images, and pictures of their shape."""
    found = call_node(AttentionRecorder, patcher, **RECORD)
    patched, maps = found[:2]
    sample(patched, encoded, conditioning(model(SHALLOW), seed=2), batch=2, height=16, width=16)
    return maps, torch.rand(2, 128, 128, 3)


@pytest.fixture(scope="module")
def plain(clip):
    """Maps and pictures of a run without bounds."""
    return recorded(model(SHALLOW), clip.encode_from_tokens_scheduled(clip.tokenize(PROMPT)))


def test_bounds_are_seen_in_the_maps(clip, plain):
    """Bounded, the words lie in their boxes and the pixels look at their own; plain, they do not."""
    bounded, encoded, _ = call_node(
        BoundedAttention, model(SHALLOW), clip, PROMPT, **LAYOUT, refine_from=1.0, guidance_until=0.0
    )
    figures, reports = [], []
    for maps, pictures in (plain, recorded(bounded, encoded)):
        figure, report = call_node(AttentionLeakage, maps, pictures, clip, PROMPT, **LAYOUT)
        figures.append(figure)
        reports.append(report)
    assert figures[0].shape == figures[1].shape and figures[0].shape[0] == 2
    shares = [[row.split("|")[3:9] for row in report.splitlines() if "kitten |" in row] for report in reports]
    for in_box, in_others, outside, at_own, at_others, _ in shares[1]:
        assert (in_box.strip(), in_others.strip(), outside.strip()) == ("100%", "0%", "0%")
        assert at_others.strip() == "0%" and int(at_own.strip("% ")) > 50
    for in_box, *_ in shares[0]:
        assert int(in_box.strip("% ")) < 60
    assert "Neglected" not in reports[1]


def test_part_of_layers_and_time(clip, plain):
    """Other layers or times, other numbers; what was not recorded is refused."""
    maps, pictures = plain

    def report(layers="all", time="all"):
        return call_node(AttentionLeakage, maps, pictures, clip, PROMPT, **LAYOUT, layers=layers, time=time)[
            1
        ]

    assert report() not in (report(layers="middle"), report(time="1"))
    with pytest.raises(ValueError, match="layers: no layer matches"):
        report(layers="decoder")
    with pytest.raises(ValueError, match="time: '9' names no recorded time slice"):
        report(time="9")


def test_what_does_not_fit_is_refused(clip, plain):
    """No boxes, another number of pictures, boxes for another number of images."""
    maps, pictures = plain

    def look(pictures, **given):
        return call_node(AttentionLeakage, maps, pictures, clip, PROMPT, **{**LAYOUT, **given})

    with pytest.raises(ValueError, match="boxes: there are none"):
        look(pictures, boxes="")
    with pytest.raises(ValueError, match="image: 1 pictures, but the maps are of 2"):
        look(pictures[:1])
    with pytest.raises(ValueError, match="boxes for 3 images, but the latent batch has 2"):
        look(pictures, boxes="0 0 9 9: kitten\n---\n0 0 9 9: kitten\n---\n0 0 9 9: puppy")
