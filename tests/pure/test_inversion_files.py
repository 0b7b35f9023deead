"""Inversions in files: exact to the bit, or an error that names the file and the mend."""

import json
from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.inversion.inversion_files import load_inversion, save_inversion
from attention_control.attention_patches.maps.map_files import load_maps
from safetensors import safe_open
from safetensors.torch import save_file

MODEL = ModelIdentity("SD15 EPS \u2013 0", (0.1, -2.5e-7, 3.0), "12 patched weights")


def inversion(method="edit friendly ddpm", seed=0):
    draw = torch.Generator().manual_seed(seed)
    states, noise = torch.randn(4, 2, 4, 3, 5, generator=draw), torch.randn(3, 2, 4, 3, 5, generator=draw)
    sigmas = torch.tensor([3.0, 2.0, 0.1, 0.0])
    return Inversion(method, sigmas, states, None if method == "ddim" else noise, MODEL, 3.5, "a1b2")


def assert_same(one, other):
    """Everything equal, tensors bit for bit."""
    assert (one.method, one.model, one.cfg, one.prompt) == (
        other.method,
        other.model,
        other.cfg,
        other.prompt,
    )
    assert torch.equal(one.sigmas, other.sigmas)
    assert torch.equal(one.states, other.states)
    assert (one.noise is None) == (other.noise is None)
    assert one.noise is None or torch.equal(one.noise, other.noise)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.inversion.safetensors"


@pytest.fixture
def saved(path):
    """A file as it should be."""
    save_inversion(path, inversion())
    return path


@pytest.mark.parametrize("method", ["ddim", "edit friendly ddpm"])
def test_round_trip(path, method):
    """What is read is what was written, whatever the method and the tensors' layout."""
    given = inversion(method)
    given = replace(given, states=given.states.transpose(-1, -2).contiguous().transpose(-1, -2))
    save_inversion(path, given)
    assert_same(load_inversion(path), given)
    assert list(path.parent.iterdir()) == [path]


def test_a_later_file_replaces_the_former(saved):
    """Writing over a file leaves the new inversion, and what was read before stays as it is."""
    before = load_inversion(saved)
    save_inversion(saved, inversion(seed=1))
    assert_same(load_inversion(saved), inversion(seed=1))
    assert_same(before, inversion())


def test_others_can_read_the_file(saved):
    """It is plain safetensors: format, version and a description in JSON."""
    with safe_open(saved, "pt") as file:
        header = file.metadata()
        assert (header["format"], header["version"]) == ("inversion", "1")
        assert json.loads(header["inversion"])["cfg"] == 3.5
        assert sorted(file.keys()) == ["noise", "sigmas", "states"]


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_file(saved, size):
    """A file that was cut anywhere is an error with its name and what to do."""
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(
        ValueError, match=rf"{saved.name} can't be read.*damaged.*invert the picture and save"
    ):
        load_inversion(saved)


def test_other_files(saved, path):
    """Maps are no inversion and an inversion no maps; a checkpoint is neither; a missing file is missing."""
    with pytest.raises(ValueError, match=r"holds no attention maps: .*Save Attention Maps"):
        load_maps(saved)
    save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=rf"{path.name} holds no inversion: .*Save Inversion"):
        load_inversion(path)
    path.unlink()
    with pytest.raises(ValueError, match=rf"there is no file .*{path.name}.*refresh"):
        load_inversion(path)


def changed(path, change=None, tensors=None, **header):
    """Write the file again with another header, description or other tensors."""
    with safe_open(path, "pt") as file:
        kept = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        before = file.metadata()
    if change:
        before["inversion"] = json.dumps(change(json.loads(before["inversion"])))
    kept = {name: tensor for name, tensor in {**kept, **(tensors or {})}.items() if tensor is not None}
    save_file(kept, path, {**before, **header})


def test_newer_version(saved):
    """A file of a later version says which one is needed."""
    changed(saved, version="2", inversion="in another language")
    with pytest.raises(ValueError, match=rf"{saved.name} is of version 2, .* up to version 1.*Update"):
        load_inversion(saved)


@pytest.mark.parametrize(
    "damage",
    [
        {"inversion": "{"},
        {"change": lambda d: []},
        {"change": lambda d: {**d, "method": "magic"}},
        {"change": lambda d: {**d, "method": "ddim"}},
        {"change": lambda d: {**d, "cfg": "much"}},
        {"change": lambda d: {**d, "model": None}},
        {"change": lambda d: {**d, "model": {**d["model"], "weights": 3}}},
        {"change": lambda d: {key: d[key] for key in d if key != "prompt"}},
        {"tensors": {"noise": None}},
        {"tensors": {"states": None}},
        {"tensors": {"states": torch.zeros(4, 1, 4, 3, 5)}},
        {"tensors": {"sigmas": torch.tensor([3.0, 3.0, 0.1, 0.0])}},
        {"tensors": {"more": torch.zeros(1)}},
    ],
)
def test_parts_that_do_not_fit(saved, damage):
    """A description that is not that of the tensors is damage, never an inversion that is read wrongly."""
    changed(saved, **damage)
    with pytest.raises(ValueError, match=rf"{saved.name} is damaged: .*invert the picture and save it anew"):
        load_inversion(saved)
