"""AttentionMapViewer on recorded runs: its pictures and masks, what can be chosen, its errors."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.contract.call.site import Prompt
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.host.text.clip_tokens import prompt_tokens
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from comfy_execution.graph_utils import ExecutionBlocker
from torch.nn.functional import interpolate

from .viewing import (
    CONTENT,
    DEFAULTS,
    IMAGES,
    PICTURES,
    PROMPT,
    SIZE,
    STEPS,
    pixels,
    record,
    view,
    word_map,
)

LONG = "tree, " * 45 + "a lighthouse"  # two chunks of 77 tokens

pytestmark = pytest.mark.usefixtures("temp")


@pytest.fixture(scope="module")
def store(clip):
    return record(clip)


def naive_heat(maps, image, positions):
    """(height, width): DAAM's mean of enlarged maps, enlarged to the picture, over its maximum."""
    finest = max((x.grid for x in maps.layers), key=lambda g: g[0] * g[1])
    enlarged = [
        interpolate(word_map(x, image, [at], [0, 1, 2])[None, None], finest, mode="bicubic").clamp(min=0)
        for x in maps.layers
        for _ in range(x.heads)
        for at in positions
    ]
    large = interpolate(torch.stack(enlarged).mean(0), SIZE, mode="bicubic").clamp(min=0)[0, 0]
    return large / large.max()


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store inputs by name, so names, order and defaults never change."""
    schema = AttentionMapViewer.define_schema()
    names = [*list(DEFAULTS)[:6], "clip", *list(DEFAULTS)[6:]]
    assert [x.id for x in schema.inputs] == ["maps", "image", *names]
    assert {x.id: x.default for x in schema.inputs if x.id in DEFAULTS} == DEFAULTS
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.id for x in schema.inputs if x.optional] == ["maps", "clip", "prompt"]
    assert [x.id for x in schema.inputs if x.advanced] == ["x", "y", "point_image", "features", "rows"]
    assert schema.is_output_node


def test_a_heat_map_and_a_mask_per_word_and_picture(store, clip):
    """All words of the first picture, then of the second; masks are the naive map over the threshold."""
    images, masks, payload = view(store, clip, prompt=PROMPT, threshold=0.9)
    assert images.shape == (IMAGES * len(CONTENT), *SIZE, 3) and masks.shape == images.shape[:3]
    tokens = prompt_tokens(clip, PROMPT)
    order = [(image, tokens.find(word)) for image in range(IMAGES) for word in CONTENT]
    for mask, (image, word) in zip(masks, order, strict=True):
        heat = naive_heat(store.read(), image, word.positions)
        differs = mask != (heat >= 0.9)
        assert 0 < mask.mean() < 1
        assert not (differs & ((heat - 0.9).abs() > 1e-4)).any()
    assert [word["text"] for word in payload["words"]] == CONTENT
    assert payload["words"][1]["positions"] == [3, 14]  # both cats


def test_words_may_be_phrases_and_occurrences(store, clip):
    """They are drawn in the order asked for; the browser gets them beside the prompt's own words."""
    images, _, payload = view(store, clip, prompt=PROMPT, words=" cat#2, red cat,beach")
    assert len(images) == IMAGES * 3
    assert [payload["words"][n]["text"] for n in payload["chosen"]] == ["cat#2", "red cat", "beach"]
    assert [word["positions"] for word in payload["words"]][-2:] == [[14], [2, 3]]
    with pytest.raises(ValueError, match=r"^words: 'dog' is not in the prompt.*sunglasses"):
        view(store, clip, prompt=PROMPT, words="dog")


@pytest.mark.parametrize(
    ("mode", "drawn"),
    [
        ("words", IMAGES * len(CONTENT)),
        ("self", IMAGES),
        ("components", IMAGES * STEPS),
        ("correspondence", IMAGES),
    ],
)
def test_every_mode_draws_and_repeats(store, clip, temp, mode, drawn):
    """A cached sampler, or a second viewer: the same pictures, the same payload, and no further files."""
    first = view(store, clip, prompt=PROMPT, mode=mode)
    files = sorted(temp.rglob("*"))
    again = view(store, clip, prompt=PROMPT, mode=mode)
    assert len(first[0]) == len(first[1]) == drawn and first[0].shape[1:] == (*SIZE, 3)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1]) and first[2] == again[2]
    assert sorted(temp.rglob("*")) == files and all(x.suffix in ("", ".png") for x in files)
    assert first[2]["mode"] == mode
    assert (pixels(first[2]["images"][1]["picture"]) / 255 - PICTURES[1]).abs().max() < 1 / 255
    shown = [len(image["components"]) for image in first[2]["images"]]
    assert shown == ([STEPS, STEPS] if mode == "components" else [0, 0])


def test_one_layer_and_one_time(store, clip):
    """What the node asks for, as indices for the browser; several of them have none."""
    settings = {"prompt": PROMPT, "layer": "middle", "time": "2", "words": "cat", "threshold": 0.7}
    _, masks, payload = view(store, clip, **settings)
    maps = store.read()
    middle = next(n for n, x in enumerate(maps.layers) if x.layer.block == "middle")
    assert (payload["layer"], payload["time"], payload["threshold"]) == (middle, 1, 0.7)
    small = word_map(maps.layers[middle], 0, payload["words"][1]["positions"], [1])[None, None]
    finest = max((x.grid for x in maps.layers), key=lambda g: g[0] * g[1])
    large = interpolate(interpolate(small, finest, mode="bicubic").clamp(min=0), SIZE, mode="bicubic")[0, 0]
    wanted = large / large.max() >= 0.7
    assert (masks[0].bool() != wanted).float().mean() < 1e-3
    _, _, payload = view(store, clip, prompt=PROMPT, layer="1-3", time="2-3")
    assert (payload["layer"], payload["time"]) == (None, None)


def test_words_beyond_the_first_chunk(clip):
    """A prompt of more than 77 tokens keeps its words."""
    store = record(clip, LONG)
    _, _, payload = view(store, clip, prompt=LONG, words="lighthouse")
    assert [w["text"] for w in payload["words"]] == ["tree", "lighthouse"]
    assert len(payload["words"][0]["positions"]) == 45 and payload["words"][1]["positions"][0] > 77
    assert payload["chosen"] == [1]


def test_another_prompt_than_the_sampled_one_is_told(store, clip, caplog):
    """Below the picture and in the log: of the same words in another order, not of the prompt itself."""
    assert view(store, clip, prompt=PROMPT)[2]["remark"] == "" and not caplog.records
    other = PROMPT.replace("red cat", "cat red")
    assert view(store, clip, prompt=other)[2]["remark"].startswith("prompt: it is not what the pictures were")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_sampled_prompt_is_known_by_its_text_as_well(store, clip):
    """Where a node of the pack has encoded it, the remark says what it is, and vectors do not count."""
    maps = store.read()
    marked = replace(maps, prompts={"positive": Prompt("a red dog", "of changed vectors")})
    remark = view(MapStore(marked), clip, prompt=PROMPT)[2]["remark"]
    assert "which is 'a red dog'" in remark
    marked = replace(maps, prompts={"positive": Prompt(PROMPT, "of changed vectors")})
    assert view(MapStore(marked), clip, prompt=PROMPT)[2]["remark"] == ""


def test_without_a_prompt_words_are_numbered(store):
    """The first tokens, and any other by its number."""
    images, _, payload = view(store)
    assert [w["text"] for w in payload["words"]] == [f"token {n}" for n in range(1, 17)]
    assert len(images) == IMAGES * 16
    assert view(store, words="token 40")[2]["words"][-1] == {"text": "token 40", "positions": [40]}


def test_words_that_came_with_the_maps(store, clip):
    """Maps from a file know their prompt: neither it nor the text encoder need be given."""
    known = MapStore(store.read(), tokens=prompt_tokens(clip, PROMPT))
    for prompt in ("", PROMPT):
        assert [w["text"] for w in view(known, prompt=prompt)[2]["words"]] == CONTENT
    with pytest.raises(ValueError, match="clip: not connected"):
        view(known, prompt="another prompt")


@pytest.mark.parametrize(
    ("missing", "works", "fails", "complaint"),
    [
        ("cross_attention", ["self", "components", "correspondence"], ["words"], "cross-attention"),
        ("self_attention", ["words", "correspondence"], ["self", "components"], "self-attention"),
        ("queries", ["words", "self", "components"], ["correspondence"], "queries_and_keys"),
    ],
)
def test_what_was_not_recorded_is_missed_only_where_it_is_needed(
    store, clip, missing, works, fails, complaint
):
    """Modes that need it say how to get it; the others work, and the browser gets an empty list."""
    maps = store.read()
    part = MapStore(replace(maps, layers=tuple(replace(x, **{missing: {}}) for x in maps.layers)))
    name = {"cross_attention": "cross", "self_attention": "self", "queries": "correspondence"}[missing]
    for mode in works:
        payload = view(part, clip, prompt=PROMPT, mode=mode)[2]
        assert payload["images"][0][name] == []
    for mode in fails:
        with pytest.raises(ValueError, match=complaint):
            view(part, clip, prompt=PROMPT, mode=mode)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"image": PICTURES[:1]}, "image: 1 pictures, but the maps are of 2"),
        ({"prompt": PROMPT}, "clip: not connected"),
        ({"layer": "output 40"}, "'output 40'.*has layers 1-4"),
        ({"time": "9"}, r"'9'.*1 \(t "),
        ({"mode": "correspondence", "point_image": 2}, "point_image is 2"),
        ({"rows": "unconditional"}, "negative prompt"),
    ],
)
def test_what_does_not_fit_is_explained(store, settings, complaint):
    """Which input, what it said, and what there is."""
    with pytest.raises(ValueError, match=complaint):
        view(store, **settings)


def test_a_prompt_that_names_nothing(store, clip):
    """There is no word to draw unless one is asked for; the other modes go on without words."""
    with pytest.raises(ValueError, match="prompt: there is no word in it to show"):
        view(store, clip, prompt="a, the of")
    assert len(view(store, clip, prompt="a, the of", words="the")[0]) == IMAGES
    payload = view(store, clip, prompt="a, the of", mode="self")[2]
    assert payload["words"] == payload["images"][0]["cross"] == []


def test_a_bypassed_recorder_is_told():
    """The graph stays whole: a sentence in the node, and nothing that another node would run on."""
    out = AttentionMapViewer.execute(image=PICTURES, **DEFAULTS)
    ((shown,),) = out.ui.values()
    assert "bypassed" in shown["message"] and shown["images"] == []
    assert [(type(x), x.message) for x in out.args] == [(ExecutionBlocker, None)] * 2


def test_nothing_recorded_yet():
    """A viewer whose picture comes from elsewhere."""
    with pytest.raises(ValueError, match="nothing has been recorded yet"):
        view(MapStore())


def test_the_negative_prompt_can_be_looked_at(clip):
    """If the recorder kept its rows; the words of a file are the positive prompt's."""
    store = record(clip, roles=("negative",))
    store.tokens = prompt_tokens(clip, PROMPT)
    images, _, payload = view(store, rows="unconditional", words="token 3")
    assert len(images) == IMAGES and payload["images"][0]["self"]
