"""A ControlNet, a LoRA and an embedding of the demo model: each learns, and the host loads its file."""

from dataclasses import replace

import comfy.controlnet
import comfy.sd
import comfy.utils
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
from attention_control.nodes.host.demo_model import WEIGHTS, load_demo_model
from safetensors.torch import load_file, save_file

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
    assert sizes["control"] < 6e6 and sizes["lora"] < 1e6 and sizes["embedding"] < 1e3


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
    named = frozen.context(["a toy in the snow"], "toy", frozen.table[cat])
    assert nearly(named, frozen.context(["a cat in the snow"]), atol=1e-6)


def test_the_host_loads_the_controlnet(made, frozen):
    """In its own class; the network that was trained answers as the one that is loaded."""
    control = Control(frozen)
    loaded = comfy.controlnet.load_controlnet(str(made / Control.file)).control_model.float()
    assert type(loaded) is type(control.network)
    control.network.load_state_dict(load_file(made / Control.file))
    given = shown(frozen.unet.in_channels)
    answers = [
        net(given.latents, given.hints, torch.tensor([10, 500]), frozen.context(SAID))
        for net in (control.network, loaded)
    ]
    for one, other in zip(*(answer["output"] for answer in answers), strict=True):
        assert nearly(one.detach(), other.detach(), atol=1e-5)


def test_the_host_loads_lora_and_embedding(made, tmp_path):
    """All of the LoRA finds its place; the embedding changes what its word means."""
    demo, lora = load_demo_model(), comfy.utils.load_torch_file(str(made / Lora.file))
    model, _ = comfy.sd.load_lora_for_models(demo.model, demo.clip, lora, 1.0, 0.0)
    assert len(model.patches) == len(lora) // 2
    save_file({"clip_l": torch.ones(1, 96)}, tmp_path / Embedding.file)
    demo.clip.tokenizer.clip_l.embedding_directory = str(tmp_path)
    said = f"a {TOYS['embedding'].word} in the snow"
    with torch.inference_mode():
        got = demo.clip.encode_from_tokens(demo.clip.tokenize(said))
    assert nearly(got, Frozen(WEIGHTS).context([said], TOYS["embedding"].word, torch.ones(96)), atol=2e-5)


def test_the_judge_says_how_good_they_are(made, cache, sprites):  # noqa: F811
    """Rates of each kind, and looks that tell a toy from what it is not."""
    judge, demo = Judge.load(), load_demo_model()
    rates = rate_companions(demo, judge, made, cache, sprites, 1, each=1)
    assert list(rates) == ["structure kept", "toy shown by the lora", "toy shown by the embedding"]
    assert all(0 <= hits <= trials for hits, trials in rates.values())
    assert looks(judge, torch.rand(2, 128, 128, 3)).shape == (2, 128)
    assert toy_sprites(cache, TOYS["lora"]).tile("noto", "flat", TOYS["lora"].drawing, 44).max() > 0.5
