"""SaveAttentionMaps and LoadAttentionMaps in the host's folders."""

from pathlib import Path

import folder_paths
import pytest
import torch
from attention_control.attention_patches.maps.map_files import load_maps
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.text.words import PromptTokens, Word
from attention_control.nodes.host.files.file_kinds import MAPS
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.load_attention_maps_node import LoadAttentionMaps
from attention_control.nodes.inspect.save_attention_maps_node import SaveAttentionMaps
from comfy_api.latest import io

from .node_calls import call_node
from .test_words_of_language_models import tokenizing
from .tiny import conditioning, sample, tiny_clip, tiny_model


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty input and output folders of the host."""
    for kind in ("input", "output"):
        (tmp_path / kind).mkdir()
        monkeypatch.setattr(folder_paths, f"{kind}_directory", str(tmp_path / kind))
    return tmp_path


@pytest.fixture(scope="module")
def store():
    """What a recorder kept of a run, as a probe hands it on: nothing is to be waited for."""
    model = tiny_model("sd15")
    node = AttentionRecorder.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    patched, store = node.execute(model, "both", "all", queries_and_keys=True).args
    sample(patched, conditioning(model, seed=1), conditioning(model, seed=2), batch=2, height=8, width=12)
    return MapStore(store.read())


def save(store, prefix="attention/maps", **inputs):
    (file,) = SaveAttentionMaps.execute(store, prefix, **inputs).args
    return Path(file)


def load(name):
    maps, prompt = LoadAttentionMaps.execute(name).args
    return maps.read(), prompt


def test_what_is_saved_is_loaded(folders, store):
    """The maps of a real run come back the same to the bit, through the list that the node offers."""
    save(store)
    (name,) = MAPS.saved()
    assert name == "attention/maps_00001_.attention.safetensors [output]"
    maps, prompt = load(name)
    expected = store.read()
    assert prompt == ""
    assert (maps.model, maps.slices, maps.latent) == (expected.model, expected.slices, (8, 12))
    for layer, other in zip(maps.layers, expected.layers, strict=True):
        assert torch.equal(layer.cross_attention["positive"], other.cross_attention["positive"])
        assert torch.equal(layer.self_attention["positive"], other.self_attention["positive"])
        assert torch.equal(layer.queries["positive"], other.queries["positive"])
        assert torch.equal(layer.keys["positive"], other.keys["positive"])


def test_maps_of_the_picture_are_saved(folders):
    """Of two runs that the recorder still holds, the one that made the picture is saved."""
    model, latents = tiny_model("sd15"), {}
    node = AttentionRecorder.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    patched, store = node.execute(model, "cross", "all").args
    for seed in (1, 2):
        latents[seed] = sample(patched, conditioning(model, seed=1), conditioning(model, seed=2), seed=seed)
    picture = latents[1].movedim(1, -1)[..., :3]  # as linear in the latents as can be
    save(store, image=picture)
    assert torch.equal(load(MAPS.saved()[0])[0].latents, latents[1])


def test_maps_of_a_sampler_need_its_picture(folders):
    """Without it the node would not wait for the sampler, and save what the run before has left."""
    model = tiny_model("sd15")
    node = AttentionRecorder.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    patched, store = node.execute(model, "cross", "all").args
    sample(patched, conditioning(model, seed=1), conditioning(model, seed=2))
    with pytest.raises(ValueError, match=r"^image: connect the pictures that the recorded sampler makes"):
        save(store)
    assert not MAPS.saved()


def test_files_are_numbered(folders, store):
    """A second file gets the next number, and the first stays."""
    first = save(store)
    before = first.read_bytes()
    second = save(store)
    assert second.name == "maps_00002_.attention.safetensors"
    assert first.read_bytes() == before
    assert sorted(path.name for path in first.parent.iterdir()) == [first.name, second.name]


def test_list_has_the_files_of_both_folders_only(folders, store):
    """Input and output, with their folders; other files are not offered."""
    path = save(store, "mine")
    (folders / "input" / "deep").mkdir()
    path.rename(folders / "input" / "deep" / path.name)
    save(store, "mine")
    (folders / "output" / "model.safetensors").touch()
    names = ["mine_00001_.attention.safetensors [output]", "deep/mine_00001_.attention.safetensors [input]"]
    assert MAPS.saved() == names
    (choice,) = LoadAttentionMaps.define_schema().inputs
    assert choice.options == names
    assert load(names[1])[0].layers


def test_words_are_kept(folders, store):
    """With clip and prompt the file holds the words and their positions, and the prompt comes out again."""
    path = save(store, clip=tiny_clip("sd15"), prompt="a (fox:1.2) with axolotls")
    tokens = load_maps(path).tokens
    assert [word.text for word in tokens.words] == ["a", "fox", "with", "axolotls"]
    assert tokens.find("fox").positions == (2,)
    assert load(MAPS.saved()[0])[1] == "a (fox:1.2) with axolotls"


def test_words_that_maps_carry_are_saved_with_them(folders, store):
    """As maps of a file do, and maps of concepts."""
    save(store, clip=tiny_clip("sd15"), prompt="a fox with axolotls")
    maps, _ = LoadAttentionMaps.execute(MAPS.saved()[0]).args
    assert load_maps(save(maps, "again")).tokens == maps.tokens != None  # noqa: E711


@pytest.mark.parametrize("node", ["save", "view", "leakage"])
def test_concepts_have_no_prompt_beside_them(folders, store, node):
    """Its words would stand over the concepts' maps."""
    concepts = PromptTokens("fox, sky", (Word("fox", (0,)), Word("sky", (1,))), 2)
    looked_for = MapStore(store.read(), tokens=concepts, of_a_sampler=True)
    image, clip, prompt = torch.rand(2, 64, 96, 3), tiny_clip("sd15"), "red fox"
    with pytest.raises(ValueError, match=r"^(prompt|maps): these are of the .* concepts \(fox, sky\)"):
        if node == "save":
            save(looked_for, image=image, clip=clip, prompt=prompt)
        elif node == "leakage":
            given = {"boxes": "0 0 1 1: fox", "subjects": "", "width": 96, "height": 64}
            call_node(AttentionLeakage, looked_for, image, clip, prompt, layers="all", time="all", **given)
        else:
            call_node(AttentionMapViewer, image, maps=looked_for, clip=clip, prompt=prompt)
    assert not MAPS.saved()


def test_a_prompt_of_another_length_is_not_saved(folders, store):
    """Its words would not be where the maps have them."""
    with pytest.raises(ValueError, match=r"^prompt: it gives 256 tokens, and the text .* has 77"):
        save(store, clip=tokenizing("flux"), prompt="a fox")


def test_prompt_without_clip_is_an_error(folders, store):
    """Words cannot be found without the text encoder; nothing is written."""
    with pytest.raises(ValueError, match=r"^clip: not connected, .* leave `prompt` empty"):
        save(store, prompt="a fox")
    assert not MAPS.saved()


def test_nothing_recorded_is_an_error(folders):
    """A recorder that has not run yet leaves no file."""
    with pytest.raises(ValueError, match=r"^maps: nothing has been recorded yet"):
        save(MapStore())
    assert not list((folders / "output").rglob("*"))


@pytest.mark.parametrize("prefix", ["../away", "/tmp/away", "a/../../away"])
def test_prefix_stays_in_the_output_folder(folders, store, prefix):
    """A prefix that leads out of the output folder is refused and writes nothing."""
    with pytest.raises(ValueError, match=r"^filename_prefix: .* leads out of the output folder"):
        save(store, prefix)
    assert not list(folders.rglob("*.safetensors"))


@pytest.mark.parametrize("prefix", ["", " ", ".", "./", "a/.."])
def test_prefix_without_a_name(folders, store, prefix):
    """An empty prefix is the usual one."""
    assert save(store, prefix).relative_to(folders / "output").as_posix() == (
        "attention/maps_00001_.attention.safetensors"
    )


@pytest.mark.parametrize(
    "prefix", ["x" * 300, "\u00e9" * 200, "x" * 300 + "/maps", "deep/" * 1000, "x" * 235]
)
def test_prefix_too_long_for_a_name(folders, store, prefix):
    """What no file can be called is said, briefly, before anything is written."""
    with pytest.raises(
        ValueError, match=r"^filename_prefix: .* \(File name too long\).* attention/maps"
    ) as error:
        save(store, prefix)
    assert len(str(error.value)) < 250
    assert not [path for path in folders.rglob("*") if path.is_file()]


@pytest.mark.parametrize("prefix", ["..", "a\0b"])
def test_prefix_that_is_no_name(folders, store, prefix):
    """Neither the folder above nor a name that ends in its middle."""
    with pytest.raises(ValueError, match=r"^filename_prefix: .*attention/maps"):
        save(store, prefix)
    assert not list(folders.rglob("*.*"))


def test_long_names_are_written(folders, store):
    """Up to what the file system takes: nothing else that is written beside the file is longer."""
    ending = "_00001_.attention.safetensors"
    path = save(store, "x" * (255 - len(ending)))
    assert [file.name for file in path.parent.iterdir()] == ["x" * (255 - len(ending)) + ending]


def test_date_in_the_prefix(folders, store):
    """The date is filled in as in the host's own nodes."""
    path = save(store, "%year%/maps")
    assert path.parent.name.isdecimal()
    assert path.exists()


def test_fingerprint_follows_the_file(folders, store):
    """The same file is not read again, a changed one is."""
    path = save(store)
    (name,) = MAPS.saved()
    before = LoadAttentionMaps.fingerprint_inputs(name)
    assert LoadAttentionMaps.fingerprint_inputs(name) == before
    path.write_bytes(path.read_bytes()[:-1])
    assert LoadAttentionMaps.fingerprint_inputs(name) != before
    with pytest.raises(ValueError, match=r"damaged"):
        load(name)


@pytest.mark.parametrize("node", [SaveAttentionMaps, LoadAttentionMaps])
def test_every_socket_has_a_tooltip(folders, node):
    """Inputs and outputs explain themselves."""
    info = node.GET_NODE_INFO_V1()
    inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    assert all(options["tooltip"] for _, options in inputs.values())
    assert all(info["output_tooltips"])


def test_words_from_a_file_need_no_text_encoder(folders, store):
    """A viewer of loaded maps names the words that were saved with them, with the prompt or without it."""
    clip, prompt = tiny_clip("sd15"), "a red cat"
    save(store, clip=clip, prompt=prompt)
    (name,) = MAPS.saved()
    maps, saved = LoadAttentionMaps.execute(name).args
    pictures = torch.rand(2, 64, 96, 3)
    for given in (saved, ""):
        shown = AttentionMapViewer.execute(
            pictures, "words", "", "all", "all", 0.5, "magma", maps, prompt=given
        )
        words = shown.ui["attention_maps"][0]["words"]
        assert {"red", "cat"} <= {word["text"] for word in words}
    with pytest.raises(ValueError, match="clip: not connected"):
        AttentionMapViewer.execute(
            pictures, "words", "", "all", "all", 0.5, "magma", maps, prompt="another prompt"
        )
