"""AttentionMapViewer on recorded runs: its pictures and masks, and what the browser gets."""

import json
from dataclasses import replace
from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch
from attention_control.attention_patches.maps import MapStore
from attention_control.attention_patches.recorder import Recorder
from attention_control.nodes.attention_map_viewer import AttentionMapViewer
from attention_control.nodes.host.install import install
from attention_control.nodes.host.tokens import prompt_tokens
from attention_control.nodes.host.unet import layer_map
from PIL import Image
from torch.nn.functional import interpolate

from .tiny import conditioning, sample, tiny_clip, tiny_model

PROMPT = "a red cat, wearing sunglasses, on the (beach:1.2) and a second cat"
CONTENT = ["red", "cat", "wearing", "sunglasses", "beach", "second"]
LONG = "tree, " * 45 + "a lighthouse"  # two chunks of 77 tokens
IMAGES, STEPS = 2, 3
LATENT = (9, 13)
SIZE = (100, 131)  # as some autoencoders make: no multiple of the grid
DEFAULTS = {
    "mode": "words",
    "words": "",
    "layer": "all",
    "time": "all",
    "threshold": 0.5,
    "colormap": "magma",
    "prompt": "",
    "x": 0.5,
    "y": 0.5,
    "point_image": 0,
    "features": "self-attention",
    "rows": "conditional",
}


@pytest.fixture(scope="module")
def clip():
    return tiny_clip("sd15")


def record(clip, prompt=PROMPT, equal=False, kinds=("cross", "self"), **settings):
    """The store of one run, a slice per step; `equal`: a batch of the same picture twice."""
    model = tiny_model("sd15")
    layers = layer_map(model).parse("all")
    store = MapStore()
    chosen = {f"{kind}_layers": layers for kind in kinds}
    recorder = Recorder(store=store, time_bins=STEPS, **{**chosen, "queries_and_keys": True, **settings})
    with torch.inference_mode():
        text, pooled = clip.encode_from_tokens(clip.tokenize(prompt), return_pooled=True)
    positive = [[text, {"pooled_output": pooled}]]
    negative = conditioning(model, seed=2, tokens=text.shape[1])
    where = {"latent": torch.zeros(IMAGES, 4, *LATENT), "images": [0, 0] if equal else [0, 1]}
    sample(install(model, recorder), positive, negative, steps=STEPS, **where)
    return store


@pytest.fixture(scope="module")
def store(clip):
    return record(clip)


@pytest.fixture(autouse=True)
def temp(tmp_path):
    """The host's temporary folder."""
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield tmp_path
    folder_paths.set_temp_directory(before)


PICTURES = torch.rand(IMAGES, *SIZE, 3, generator=torch.Generator().manual_seed(0))


def view(store, clip=None, image=PICTURES, **settings):
    """IMAGE, MASK and payload, as the server calls the node."""
    with torch.inference_mode():
        out = AttentionMapViewer.execute(maps=store, image=image, clip=clip, **{**DEFAULTS, **settings})
    (payload,) = out.ui["attention_maps"]
    return *out.args, json.loads(json.dumps(payload))


def pixels(file):
    """A file of the payload as the browser gets it."""
    assert file["type"] == "temp"
    with Image.open(Path(folder_paths.get_temp_directory(), file["subfolder"], file["filename"])) as image:
        return torch.from_numpy(np.array(image))


def word_map(layer, image, positions, slices):
    """(h, w): mean over the pieces of a word and over slices, from the recorded tensor."""
    kept = layer.cross_attention["positive"][slices, image, 0].float()  # (slices, N, tokens)
    return kept[..., list(positions)].mean((0, 2)).reshape(layer.grid)


def naive_heat(maps, image, positions):
    """(height, width): DAAM's mean of enlarged maps, enlarged to the picture, over its maximum."""
    finest = max((x.grid for x in maps.layers), key=lambda g: g[0] * g[1])
    enlarged = [
        interpolate(word_map(x, image, positions, [0, 1, 2])[None, None], finest, mode="bicubic").clamp(min=0)
        for x in maps.layers
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
    assert [x.id for x in schema.inputs if x.optional] == ["clip", "prompt"]
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
    with pytest.raises(ValueError, match=r"'dog' is not in the prompt.*sunglasses"):
        view(store, clip, prompt=PROMPT, words="dog")


def test_cross_atlases_decode_to_the_recorded_probabilities(store, clip):
    """A column per word, a row per slice and one for their mean; every layer by itself."""
    maps, payload = store.read(), view(store, clip, prompt=PROMPT)[2]
    for image, entries in enumerate(x["cross"] for x in payload["images"]):
        assert [entry["layer"] for entry in entries] == [None, *range(len(maps.layers))]
        for entry in entries[1:]:
            layer, (w, h) = maps.layers[entry["layer"]], entry["tile"]
            tiles = pixels(entry["file"]).unflatten(0, (-1, h)).unflatten(2, (-1, w)).transpose(1, 2)
            assert tiles.shape[:2] == (STEPS + 1, len(CONTENT)) and (h, w) == layer.grid
            for row, slices in enumerate([[0], [1], [2], [0, 1, 2]]):
                for column, word in enumerate(payload["words"]):
                    scale = entry["scale"][row][column]
                    wanted = word_map(layer, image, word["positions"], slices)
                    assert (tiles[row, column] / 255 * scale - wanted).abs().max() <= scale / 255


def test_self_atlases_decode_to_the_recorded_rows(store):
    """Row n is where token n looks over its maximum; for each layer, each slice and the mean over time."""
    maps, payload = store.read(), view(store, mode="self")[2]
    for image, entries in enumerate(x["self"] for x in payload["images"]):
        found = {(entry["layer"], entry["slice"]): entry for entry in entries}
        assert set(found) == {(n, s) for n in (None, *range(len(maps.layers))) for s in (None, 0, 1, 2)}
        for (n, s), entry in found.items():
            finest = max((x.grid for x in maps.layers), key=lambda g: g[0] * g[1])
            layers = [maps.layers[n]] if n is not None else [x for x in maps.layers if x.grid == finest]
            slices = [s] if s is not None else [0, 1, 2]
            kept = torch.stack(
                [x.self_attention["positive"][slices, image, 0].float().mean(0) for x in layers]
            )
            rows = kept.mean(0)
            assert tuple(entry["grid"]) == layers[0].grid
            assert (pixels(entry["file"]) / 255 - rows / rows.amax(-1, keepdim=True)).abs().max() <= 1 / 255


def test_a_twin_is_seen_as_the_picture_sees_itself(clip):
    """With two equal pictures the correspondence is the self-attention: queries, keys and scale are right."""
    twins = record(clip, equal=True)
    _, _, payload = view(twins, mode="correspondence")
    first, second = payload["images"]
    own = {(x["layer"], x["slice"]): pixels(x["file"]) for x in first["self"]}
    assert {x["other"] for x in first["correspondence"]} == {1}
    assert {x["other"] for x in second["correspondence"]} == {0}
    for entry in first["correspondence"]:
        seen = pixels(entry["file"]).int()
        assert (seen - own[entry["layer"], entry["slice"]].int()).abs().max() <= 2
        assert entry["grid"] == entry["other_grid"]
    assert len(first["correspondence"]) == 4 * len(twins.read().layers)


def test_correspondence_goes_from_a_picture_to_the_other(store):
    """Queries of the picture that holds the entry, keys of the other one, against the naive softmax."""
    maps, payload = store.read(), view(store, mode="correspondence")[2]
    for image, entries in enumerate(x["correspondence"] for x in payload["images"]):
        for entry in (x for x in entries if x["slice"] is not None):
            layer = maps.layers[entry["layer"]]
            q = layer.queries["positive"][entry["slice"], image].double()
            k = layer.keys["positive"][entry["slice"], entry["other"]].double()
            rows = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(0)
            wanted = (rows / rows.amax(-1, keepdim=True) * 255).round()
            assert (pixels(entry["file"]) - wanted).abs().max() <= 1


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
        ({"layer": "output 40"}, "'output 40'.*has layers 1-7"),
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


def test_nothing_recorded_yet():
    """A viewer whose picture comes from elsewhere."""
    with pytest.raises(ValueError, match="nothing has been recorded yet"):
        view(MapStore())


def test_the_negative_prompt_can_be_looked_at(clip):
    """If the recorder kept its rows."""
    store = record(clip, roles=("negative",))
    images, _, payload = view(store, rows="unconditional", words="token 3")
    assert len(images) == IMAGES and payload["images"][0]["self"]
