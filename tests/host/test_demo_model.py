"""The demo model as the host sees it: three ordinary objects that encode, sample and decode."""

import json
import shutil

import nodes as host_nodes
import pytest
import torch
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
from attention_control.nodes.host.demo_model import PARTS, WEIGHTS, load_demo_model


@pytest.fixture(scope="module")
def triple():
    """MODEL, CLIP and VAE, as the server gets them from the node."""
    return LoadDemoModel.execute().args


def sample(triple, prompt, seed, steps=2, cfg=4.0, size=128):
    """Latents and images by the host's own nodes."""
    model, clip, vae = triple
    encode = host_nodes.CLIPTextEncode()
    positive, negative = encode.encode(clip, prompt)[0], encode.encode(clip, "")[0]
    empty = host_nodes.EmptyLatentImage().generate(size, size, 1)[0]
    latent = host_nodes.KSampler().sample(
        model, seed, steps, cfg, "euler", "normal", positive, negative, empty
    )[0]
    return latent["samples"], host_nodes.VAEDecode().decode(vae, latent)[0]


def test_the_node_needs_nothing_and_gives_three_things():
    """No inputs; MODEL, CLIP, VAE in this order, so that it stands in for a checkpoint loader."""
    schema = LoadDemoModel.define_schema()
    assert schema.inputs == []
    assert [output.io_type for output in schema.outputs] == ["MODEL", "CLIP", "VAE"]
    assert schema.category == "attention control/demo"


@pytest.mark.parametrize("size", [128, 64])
def test_it_samples_and_decodes_to_the_asked_size(triple, size):
    """The host's own nodes turn a prompt into a picture of the latent's size, finite and in range."""
    latents, images = sample(triple, "a red cat in the snow, clay style", 1, size=size)
    channels = triple[0].get_model_object("latent_format").latent_channels
    assert latents.shape == (1, channels, size // 8, size // 8)
    assert images.shape == (1, size, size, 3)
    assert torch.isfinite(latents).all()
    assert images.min() >= 0 and images.max() <= 1 and images.std() > 0.02


def test_sampling_repeats(triple):
    """The same seed gives the same latents; another seed or prompt does not."""
    first, again = (sample(triple, "a blue fish", 5)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, sample(triple, "a blue fish", 6)[0])
    assert not torch.equal(first, sample(triple, "a red house", 5)[0])


def test_padding_is_silent(triple):
    """Features after the end token are zero, so words that are not there say nothing."""
    clip = triple[1]
    features = clip.encode_from_tokens(clip.tokenize("a red cat"))
    assert features.shape == (1, 77, 96)
    assert features[0, :5].any(-1).all() and not features[0, 5:].any()


def test_latents_have_unit_deviation(triple):
    """The VAE's latents, scaled as the host scales them, vary by about one: the schedule fits them."""
    pictures = sample(triple, "two white dogs and a black cat on the beach", 3, steps=8)[1]
    latents = triple[0].get_model_object("latent_format").process_in(triple[2].encode(pictures))
    assert 0.5 < latents.std() < 2.0


def copied(tmp_path):
    """The weights in a folder that may be spoilt."""
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder)
    return folder


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("fault", ["missing", "flipped", "cut"])
def test_a_bad_file_is_named_with_what_to_do(tmp_path, part, fault):
    """A missing, changed or cut file is an error that names the file and the mend."""
    folder = copied(tmp_path)
    path = folder / f"{part}.safetensors"
    data = bytearray(path.read_bytes())
    path.unlink()
    if fault == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif fault == "cut":
        path.write_bytes(data[:-100])
    with pytest.raises(RuntimeError, match=rf"{part}\.safetensors .*git checkout"):
        load_demo_model(folder)


def test_a_bad_list_of_hashes_is_named(tmp_path):
    """Without the list nothing is trusted."""
    folder = copied(tmp_path)
    (folder / "weights.json").write_text("{")
    with pytest.raises(RuntimeError, match="cannot be read"):
        load_demo_model(folder)


def test_files_are_small_and_listed():
    """Each file under 16 MB, all under 40 MB, and none without its hash."""
    files = sorted(WEIGHTS.glob("*.safetensors"))
    assert set(json.loads((WEIGHTS / "weights.json").read_text())) == {path.name for path in files}
    sizes = [path.stat().st_size for path in files]
    assert max(sizes) < 16e6 and sum(sizes) < 40e6


def test_loading_is_strict(tmp_path):
    """A tensor too few is an error, not a silently random layer."""
    import hashlib

    from safetensors.torch import load_file, save_file

    folder = copied(tmp_path)
    path = folder / "unet.safetensors"
    tensors = load_file(path)
    tensors.pop("out.2.bias")
    save_file(tensors, path)
    entries = json.loads((folder / "weights.json").read_text())
    entries[path.name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "weights.json").write_text(json.dumps(entries))
    with pytest.raises(RuntimeError, match=r"out\.2\.bias"):
        load_demo_model(folder)


@pytest.mark.parametrize("part", ["model", "clip", "vae"])
def test_the_host_can_load_a_part_anew(part):
    """For another device, or without dynamic memory, the host's own way to reload gives equal weights."""
    demo = load_demo_model()
    patcher = getattr(demo, part) if part == "model" else getattr(demo, part).patcher
    factory, arguments = patcher.cached_patcher_init
    again = factory(*arguments, disable_dynamic=True)
    assert again.model is not patcher.model
    before, after = patcher.model.state_dict(), again.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
