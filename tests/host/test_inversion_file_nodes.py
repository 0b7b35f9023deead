"""SaveInversion and LoadInversion in the host's folders."""

from pathlib import Path

import folder_paths
import pytest
import torch
from attention_control.nodes.host.files.file_kinds import INVERSIONS, MAPS
from attention_control.nodes.inversion.load_inversion_node import LoadInversion
from attention_control.nodes.inversion.save_inversion_node import SaveInversion

from .inversions import tiny_inversion


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty input and output folders of the host."""
    for kind in ("input", "output"):
        (tmp_path / kind).mkdir()
        monkeypatch.setattr(folder_paths, f"{kind}_directory", str(tmp_path / kind))
    return tmp_path


def save(prefix=INVERSIONS.prefix, **how):
    (file,) = SaveInversion.execute(tiny_inversion(5, 7, **how), prefix).args
    return Path(file)


def test_what_is_saved_is_loaded(folders):
    """It comes back the same through the list that the node offers, with its schedule."""
    first = save(method="edit friendly ddpm", images=2)
    second = save(seed=1)
    names = [f"inversions/picture_{n:05}_.inversion.safetensors [output]" for n in (1, 2)]
    assert INVERSIONS.saved() == LoadInversion.define_schema().inputs[0].options == names
    assert [path.name for path in (first, second)] == [name.split()[0].split("/")[1] for name in names]
    assert MAPS.saved() == []
    inversion, sigmas = LoadInversion.execute(names[0]).args
    expected = tiny_inversion(5, 7, method="edit friendly ddpm", images=2)
    assert torch.equal(inversion.states, expected.states)
    assert torch.equal(inversion.noise, expected.noise)
    assert torch.equal(sigmas, expected.sigmas)
    assert sigmas.data_ptr() != inversion.sigmas.data_ptr()  # samplers may write into them


def test_prefix_stays_in_the_output_folder(folders):
    """A prefix that leads out is refused and writes nothing."""
    with pytest.raises(ValueError, match=r"^filename_prefix: .*inversions/picture"):
        save("../away")
    assert not list(folders.rglob("*.safetensors"))


def test_fingerprint_follows_the_file(folders):
    """The same file is not read again, a changed one is; damage is an error."""
    path = save()
    (name,) = INVERSIONS.saved()
    before = LoadInversion.fingerprint_inputs(name)
    assert LoadInversion.fingerprint_inputs(name) == before
    path.write_bytes(path.read_bytes()[:-1])
    assert LoadInversion.fingerprint_inputs(name) != before
    with pytest.raises(ValueError, match=r"damaged"):
        LoadInversion.execute(name)


@pytest.mark.parametrize("node", [SaveInversion, LoadInversion])
def test_every_socket_has_a_tooltip(folders, node):
    """Inputs and outputs explain themselves."""
    info = node.GET_NODE_INFO_V1()
    assert all(options["tooltip"] for _, options in info["input"]["required"].values())
    assert all(info["output_tooltips"])
