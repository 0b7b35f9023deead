"""Attention maps in files: exact to the bit, or an error that names the file and the mend."""

import json
import pickle
import resource
import struct
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps.map_files import PARTS, SavedMaps, load_maps, save_maps
from attention_control.attention_patches.text.words import PromptTokens, Word
from safetensors import safe_open
from safetensors.torch import save_file

from .recorded import recorded, without

WORDS = PromptTokens(
    "a (fox:1.2) \u2013 \u732b", (Word("a", (1,)), Word("fox", (2, 3)), Word("\u732b", (5,)))
)


def assert_same(maps, expected):
    """Everything equal, tensors bit for bit."""
    assert (maps.model, maps.images, maps.latent) == (expected.model, expected.images, expected.latent)
    assert maps.slices == expected.slices
    assert (maps.latents is None) == (expected.latents is None)
    if expected.latents is not None:
        assert torch.equal(maps.latents, expected.latents)
    assert [layer.layer for layer in maps.layers] == [layer.layer for layer in expected.layers]
    for layer, other in zip(maps.layers, expected.layers, strict=True):
        assert layer.grid == other.grid
        for part in PARTS:
            kept, wanted = getattr(layer, part), getattr(other, part)
            assert kept.keys() == wanted.keys()
            for role, tensor in kept.items():
                assert tensor.dtype == wanted[role].dtype
                assert torch.equal(tensor.view(torch.int16), wanted[role].view(torch.int16))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "maps.attention.safetensors"


@pytest.fixture
def saved(path):
    """A file as it should be."""
    save_maps(path, SavedMaps(recorded(), WORDS))
    return path


@pytest.mark.parametrize("left_out", [(), ("cross_attention",), ("self_attention", "queries", "keys")])
@pytest.mark.parametrize("tokens", [None, WORDS])
def test_round_trip(path, tokens, left_out):
    """What is read is what was written, bit for bit, with the words or without."""
    maps = recorded()
    for part in left_out:
        maps = without(maps, part)
    save_maps(path, SavedMaps(maps, tokens))
    read = load_maps(path)
    assert_same(read.maps, maps)
    assert read.tokens == tokens


def test_odd_numbers_and_layouts_survive(path):
    """Negative zero, denormals, the largest numbers and tensors that are views come back as they were."""
    maps = recorded(slices=2)
    odd = maps.layers[0].cross_attention["positive"]
    odd.view(-1)[:5] = torch.tensor([65504, -65504, -0.0, 6e-8, -6e-8]).half()
    other = maps.layers[1].self_attention
    other["negative"] = other["positive"].transpose(-1, -2)
    assert not other["negative"].is_contiguous()
    save_maps(path, SavedMaps(maps))
    assert_same(load_maps(path).maps, maps)


def test_maps_that_are_no_numbers_are_not_saved(path):
    """What could not be loaded again is refused, and nothing is written."""
    maps = recorded()
    maps.layers[1].queries["positive"][0, 1, 0, 3] = float("nan")
    with pytest.raises(ValueError, match=r"can't be saved: 2/queries/positive holds .*NaN"):
        save_maps(path, SavedMaps(maps))
    assert not list(path.parent.iterdir())


def test_latents_of_the_run_are_kept(path):
    """The latents by which maps find their picture come back as they were."""
    maps = replace(recorded(), latents=torch.randn(2, 4, 8, 12))
    save_maps(path, SavedMaps(maps))
    assert_same(load_maps(path).maps, maps)


def test_layer_that_was_not_recorded_stays_in_the_model(path):
    """Maps of a few layers keep the map of all layers, so "layer 2 of 3" stays right."""
    maps = recorded()
    few = type(maps)(maps.model, maps.images, maps.latent, maps.slices, maps.layers[1:2])
    save_maps(path, SavedMaps(few))
    assert_same(load_maps(path).maps, few)


def test_others_can_read_the_file(saved):
    """It is plain safetensors: format, version and a description in JSON, one tensor for each map."""
    with safe_open(saved, "pt") as file:
        header = file.metadata()
        assert (header["format"], header["version"]) == ("attention maps", "1")
        described = json.loads(header["maps"])
        assert described["grids"] == {"1": [4, 6], "2": [2, 3], "3": [4, 6]}
        assert described["prompt"]["words"][1] == ["fox", [2, 3]]
        assert "2/self_attention/positive" in file.keys()  # noqa: SIM118
        assert file.get_tensor("2/self_attention/positive").dtype == torch.float16


def test_maps_do_not_change_with_the_file(saved):
    """Maps that were read stay as they are when the file is written over."""
    read, expected = load_maps(saved).maps, recorded()
    with saved.open("r+b") as file:
        file.seek(-1000, 2)
        file.write(bytes(1000))
    assert_same(read, expected)


def test_a_later_file_replaces_the_former(saved):
    """Writing over a file leaves the new maps and nothing else in the folder."""
    later = recorded(seed=1)
    save_maps(saved, SavedMaps(later))
    assert_same(load_maps(saved).maps, later)
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("size", [0, 7, 100, 0.5, -1])
def test_truncated_file(saved, size):
    """A file that was cut anywhere is an error with its name and what to do."""
    data = saved.read_bytes()
    cut = int(size * len(data)) if isinstance(size, float) else size
    saved.write_bytes(data[:cut])
    with pytest.raises(ValueError, match=rf"{saved.name} can't be read.*damaged.*save the maps anew"):
        load_maps(saved)


def test_file_with_something_behind_it(saved):
    """Bytes behind the end are damage as well."""
    saved.write_bytes(saved.read_bytes() + b"more")
    with pytest.raises(ValueError, match=rf"{saved.name} can't be read.*damaged"):
        load_maps(saved)


def test_pickle_is_not_opened(path, tmp_path):
    """A pickle is refused like any foreign file, and what it asks for is not done."""
    trace = tmp_path / "trace"

    class Trap:
        def __reduce__(self):
            return (open, (str(trace), "w"))

    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"can't be read as attention maps .*of another kind"):
        load_maps(path)
    assert not trace.exists()


def test_other_safetensors(path):
    """A checkpoint or the like is told from a damaged file."""
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, path, metadata)
        with pytest.raises(ValueError, match=rf"{path.name} holds no attention maps: .*Save Attention Maps"):
            load_maps(path)


def test_missing_file(path):
    """A file that is not there is an error of its own."""
    with pytest.raises(ValueError, match=rf"there is no file .*{path.name}.*refresh"):
        load_maps(path)


def changed(path, tensors=None, **header):
    """Write the file again with another header or other tensors."""
    with safe_open(path, "pt") as file:
        kept = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        before = file.metadata()
    save_file({**kept, **(tensors or {})}, path, {**before, **header})


def test_newer_version(saved):
    """A file of a later version says which one is needed; its description is not touched."""
    changed(saved, version="2", maps="in another language")
    with pytest.raises(ValueError, match=rf"{saved.name} is of version 2, .* up to version 1.*Update"):
        load_maps(saved)


@pytest.mark.parametrize(
    "description",
    [
        "{",
        "[]",
        "{}",
        lambda d: {**d, "slices": d["slices"][:1]},
        lambda d: {**d, "images": 3},
        lambda d: {**d, "grids": {**d["grids"], "1": [4, 7]}},
        lambda d: {**d, "grids": {"1": [4, 6]}},
        lambda d: {**d, "grids": {**d["grids"], "9": [1, 1]}},
        lambda d: {**d, "prompt": {"text": "a"}},
    ],
)
def test_description_that_does_not_fit(saved, description):
    """A header that does not describe the tensors is damage, never maps that are read wrongly."""
    with safe_open(saved, "pt") as file:
        before = json.loads(file.metadata()["maps"])
    text = description if isinstance(description, str) else json.dumps(description(before))
    changed(saved, maps=text)
    with pytest.raises(ValueError, match=rf"{saved.name} is damaged: .*save the maps anew"):
        load_maps(saved)


def test_unknown_tensor(saved):
    """A tensor that belongs to nothing is damage."""
    changed(saved, tensors={"1/values/positive": torch.zeros(3, 2, 1, 24, 4)})
    with pytest.raises(ValueError, match=rf"{saved.name} is damaged"):
        load_maps(saved)


def test_header_of_a_huge_length(path):
    """A length in the first bytes that no file has is refused without reserving it."""
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(ValueError, match=r"can't be read as attention maps"):
        load_maps(path)


@contextmanager
def small_files():
    """While open, no file may grow beyond 4 kB, as on a full disk; not even the log of the tests."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("existing", [False, True])
def test_full_disk_leaves_no_half_file(path, existing):
    """If the disk is full there is an error, no new file, no rest of one, and an older file is untouched."""
    if existing:
        path.write_bytes(b"old")
    message = rf"could not be written to .*{path.name}.*disk has"
    with pytest.raises(OSError, match=message), small_files():
        save_maps(path, SavedMaps(recorded()))
    assert [file.read_bytes() for file in path.parent.iterdir()] == [b"old"] * existing


def test_folder_that_can_not_be_made(tmp_path):
    """Where the folder's name is taken by a file the error names both."""
    (tmp_path / "maps").write_text("a file")
    with pytest.raises(OSError, match=r"could not be written to .*maps/a.*folder may be written to"):
        save_maps(tmp_path / "maps" / "a.safetensors", SavedMaps(recorded()))


def test_name_that_is_taken_by_a_folder(path):
    """Where the finished file cannot get its name the temporary one goes as well."""
    path.mkdir()
    with pytest.raises(OSError, match=rf"could not be written to .*{path.name}"):
        save_maps(path, SavedMaps(recorded()))
    assert list(path.parent.iterdir()) == [path]
