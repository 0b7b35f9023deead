"""SelfSegment as a user meets it: its inputs, its outputs and their order, its errors."""

import pytest
import torch
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.maps.recorded import (
    AttentionMaps,
    MapStore,
    RecordedLayer,
    TimeSlice,
)
from attention_control.nodes.host.text.clip_tokens import prompt_tokens
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.self_segment_node import SelfSegment, subject_words
from comfy_api.latest import io

from .tiny import conditioning, sample, tiny_clip, tiny_model

PROMPT = "a photo of a cat with sunglasses, in the snow"
DEFAULTS = {
    "subjects": "",
    "segments": 5,
    "label_threshold": 0.3,
    "layers": "all",
    "sharpen": True,
    "seed": 0,
}
ALL = torch.tensor([[0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 2, 2], [0, 1, 1, 0, 2, 2], [0, 1, 1, 0, 0, 0]])


def known(clip, *regions, **words):
    """A store of maps in which each place looks at its own region, and each word is looked at from one."""
    cross, own = [], []
    for numbers in (grid.flatten() for grid in regions):
        same = (numbers[:, None] == numbers).float()
        own.append(same / same.sum(1, keepdim=True))
        text = torch.full((len(numbers), 77), 0.002)
        for word, region in words.items():
            text[:, list(prompt_tokens(clip, PROMPT).find(word).positions)] += (
                0.4 * (numbers == region).float()[:, None]
            )
        cross.append(text)
    place = Layer(1, 1, "output", 0, 0)
    layer = RecordedLayer(
        place,
        tuple(regions[0].shape),
        1,
        {"positive": torch.stack(cross)[None, :, None].half()},
        {"positive": torch.stack(own)[None, :, None].half()},
    )
    height, width = regions[0].shape
    slices = (TimeSlice(0.0, 1.0, 0.5),)
    return MapStore(
        AttentionMaps(LayerMap("U-Net", (place,)), len(regions), (height, width), slices, (layer,))
    )


def segment(store, clip, image=None, prompt=PROMPT, **settings):
    """The node's outputs, as the server calls it."""
    image = torch.full((store.maps.images, 32, 48, 3), 0.5) if image is None else image
    with torch.inference_mode():
        node = SelfSegment.execute(store, image, clip, prompt, **{**DEFAULTS, "segments": 3, **settings})
    return node.args


def enlarged(mask):
    """(4, 6) -> (32, 48), every place a block."""
    return mask.float().repeat_interleave(8, 0).repeat_interleave(8, 1)


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store inputs by name, so names, order and defaults never change."""
    schema = SelfSegment.define_schema()
    assert [x.id for x in schema.inputs] == [
        *("maps", "image", "clip", "prompt", "subjects", "segments", "label_threshold", "layers", "seed"),
        "sharpen",
    ]
    assert {x.id: x.default for x in schema.inputs[4:]} == DEFAULTS
    assert [x.io_type for x in schema.outputs] == ["MASK", "MASK", "IMAGE", "STRING"]
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.id for x in schema.inputs if x.advanced] == ["seed"]


def test_masks_come_image_by_image_and_subject_by_subject(clip):
    """All subjects of the first picture, then of the second; of the pictures' size; 0 or 1."""
    store = known(clip, ALL, ALL.flip(0, 1), cat=1, sunglasses=2)
    masks, segments, overlay, report = segment(store, clip, subjects="sunglasses\ncat", sharpen=False)
    assert masks.shape == (4, 32, 48) and masks.dtype == torch.float32
    expected = [grid == n for grid in (ALL, ALL.flip(0, 1)) for n in (2, 1)]
    for mask, truth in zip(masks, expected, strict=True):
        inside = enlarged(truth) == 1
        assert (mask.bool() ^ inside).float().sum() <= 0.2 * inside.sum()  # corners are rounded
        assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert segments.shape == (6, 32, 48)
    assert torch.equal(segments.unflatten(0, (2, 3)).sum(1), torch.ones(2, 32, 48))
    assert torch.equal(segments[1], masks[1]) and torch.equal(segments[2], masks[0])
    assert overlay.shape == (2, 512, 768, 3)
    assert "Image 1" in report


def test_a_subject_without_a_segment_has_an_empty_mask_and_is_named(clip):
    """The other masks stay in their places."""
    store = known(clip, ALL, cat=1)
    masks, _, _, report = segment(store, clip, subjects="snow, cat")
    assert not masks[0].any() and masks[1].any()
    assert "snow: no segment, the mask is empty" in report and "cat: no segment" not in report


def test_the_threshold_makes_background(clip):
    """At 1 no score is high enough, at 0 every segment has a label."""
    store = known(clip, ALL, cat=1)
    assert not segment(store, clip, subjects="cat", label_threshold=1.0)[0].any()
    assert segment(store, clip, subjects="cat", label_threshold=0.0)[0].all()


def test_a_single_picture_and_subject_give_one_mask(clip):
    """Fit to be used as a mask for that picture; alpha and half precision of the picture do not matter."""
    store = known(clip, ALL, cat=1)
    masks, *_ = segment(store, clip, torch.full((1, 100, 150, 4), 0.5).half(), subjects="cat")
    assert masks.shape == (1, 100, 150)


def test_sharpening_follows_the_picture(clip):
    """With an edge half a cell inside of the segment, the mask ends there; without sharpening it does not."""
    picture = torch.full((1, 32, 48, 3), 0.8)
    picture[:, 12:, 12:24] = torch.tensor([0.1, 0.3, 0.6])
    picture[:, 8:24, 32:] = torch.tensor([0.7, 0.1, 0.1])
    store = known(clip, ALL, cat=1)
    off = {}
    for sharpen in (True, False):
        mask = segment(store, clip, picture, subjects="cat", sharpen=sharpen)[0][0].bool()
        truth = torch.zeros(32, 48, dtype=torch.bool)
        truth[12:, 12:24] = True
        off[sharpen] = int((mask ^ truth).sum())
    assert off[True] < 0.2 * off[False]


def test_the_subjects_are_the_content_words_if_none_are_named(clip):
    """In the order of the prompt and each once; words of the user's own come in the user's order."""
    tokens = prompt_tokens(clip, "a cat, a dog and a cat")
    assert [word.text for word in subject_words(tokens, " \n")] == ["cat", "dog"]
    assert subject_words(tokens, "")[0].positions == tokens.find("cat").positions
    named = subject_words(tokens, "dog, cat#2\n\nA cat,dog")
    assert [word.text for word in named] == ["dog", "cat#2", "A cat"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subjects": "owl"}, r"^subjects: 'owl' is not in the prompt.* photo, cat"),
        ({"prompt": ""}, r"subjects: none given"),
        ({"layers": "middle"}, r"no layer matches 'middle'"),
        ({"segments": 25}, r"segments is 25.* 24 places"),
        ({"image": torch.zeros(2, 32, 48, 3)}, r"image: 2 pictures, but the maps are of 1"),
        ({"image": torch.zeros(1, 48, 32, 3)}, r"image: 32 x 48 pixels.* 6 x 4 cells"),
    ],
)
def test_errors_say_what_is_possible(clip, settings, message):
    """The input is named, with what was given and what there is."""
    with pytest.raises(ValueError, match=message):
        segment(known(clip, ALL, cat=1), clip, **settings)


def test_an_empty_store_is_an_error(clip):
    """The user learns how to make the recorder run first."""
    with pytest.raises(ValueError, match="nothing has been recorded yet"):
        SelfSegment.execute(MapStore(), torch.zeros(1, 32, 48, 3), clip, PROMPT, **DEFAULTS)


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_a_recorded_run_can_be_segmented(kind):
    """From the recorder through the host's sampler: a batch of other than square pictures, twice the same."""
    model = tiny_model(kind)
    recorder = AttentionRecorder.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    patched, store = recorder.execute(model, "both", "all").args
    sample(patched, conditioning(model, seed=1), conditioning(model, seed=2), batch=2, height=10, width=6)
    pictures = torch.rand(2, 80, 48, 3, generator=torch.Generator().manual_seed(0))
    first, again = (
        segment(store, tiny_clip(kind), pictures, prompt="a cat on a tree", segments=4) for _ in range(2)
    )
    assert first[0].shape == (4, 80, 48) and first[1].shape == (8, 80, 48)
    assert torch.equal(first[1].unflatten(0, (2, 4)).sum(1), torch.ones(2, 80, 48))
    assert all(torch.equal(a, b) for a, b in zip(first[:3], again[:3], strict=True)) and first[3] == again[3]
