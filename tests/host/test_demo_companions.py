"""A ControlNet, a LoRA and an embedding of the demo model: each learns, and the host loads its file."""

from dataclasses import replace
from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch
from attention_control.demo_model import train
from attention_control.demo_model.evaluation.companions import looks, rate_companions
from attention_control.demo_model.judge import Judge
from attention_control.demo_model.training.companions import COMPANIONS, Control, Embedding, Lora
from attention_control.demo_model.training.frozen import Frozen, Shown
from attention_control.demo_model.world.sprites import RENDERED
from attention_control.demo_model.world.toys import TOYS, toy_sprites
from attention_control.nodes.host.demo_companions import COMPANIONS as OWN
from attention_control.nodes.host.demo_companions import KINDS, offer_companions
from attention_control.nodes.host.demo_model import WEIGHTS, load_demo_model
from nodes import ControlNetLoader, LoraLoader
from safetensors.torch import load_file

from .test_demo_model_recipe import CPU, sprites  # noqa: F401  a fixture
from .tiny.precision import nearly

SAID = ["a zwx in the snow, flat style", "a red cat and a zwx on the beach"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Toys that are squares: the real drawings need npm."""
    folder = tmp_path_factory.mktemp("companions")
    plane = np.zeros((RENDERED, RENDERED, 2), np.uint8)
    plane[20:-20, 20:-20] = 200
    np.savez(folder / "toys.npz", **{toy.drawing: plane for toy in TOYS.values()})
    return folder


@pytest.fixture(scope="module")
def made(cache, sprites):  # noqa: F811
    """The folder of the companions of the committed model, after two calls of the command."""
    arguments = [*COMPANIONS, "--recipe", "dry", "--cache", str(cache), "--weights", str(WEIGHTS)]
    assert not train.train(train.parse([*arguments, "--sitting", "1e-9"]), CPU, sprites)
    assert train.train(train.parse(arguments), CPU, sprites)
    return cache / "companions"


@pytest.fixture(scope="module")
def frozen():
    return Frozen(WEIGHTS)


def shown(channels):
    generator = torch.Generator().manual_seed(0)
    latents, hints = (
        torch.randn(2, channels, 8, 8, generator=generator),
        torch.rand(2, 3, 64, 64, generator=generator),
    )
    return Shown(latents, torch.zeros(2, 5, 8, 8), SAID, hints)


def test_the_files_are_small(made):
    """As what comes with the pack has to be."""
    sizes = {name: (made / one.file).stat().st_size for name, one in COMPANIONS.items()}
    assert sizes["control"] < 4e6 and sizes["lora"] < 2e6 and sizes["embedding"] < 4e3


@pytest.mark.parametrize("companion", [Control, Lora, Embedding])
def test_it_starts_as_the_model_and_learns(frozen, companion):
    """Without a step the error is the model's own; each thing that is to learn gets a gradient."""
    one, given = companion(frozen), shown(frozen.unet.in_channels)
    if companion is Embedding:
        given = replace(given, captions=[said.replace("zwx", TOYS["embedding"].word) for said in SAID])
    try:
        torch.manual_seed(1)
        before = frozen.error(given, frozen.context(given.captions))
        torch.manual_seed(1)
        error = one.error(given)
        if companion is not Embedding:
            assert nearly(error.detach(), before.detach(), rtol=1e-4)
        error.backward()
        silent = [p for p in one.learnt() if p.grad is None]
        assert not silent and any(p.grad.abs().sum() > 0 for p in one.learnt())
        assert all(p.grad is None for p in frozen.trained.unet.parameters())
    finally:
        for layer in frozen.unet.modules():
            layer._forward_hooks.clear()


def test_contexts_are_the_hosts(frozen):
    """Of any words; a vector in the place of a word is a row of the table there."""
    demo = load_demo_model()
    with torch.inference_mode():
        wanted = torch.cat([demo.clip.encode_from_tokens(demo.clip.tokenize(text)) for text in SAID])
    assert nearly(frozen.context(SAID), wanted, atol=2e-5)
    (cat,) = frozen.tokens("cat")[1:-1]
    named = frozen.context(["a toy in the snow"], "toy", frozen.table[cat][None])
    assert nearly(named, frozen.context(["a cat in the snow"]), atol=1e-6)


@pytest.fixture
def offered(made, monkeypatch):
    """What has been made, where the host looks for it instead of the pack's own."""
    for kind in KINDS:
        folders, endings = folder_paths.folder_names_and_paths[kind]
        others = [folder for folder in folders if folder != str(OWN / kind)]
        monkeypatch.setitem(folder_paths.folder_names_and_paths, kind, (others, endings))
    offer_companions(made)
    return made


def test_the_hosts_node_loads_the_controlnet(offered, frozen):
    """In its own class; the network that was trained answers as the one that is loaded."""
    control = Control(frozen)
    (found,) = ControlNetLoader().load_controlnet(Path(Control.file).name)
    loaded = found.control_model.float()
    assert type(loaded) is type(control.network)
    control.network.load_state_dict(load_file(offered / Control.file))
    given = shown(frozen.unet.in_channels)
    answers = [
        net(given.latents, given.hints, torch.tensor([10, 500]), frozen.context(SAID))
        for net in (control.network, loaded)
    ]
    for one, other in zip(*(answer["output"] for answer in answers), strict=True):
        assert nearly(one.detach(), other.detach(), atol=1e-5)
    assert [len(answers[0][kind]) for kind in ("output", "middle")] == [4, 1]


def test_the_hosts_node_loads_the_lora_and_prompts_the_embedding(offered):
    """All of the LoRA finds its place; the embedding is what its word means."""
    demo = load_demo_model()
    model, _ = LoraLoader().load_lora(demo.model, demo.clip, Path(Lora.file).name, 1.0, 0.0)
    assert len(model.patches) == len(load_file(offered / Lora.file)) // 2
    said, word = f"a {TOYS['embedding'].word} in the snow", TOYS["embedding"].word
    with torch.inference_mode():
        got = demo.clip.encode_from_tokens(demo.clip.tokenize(said))
    vectors = load_file(offered / Embedding.file)["clip_l"].float()
    assert nearly(got, Frozen(WEIGHTS).context([said], word, vectors), atol=2e-5)


def test_the_judge_says_how_good_they_are(made, cache, sprites, monkeypatch):  # noqa: F811
    """Rates of each kind, and looks that tell a toy from what it is not. Pictures need not be good here."""
    monkeypatch.setattr("attention_control.demo_model.evaluation.generate.STEPS", 2)
    judge, demo = Judge.load(), load_demo_model()
    rates = rate_companions(demo, judge, made, cache, sprites, 1, each=1)
    assert list(rates) == ["structure kept", "toy shown by the lora", "toy shown by the embedding"]
    assert all(0 <= hits <= trials for hits, trials in rates.values())
    assert looks(judge, torch.rand(2, 128, 128, 3)).shape == (2, 128)
    assert toy_sprites(cache, TOYS["lora"]).tile("noto", "flat", TOYS["lora"].drawing, 44).max() > 0.5
