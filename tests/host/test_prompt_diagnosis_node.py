"""PromptDiagnosis as a user meets it: its inputs, its report and masks, its errors."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.host.text.prompt_identity import encode_own
from attention_control.nodes.inspect.prompt_diagnosis_node import PromptDiagnosis

from .node_calls import call_node
from .test_self_segment_node import ALL, PROMPT, enlarged, known

DEFAULTS = {
    "words": "",
    "segments": 8,
    "present": 0.5,
    "fused": 0.25,
    "layers": "all",
    "seed": 0,
    "sharpen": True,
    "least_gain": 0.15,
}


def diagnosed(store, clip, **settings):
    """The node's outputs, with as many segments as there are."""
    with torch.inference_mode():
        image = torch.full((store.maps.images, 32, 48, 3), 0.5)
        return call_node(
            PromptDiagnosis, store, image, clip, PROMPT, **{"segments": 3, "sharpen": False, **settings}
        )


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store inputs by name, so names, order and defaults never change."""
    schema = PromptDiagnosis.define_schema()
    assert {x.id for x in schema.inputs} == {"maps", "image", "clip", "prompt", *DEFAULTS, "model"}
    assert {x.id: x.default for x in schema.inputs[4:] if x.id != "model"} == DEFAULTS
    assert [x.id for x in schema.inputs if x.optional] == ["model", "least_gain"]
    assert [x.io_type for x in schema.outputs] == ["STRING", "MASK", "IMAGE"]


def test_the_report_tells_what_became_of_each_thing_of_each_picture(clip):
    """What is there, what is not, with the node that helps; the masks in the same order."""
    store = known(clip, ALL, ALL.flip(0, 1), cat=1, sunglasses=2)
    report, masks, overlay = diagnosed(store, clip, words="sunglasses, cat, snow")
    first, second = report.split("\n\n")
    assert first.startswith("Image 0\nsunglasses: present") and second.startswith("Image 1\n")
    assert "cat: present" in first and "snow: neglected" in first and "Layout Guidance" in first
    assert masks.shape == (6, 32, 48) and not masks[2].any() and not masks[5].any()
    for mask, truth in zip(masks[[0, 1, 3]], (ALL == 2, ALL == 1, ALL.flip(0, 1) == 2), strict=True):
        inside = enlarged(truth) == 1
        assert (mask.bool() ^ inside).float().sum() <= 0.3 * inside.sum()
    assert overlay.shape == (2, 512, 768, 3)


def test_fusion_names_both_and_what_helps(clip):
    """Two nouns looked at from the same place; one line for each."""
    report = diagnosed(known(clip, ALL, cat=1, sunglasses=1), clip, words="cat, sunglasses", present=0.6)[0]
    assert "cat: fused with sunglasses" in report and "sunglasses: fused with cat" in report
    assert "Bounded Attention" in report


def test_without_a_list_the_prompt_is_read(clip):
    """A photo of a cat with sunglasses, in the snow: four things."""
    report = diagnosed(known(clip, ALL, cat=1, sunglasses=2), clip)[0]
    assert [line.split(":")[0] for line in report.splitlines()] == ["photo", "cat", "sunglasses", "snow"]


def test_another_prompt_than_the_sampled_one_is_doubted(clip):
    """As in the viewer: what is typed is compared with what the run was sampled with."""
    store = known(clip, ALL, cat=1, sunglasses=2)
    own, another = (encode_own(clip, text)[1] for text in (PROMPT, "another prompt"))
    for sampled, doubted in ((own, False), (another, True)):
        maps = replace(store.maps, prompts={"positive": sampled})
        report = diagnosed(MapStore(maps), clip, words="cat, sunglasses")[0]
        assert report.startswith("prompt: it is not what the pictures were sampled with") == doubted
        assert "cat: present" in report


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": "owl"}, "words: 'owl' is not in the prompt"),
        ({"present": 0.2, "fused": 0.4}, "fused is 0.4, above present"),
        ({"segments": 64}, "segments is 64"),
        ({"clip": None}, "^clip: none arrived"),
    ],
)
def test_what_the_user_got_wrong_is_named(clip, settings, message):
    """The input, what was given, and what there is."""
    store, given = known(clip, ALL, cat=1), {"clip": clip, **settings}
    with pytest.raises(ValueError, match=message):
        diagnosed(store, **given)
