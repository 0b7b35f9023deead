"""Maps of concepts: equal to those of a text that the model reads, and nothing of the picture changes."""

from dataclasses import replace

import comfy.sd
import comfy.text_encoders.pixart_t5
import pytest
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.concepts import (
    CONCEPTS,
    ConceptForm,
    ConceptRecorder,
    concept_map,
)
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.walks.probe import Probe
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from comfy.supported_models_base import ClipTarget

from .joint_softmax import plain, unloaded
from .node_calls import call_node
from .recorded import recorder as of_everything
from .test_words_of_language_models import tokenizing
from .tiny import tiny_model
from .tiny.precision import nearly
from .tiny.transformer_shapes import FLUX, FLUX2, TOKENS
from .tiny.transformers import painted, spoken, transformer
from .tiny.weights import fill_randomly

READING = ("flux", "chroma", "flux2")


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def looking(model, vectors):
    every = family_of(model).layer_map().parse("double")
    return ConceptRecorder(store=MapStore(), layers=every, concepts=vectors, time_bins=1)


@pytest.mark.parametrize("kind", READING)
def test_a_text_as_concepts_is_seen_as_the_text(kind, monkeypatch):
    """The prompt's own vectors as concepts: the map is that of what the model's attention gives the prompt
    and the picture, in float64, in every block of two streams; the picture stays, to the bit. All at one
    place, as Flux.1 has it, also on Flux.2, whose texts the host fills up in front."""
    model, outs = transformer(kind), []
    text, vectors = TOKENS, spoken(kind, seed=1)[0][0][0]
    if kind == "flux2":
        monkeypatch.setattr(model.model.diffusion_model.params, "txt_ids_dims", [])
        text, vectors = 512, torch.nn.functional.pad(vectors, (0, 0, 512 - TOKENS, 0))

    def spy(func, q, *rest, **named):
        out = func(q, *rest, **named)
        if q.shape[2] > TOKENS and named["transformer_options"].get("block_type") == "double":
            outs.append(out.double())
        return out

    spied = model.clone()
    spied.model_options["transformer_options"]["optimized_attention_override"] = spy
    recorder = looking(model, vectors)
    once = {"batch": 1, "cfg": 1.0}
    out = painted(install(spied, recorder), kind, **once)
    assert torch.equal(out, painted(model, kind, **once))
    assert len(outs) == 4, "two steps of two blocks, each seen once"
    for number, layer in enumerate(recorder.store.read().layers):
        steps = outs[number::2]
        expected = [(x[:, text:] @ x[:, :text].transpose(1, 2)).softmax(-1) for x in steps]
        found = layer.cross_attention["positive"][0, :, 0]
        assert nearly(found, torch.stack(expected).mean(0), rtol=1e-2, atol=1e-3)


def test_concepts_of_flux2_stand_at_the_last_word(monkeypatch):
    """Before the end of the template; the products are divided by a thousand."""
    model, seen = transformer("flux2"), []
    block = model.model.diffusion_model.double_blocks[0]
    own = block.forward

    def spy(*args, pe, **named):
        seen.append(pe)
        return own(*args, pe=pe, **named)

    monkeypatch.setattr(block, "forward", spy)
    painted(install(model, looking(model, torch.randn(3, 40))), "flux2", batch=1, cfg=1.0, steps=1)
    concepts, plain_ = sorted(seen, key=lambda pe: pe.shape[2])
    assert torch.equal(concepts[:, :, :3], plain_[:, :, 510:511].expand_as(concepts[:, :, :3]))
    assert torch.equal(concepts[:, :, 3:], plain_[:, :, 512:])
    assert family_of(model).concepts == ConceptForm(token=-2, temperature=1000.0)
    image, concept = torch.randn(1, 4, 8), torch.randn(1, 3, 8)
    expected = (image.double() @ concept.double().transpose(1, 2) / 1000).softmax(-1)
    assert nearly(concept_map(image, concept, 1000.0), expected, rtol=1e-6)


def test_concepts_change_nothing_and_meet_other_packs():
    """With guidance, in one call, beside another pack that has put a block of its own in the same place."""
    model, vectors = transformer("flux"), torch.randn(3, 40, generator=torch.Generator().manual_seed(5))
    assert torch.equal(painted(install(model, looking(model, vectors)), "flux"), plain("flux"))
    other = model.clone()

    def louder(args, extra):
        out = extra["original_block"](args)
        return {**out, "img": 1.5 * out["img"]}

    other.set_model_patch_replace(louder, "dit", "double_block", 0)
    alone, recorder = painted(other, "flux"), looking(model, vectors)
    assert torch.equal(painted(install(other, recorder), "flux"), alone)
    maps = recorder.store.read().layers[0].cross_attention["positive"]
    assert maps.shape == (1, 3, 1, 24, 3)
    assert torch.allclose(maps.float().sum(-1), torch.ones(1), atol=2e-3)


def test_a_block_that_another_pack_skips_has_no_maps():
    """The others have theirs."""
    model, vectors = transformer("flux").clone(), torch.randn(3, 40)
    model.set_model_patch_replace(lambda args, extra: args, "dit", "double_block", 0)
    recorder = looking(model, vectors)
    painted(install(model, recorder), "flux")
    seen = [layer.layer.number for layer in recorder.store.read().layers]
    assert seen == list(range(1, FLUX["depth"]))


@pytest.mark.parametrize("changed", [{"txt_norm": True}, {"txt_ids_dims": [1, 2]}], ids=str)
def test_others_of_the_class_of_flux_are_refused(changed, monkeypatch):
    """Ovis-Image and LongCat-Image read their text in another way."""
    model = transformer("flux")
    for name, value in changed.items():
        monkeypatch.setattr(model.model.diffusion_model.params, name, value)
    with pytest.raises(ValueError, match=r"^model: .* reads its text in another way"):
        call_node(AttentionRecorder, model, clip=reading(), concepts="fox, sky")


def test_a_run_that_has_no_whole_picture_says_so(report):
    """Neither a model that sees it in windows, nor a prompt of a part of it."""
    model, vectors = transformer("flux"), torch.randn(3, 40)
    recorder = looking(model, vectors)
    windows = install(model, MultiDiffusion(window=(4, 8), stride=4))
    painted(install(windows, recorder), "flux", batch=1, height=8, width=16)
    assert recorder.store.maps is None
    assert any("in windows, and maps of concepts are kept of the whole one" in line for _, line in report())
    inside = [[vectors, {**more, "area": (4, 4, 0, 0)}] for vectors, more in spoken("flux", seed=1)]
    recorder = looking(model, vectors)
    painted(install(model, recorder), "flux", batch=1, prompts=(inside, spoken("flux", seed=2)))
    assert recorder.store.maps is None
    assert any("no positive conditioning has the whole picture" in line for _, line in report())


def test_the_budget_is_kept_and_refused_before_sampling():
    """What is refused is refused with what to lower; what fits takes what was told."""
    model, vectors = transformer("flux"), torch.randn(3, 40)
    needed = 3 * 24 * 3 * 2 * (1 * 2 + 4)  # images, tokens, concepts, layers; two bytes, four while averaged
    small = replace(looking(model, vectors), memory_limit=needed - 1)
    with pytest.raises(ValueError, match=r"^memory_limit_mb is 0, but these maps would take 1 MB\. Lower "):
        painted(install(model, small), "flux")
    assert small.store.maps is None
    fitting = replace(small, memory_limit=needed)
    painted(install(model, fitting), "flux")
    assert len(fitting.store.read().layers) == 2


def test_the_published_layers():
    """Of Flux.1 and of Flux.2, in numbers that count from 0."""
    real = {**FLUX, "depth": 19, "depth_single_blocks": 38}
    family = family_of(unloaded("Flux", real))
    assert family.presets((8, 8))[CONCEPTS].layers == family.layer_map().parse("double 15-18")
    second = family_of(unloaded("Flux2", {**FLUX, **FLUX2, "depth": 8, "vec_in_dim": None}))
    assert second.presets((8, 8))[CONCEPTS].layers == second.layer_map().parse("double 5-7")


def reading():
    """T5 with its tokenizer, small and with random weights."""
    sizes = {"d_model": 40, "d_ff": 64, "d_kv": 8, "num_heads": 5, "num_layers": 2}
    target = ClipTarget(
        comfy.text_encoders.pixart_t5.PixArtTokenizer, comfy.text_encoders.pixart_t5.pixart_te()
    )
    clip = comfy.sd.CLIP(target, model_options={"t5xxl_model_config": {**T5, **sizes}})
    fill_randomly(clip.cond_stage_model, 0)
    return clip


T5 = {
    "dense_act_fn": "gelu_pytorch_tanh",
    "is_gated_act": True,
    "model_type": "umt5",
    "vocab_size": 32128,
    "pad_token_id": 0,
}


def test_the_node_finds_words_that_no_prompt_has():
    """The viewer takes them as it takes words."""
    model, store = call_node(
        AttentionRecorder, transformer("chroma"), clip=reading(), concepts="fox, grass, sky"
    )
    painted(model, "chroma", batch=1)
    pictures, masks = call_node(AttentionMapViewer, torch.rand(1, 56, 96, 3), maps=store, words="grass, sky")
    assert pictures.shape == (2, 56, 96, 3) and masks.shape == (2, 56, 96)
    assert [word.text for word in store.tokens.words] == ["fox", "grass", "sky"]


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("flux", {"concepts": "fox"}, "^concepts: 'fox' stands alone"),
        ("flux", {"concepts": "fox,"}, "^concepts: 'fox' stands alone"),
        ("flux", {"concepts": "fox, sky"}, "`clip` is not connected"),
        ("sd3", {"concepts": "fox, sky"}, "ConceptAttention does not work: its authors' code for SD3 reads"),
        ("hunyuan-image", {"concepts": "fox, sky"}, "does not work: a refiner reads .* It works on Flux"),
        ("krea2", {"concepts": "fox, sky"}, "how they do is published for Flux.1 and Flux.2 dev. It works"),
    ],
)
def test_errors_teach(kind, given, says):
    """Before anything is sampled."""
    with pytest.raises(ValueError, match=says):
        call_node(AttentionRecorder, transformer(kind), **given)


def test_a_u_net_says_where_they_work():
    """And ends there."""
    with pytest.raises(
        ValueError, match=r"not in one attention, .* It works on Flux\.1, Flux\.2 and Chroma\.$"
    ):
        call_node(AttentionRecorder, tiny_model("sd15"), concepts="fox, sky")


def test_commas_are_no_concepts():
    """The prompt's words are recorded, as with no text at all."""
    _, store = call_node(AttentionRecorder, transformer("flux"), concepts=" , ")
    assert store.tokens is None


def test_klein_is_refused():
    """By its text encoder, as the network is Flux.2's."""
    with pytest.raises(ValueError, match=r"^concepts: .* published for dev, .* and `clip` is Klein's"):
        call_node(AttentionRecorder, transformer("flux2"), clip=tokenizing("klein"), concepts="fox, sky")


def test_single_blocks_are_refused():
    """Concepts are seen where the text has a stream of its own."""
    with pytest.raises(ValueError, match=r"^layers is 'single', and concepts are seen in double blocks"):
        call_node(AttentionRecorder, transformer("flux"), layers="single", clip=object(), concepts="a, b")


def test_a_probe_leaves_the_maps_of_a_run_alone():
    """It takes no recorder of another kind along."""
    model, recorder = transformer("flux"), looking(transformer("flux"), torch.randn(3, 40))
    patched = install(model, recorder, "5")
    out = painted(patched, "flux", batch=1, cfg=1.0)
    own, (probing, _) = recorder.store.read(), of_everything(model)
    Probe(spoken("flux", seed=1), {"samples": torch.zeros_like(out)}, 0.6, 0).maps(patched, probing, "9")
    assert recorder.store.read() is own and not recorder.store.earlier
