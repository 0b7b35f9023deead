"""Files of maps and inversions whose parts were changed: refused at load, with the field named."""

import copy
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.inversion.inversion_files import load_inversion, save_inversion
from attention_control.attention_patches.maps.averages import cross_map, self_map
from attention_control.attention_patches.maps.map_files import SavedMaps, load_maps, save_maps
from attention_control.attention_patches.maps.word_maps import word_columns
from attention_control.attention_patches.text.words import PromptTokens, Word
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from .recorded import recorded

WORDS = PromptTokens("a fox", (Word("a", (1,)), Word("fox", (2, 3))))
HUGE, DEEP = "a number of 1e400", "5000 nested lists"  # stand for what json.dumps does not write
ODD = [None, True, -1, 0, 7, 0.5, 10**30, float("nan"), HUGE, DEEP, "x", "", [], [1], [[]], {}, {"1": [1, 1]}]
QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture
def maps_file(tmp_path):
    path = tmp_path / "a.attention.safetensors"
    save_maps(path, SavedMaps(replace(recorded(), latents=torch.randn(2, 4, 8, 12)), WORDS))
    return path


@pytest.fixture
def inversion_file(tmp_path):
    path = tmp_path / "a.inversion.safetensors"
    draw = torch.Generator().manual_seed(0)
    states, noise = torch.randn(4, 2, 4, 3, 5, generator=draw), torch.randn(3, 2, 4, 3, 5, generator=draw)
    sigmas = torch.tensor([3.0, 2.0, 0.1, 0.0])
    model = ModelIdentity("SD15 EPS 0", (0.1, -2.5e-7, 3.0))
    save_inversion(path, Inversion("edit friendly ddpm", sigmas, states, noise, model, 3.5, "a1b2"))
    return path


def contents(path):
    """Header, key of the description, description and tensors."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        header = file.metadata()
    key = next(iter(header.keys() - {"format", "version"}))
    return header, key, json.loads(header[key]), tensors


def written(path, header, key, description, tensors):
    """The same file with another description or other tensors."""
    text = json.dumps(description)
    text = text.replace(json.dumps(HUGE), "1e400").replace(json.dumps(DEEP), "[" * 5000 + "]" * 5000)
    save_file(tensors, path, {**header, key: text})
    return path


def changed(path, place, value):
    """The file with another value at a place of its description, `grids.1.0`."""
    header, key, description, tensors = contents(path)
    *above, last = [int(step) if step.isdecimal() else step for step in place.split(".")]
    inside = description
    for step in above:
        inside = inside[step if isinstance(inside, list) else str(step)]
    inside[last if isinstance(inside, list) else str(last)] = value
    return written(path, header, key, description, tensors)


def with_tensors(path, **tensors):
    """The file with other tensors; of a name `1_cross_attention_positive` each first `_` is a slash."""
    header, key, description, kept = contents(path)
    return written(path, header, key, description, {**kept, **tensors})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("grids.1", [-4, -6]),
        ("grids.1", [24]),
        ("grids", [[4, 6]]),
        ("grids.0", [4, 6]),
        ("grids.4", [4, 6]),
        ("grids.x", [4, 6]),
        ("heads.1", 0),
        ("heads.1", 2.0),
        ("heads.4", 2),
        ("heads", {"1": 2, "3": 2}),
        ("images", HUGE),
        ("images", float("nan")),
        ("images", True),
        ("images", 2.0),
        ("latent", [8, 0]),
        ("latent", {"8": 12}),
        ("slices.0.2", float("nan")),
        ("slices.0.2", HUGE),
        ("slices.1", [0.9, 0.5, 0.5]),
        ("slices", []),
        ("layers.0", ["output", -1, 0]),
        ("layers.0", "abc"),
        ("layers", {}),
        ("prompt.words.0.1.0", -1),
        ("prompt.words.0.1.0", 1.0),
        ("prompt.words.1.1", []),
        ("prompt.words.1.0", ["fox"]),
        ("prompt", []),
    ],
)
def test_description_of_maps_is_checked(maps_file, place, value):
    """What cannot be true of maps is refused, and the place in the description named."""
    named = re.escape(place if place.startswith("prompt.") else place.partition(".")[0])
    with pytest.raises(ValueError, match=rf"{maps_file.name} is damaged: .*\b{named}\b.*save the maps anew"):
        load_maps(changed(maps_file, place, value))


def test_endless_nesting(maps_file, inversion_file):
    """Brackets without end are no description, at whatever place they stand."""
    with pytest.raises(ValueError, match=r"is damaged: its description can't be read .*save the maps anew"):
        load_maps(changed(maps_file, "grids", DEEP))
    with pytest.raises(ValueError, match=r"is damaged: its description can't be read .*save it anew"):
        load_inversion(changed(inversion_file, "prompt", DEEP))


def test_word_behind_the_recorded_text(maps_file):
    """A token that has no column of cross-attention belongs to another prompt."""
    with pytest.raises(ValueError, match=r"is damaged: prompt: 'fox' is token 9, .* only 9 tokens"):
        load_maps(changed(maps_file, "prompt.words.1.1", [2, 9]))


NUMBERS = torch.rand(3, 2, 1, 24, 9).half()


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("1/cross_attention/positive", NUMBERS[..., :0]),
        ("3/cross_attention/positive", NUMBERS[..., :8]),
        ("1/cross_attention/positive", NUMBERS[:, :, :0]),
        ("1/cross_attention/positive", NUMBERS.expand(-1, -1, 3, -1, -1)),  # of 2 heads
        ("1/cross_attention/positive", NUMBERS.int()),
        ("1/cross_attention/positive", torch.where(NUMBERS < 0.1, float("nan"), NUMBERS)),
        ("1/cross_attention/positive", torch.where(NUMBERS < 0.1, float("inf"), NUMBERS)),
        ("1/self_attention/positive", torch.rand(3, 2, 1, 24, 23)),
        ("1/self_attention/positive", torch.rand(3, 2, 0, 24, 24)),
        ("1/queries/positive", torch.rand(3, 2, 2, 24, 5)),
        ("1/queries/negative", torch.rand(3, 2, 2, 24, 4)),
        ("1/values/positive", torch.rand(3, 2, 2, 24, 4)),
        ("1/keys", torch.rand(3, 2, 2, 24, 4)),
        ("latents", torch.rand(2, 4, 8, 11)),
        ("latents", torch.full((2, 4, 8, 12), float("nan"))),
        ("more", torch.rand(3)),
    ],
)
def test_tensors_of_maps_are_checked(maps_file, name, tensor):
    """Too few columns, no heads, no numbers: the tensor is named."""
    with pytest.raises(ValueError, match=rf"{maps_file.name} is damaged: .*{name}.*save the maps anew"):
        load_maps(with_tensors(maps_file, **{name: tensor.contiguous()}))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("cfg", float("nan")),
        ("cfg", HUGE),
        ("cfg", "3.5"),
        ("method", "magic"),
        ("method", ["ddim"]),
        ("prompt", 5),
        ("model", []),
        ("model.weights", {"0": 1.0}),
        ("model.weights.1", HUGE),
        ("model.weights.1", float("nan")),
        ("model.architecture", None),
    ],
)
def test_description_of_an_inversion_is_checked(inversion_file, place, value):
    """The same for inversions."""
    named = re.escape(".".join(place.split(".")[:2]))
    with pytest.raises(ValueError, match=rf"{inversion_file.name} is damaged: .*{named}\b.*save it anew"):
        load_inversion(changed(inversion_file, place, value))


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("states", torch.full((4, 2, 4, 3, 5), float("nan"))),
        ("states", torch.rand(4, 0, 4, 3, 5)),
        ("states", torch.ones(4, 2, 4, 3, 5, dtype=torch.int64)),
        ("noise", torch.full((3, 2, 4, 3, 5), float("inf"))),
        ("sigmas", torch.tensor([3.0, float("nan"), 0.1, 0.0])),
        ("sigmas", torch.tensor([[3.0, 2.0, 0.1, 0.0]])),
        ("more", torch.rand(1)),
    ],
)
def test_tensors_of_an_inversion_are_checked(inversion_file, name, tensor):
    """The same for inversions."""
    with pytest.raises(ValueError, match=rf"{inversion_file.name} is damaged: .*{name}.*save it anew"):
        load_inversion(with_tensors(inversion_file, **{name: tensor}))


@pytest.mark.parametrize("version", ["9" * 5000, "-1", "1.5", "", "one"])
def test_versions_that_are_none(maps_file, version):
    """A version is a number that people write."""
    header, key, description, tensors = contents(maps_file)
    with pytest.raises(ValueError, match=rf"{maps_file.name} (holds no attention maps|is of version)"):
        load_maps(written(maps_file, {**header, "version": version}, key, description, tensors))


@dataclass(repr=False)
class Whole:
    """A file that is as it should be, before it is written over."""

    path: Path

    def __post_init__(self):
        save_maps(self.path, SavedMaps(recorded(images=1, slices=2), WORDS))
        self.bytes = self.path.read_bytes()
        self.header, self.key, self.description, self.tensors = contents(self.path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Whole(tmp_path_factory.mktemp("whole") / "a.attention.safetensors")


def places(described, above=()):
    """All places of a description."""
    if above:
        yield above
    if isinstance(described, dict | list):
        names = described if isinstance(described, dict) else range(len(described))
        for name in names:
            yield from places(described[name], (*above, name))


@st.composite
def changes(draw, described):
    """A place of the description, and the description with an odd value there, or without the place."""
    place = draw(st.sampled_from(list(places(described))))
    changed = inside = copy.deepcopy(described)
    for step in place[:-1]:
        inside = inside[step]
    if draw(st.booleans()):
        del inside[place[-1]]
    else:
        inside[place[-1]] = draw(st.sampled_from(ODD))
    return place, changed


@QUICK
@given(data=st.data())
def test_maps_that_load_can_be_used(whole, data):
    """Whatever stands anywhere in a description: the file is refused in our words and the field is named, or
    all that viewers and segmentation read is there."""
    place, damaged = data.draw(changes(whole.description))
    written(whole.path, whole.header, whole.key, damaged, whole.tensors)
    try:
        saved = load_maps(whole.path)
    except ValueError as error:
        assert re.search(r"is damaged: .*save the maps anew", str(error)) and len(str(error)) < 600
        assert re.search(rf"{place[0]}|prompt|\d/\w+/positive|description can't be read", str(error))
        return
    maps, words = saved.maps, saved.tokens.words if saved.tokens else ()
    for layer in maps.layers:
        for image in range(maps.images):
            assert cross_map(maps, layer.grid, image=image, layers=[layer.layer.ordinal]).isfinite().all()
            assert self_map(maps, layer.grid, image=image).isfinite().all()
    assert all(0 <= part.start < part.end <= 1 and 0 <= part.time <= 1 for part in maps.slices)
    assert not words or word_columns(maps, words).layers


@QUICK
@given(data=st.data())
def test_bytes_that_changed_anywhere(whole, data):
    """A file that was cut, or in which one byte is another, loads or is refused in our words."""
    path, right = whole.path, whole.bytes
    header = 8 + int.from_bytes(right[:8], "little")
    at, byte = data.draw(st.integers(0, header + 100)), data.draw(st.binary(max_size=1))
    path.write_bytes(right[:at] + (byte + right[at + 1 :] if byte else b""))
    try:
        load_maps(path)
    except ValueError as error:
        assert re.search(rf"{path.name} (can't be read|is damaged|holds no|is of version)", str(error))
