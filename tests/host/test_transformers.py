"""Transformers for text and picture: what the host computes is seen as it is, and stays as it is."""

import inspect
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import ClassVar

import comfy.model_patcher
import comfy.supported_models
import pytest
import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.site import Text
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorder import WORDS, Recorder
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from attention_control.nodes.edit.shape_variations_node import ShapeVariations
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.families.family import Forward
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.recording_inputs import AUTO, make_recorder
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention
from comfy_extras.nodes_sd3 import SkipLayerGuidanceSD3

from .just import Just
from .node_calls import call_node
from .tiny.precision import nearly
from .tiny.transformer_shapes import FLUX, SIX, TOKENS, TRANSFORMERS, Z_IMAGE
from .tiny.transformers import frames, painted, spoken, transformer

KINDS = tuple(TRANSFORMERS)
LIGHT = tuple(kind for kind in KINDS if kind != "flux2")  # whose text is filled up to 512 tokens
GRIDS = {"flux2": (7, 12), "hunyuan-image": (7, 12)}  # of 7 x 12 cells; 4 x 6 where a token has 2 x 2


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@dataclass
class Looking:
    """Sees attention, and changes nothing; what it was given first in a layer is kept."""

    kinds: tuple = ("self", "cross")
    seen: dict = field(default_factory=dict)
    order: ClassVar = "edit"

    def wants(self, site):
        return site.kind in self.kinds

    def __call__(self, site, qkv, attend):
        self.seen.setdefault((site.layer.ordinal, site.kind), (site, qkv))
        return attend(qkv)


def spied(model, calls):
    """A clone of a MODEL that keeps what the host's attention is given, as (B, H, N, d)."""

    def spy(func, q, k, v, heads, *rest, **named):
        out = func(q, k, v, heads, *rest, **named)
        by_head = (
            x
            if named.get("skip_reshape")
            else (x if x.ndim == 4 else x.unflatten(-1, (heads, -1))).transpose(1, 2)
            for x in (q, k, v)
        )
        mask = rest[0] if rest else named.get("mask")
        calls.append((*(x.double() for x in by_head), mask, out))
        return out

    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = spy
    return clone


@cache
def plain(kind):
    """Sampled once, for those who hold theirs against it."""
    return painted(transformer(kind), kind)


@pytest.mark.parametrize("kind", LIGHT)
def test_who_only_looks_changes_nothing(kind):
    """To the bit: in self-attention, in cross-attention, and in both in turns."""
    model = transformer(kind)
    for looks in ([("self",)], [("cross",)], [("self", "cross"), ("cross",), ("self",)]):
        parts = [Looking(kinds) for kinds in looks]
        assert torch.equal(painted(install(model, Just(parts)), kind), plain(kind)), looks
        layers = len(family_of(model).layer_map().layers)
        assert all(len(part.seen) == layers * len(part.kinds) for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_the_joint_softmax(kind):
    """In float64: the picture's queries on all keys of the host's call, one softmax for picture and text."""
    calls, looking = [], Looking()
    painted(install(spied(transformer(kind), calls), Just([looking])), kind, batch=1, steps=1, cfg=1.0)
    tokens = 7 * 12 if kind in GRIDS else 24
    of_the_picture = [call for call in calls if call[0].shape[2] >= tokens and call[0].shape[0] == 1]
    checked = 0
    for site, qkv in looking.seen.values():
        map_ = torch.cat([part for _, part in probabilities(qkv)], dim=2)[..., : qkv.k.shape[2]]
        assert site.grid == GRIDS.get(kind, (4, 6))
        expected = [joint_maps(kind, site.kind, call, tokens) for call in of_the_picture]
        assert any(x is not None and nearly(map_, x, rtol=1e-4, atol=1e-6) for x in expected), site
        checked += 1
    assert checked == 2 * len(family_of(transformer(kind)).layer_map().layers)


def joint_maps(kind, what, call, tokens):
    """What part of a call's softmax says, from the tensors alone: the order of the keys is known here."""
    q, k, _, mask, _ = call
    text = 512 if kind == "flux2" else TOKENS
    fill = -text % 32 if kind == "z-image" else 0
    if kind in ("cosmos", "wan"):
        wanted = tokens if what == "self" else text
        if k.shape[2] != wanted:
            return None
        start, keys = 0, slice(0, wanted)
    elif kind == "hidream":
        start, keys = 0, slice(0, tokens) if what == "self" else slice(tokens, tokens + text)
    else:
        first = 8 if kind == "aura-flow" else 0
        start = first + text + fill
        if k.shape[2] < start + tokens:
            return None
        keys = slice(start, start + tokens) if what == "self" else slice(first, first + text)
    logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    logits = logits if mask is None else logits + mask.double()[:, None]
    return logits.softmax(-1)[:, :, start : start + tokens, keys]


@pytest.mark.parametrize("kind", SIX)
def test_prompts_of_other_lengths_and_calls_apart(kind):
    """Their texts are known by role and length."""
    looking = Looking()
    prompts = spoken(kind, tokens=7, seed=1), spoken(kind, tokens=19, seed=2)
    once = {"prompts": prompts, "steps": 1, "batch": 1}
    out = painted(install(transformer(kind), Just([looking])), kind, **once)
    assert torch.equal(out, painted(transformer(kind), kind, **once))
    site, qkv = looking.seen[1, "cross"]
    (text, _, _), *_ = site.rows.by_text
    assert (text.role, text.tokens, qkv.k.shape[2]) in (("positive", 7, 7), ("negative", 19, 19))


REFERENCES = {"flux": (16, 5, 6), "qwen-image": (16, 1, 5, 6), "krea2": (16, 1, 5, 6)}


@pytest.mark.parametrize("kind", REFERENCES)
def test_reference_pictures_are_parts_of_their_own(kind):
    """Who looks sees the picture alone among the own keys, and the run is what it was, to the bit."""
    looking = Looking()
    given = torch.randn(1, *REFERENCES[kind], generator=torch.Generator().manual_seed(4))
    with_picture = {"reference_latents": [given], "reference_latents_method": "index"}
    prompts = [
        [[text, {**more, **with_picture}] for text, more in spoken(kind, seed=seed)] for seed in (1, 2)
    ]
    out = painted(install(transformer(kind), Just([looking])), kind, prompts=prompts)
    assert torch.equal(out, painted(transformer(kind), kind, prompts=prompts))
    assert not torch.allclose(out, plain(kind), rtol=0.01), "the reference does nothing"
    _, qkv = looking.seen[1, "self"]
    assert {part.name: part.k.shape[2] for part in qkv.appended} == {"text": TOKENS, "reference picture 1": 9}


def test_tokens_of_another_pack_are_left_alone(report):
    """Those that it adds to the text before the blocks: the call does not add up, and the report says so."""

    def lengthened(args):
        return {**args, **{name: args[name].repeat(1, 2, 1) for name in ("txt", "txt_ids")}}

    other = transformer("flux").clone()
    other.set_model_patch(lengthened, "post_input")
    looking = Looking()
    assert torch.equal(painted(install(other, Just([looking])), "flux"), painted(other, "flux"))
    assert not looking.seen
    assert "attends to other tokens (46 keys where there should be 11 of text, 24 of image)" in report()[0][1]


def test_blocks_are_known_where_another_patch_leaves_some_out():
    """Skip Layer Guidance on SD3, whose blocks say nothing of themselves, has a pass without one of them."""
    skipping = transformer("sd3").clone()
    looking, passes = Looking(("self",)), []

    def wants(site):
        passes.append((site.rows.sources, site.layer.number))
        return False

    looking.wants = wants
    (skipping,) = SkipLayerGuidanceSD3.execute(skipping, "1", 3.0, 0.0, 1.0).result
    painted(install(skipping, Just([looking])), "sd3", steps=1)
    assert passes.count(((0,), 0)) > 0 and ((0,), 1) not in passes
    assert [number for sources, number in passes if len(sources) == 2] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", SIX)
def test_recorded_maps_are_means_of_the_joint_softmax(kind):
    """Over the steps and the heads, in half precision; the picture stays as it is, to the bit."""
    model, calls, store = transformer(kind), [], MapStore()
    every = family_of(model).layer_map().parse("all")
    recorder = Recorder(store=store, cross_layers=every, self_layers=every, time_bins=1)
    once = {"batch": 1, "cfg": 1.0}
    out = painted(install(spied(model, calls), recorder), kind, **once)
    assert torch.equal(out, painted(model, kind, **once))
    maps = store.read()
    for what, kept in (("cross", "cross_attention"), ("self", "self_attention")):
        found = [joint_maps(kind, what, call, 24) for call in calls if call[0].shape[2] >= 24]
        found = [map_ for map_ in found if map_ is not None]
        assert len(found) == 2 * len(every)
        for layer in maps.layers:
            steps = found[layer.layer.ordinal - 1 :: len(every)]
            expected = torch.stack(steps).mean(0).mean(1)
            assert nearly(getattr(layer, kept)["positive"][0, :, 0], expected, rtol=2e-3, atol=2e-5)


def test_what_is_recorded_by_itself_fits_into_memory():
    """1024 pixels on Flux.1, whose layers all have 4096 tokens: the published layers, one for the picture."""
    real = {**FLUX, "vec_in_dim": 768, "context_in_dim": 4096, "hidden_size": 3072, "mlp_ratio": 4.0}
    real |= {"num_heads": 24, "depth": 19, "depth_single_blocks": 38, "axes_dim": [16, 56, 56]}
    model = unloaded("Flux", real)
    recorder = make_recorder(model, "both", AUTO, 1024, "mean", False, 2048)
    layers = family_of(model).layer_map()
    assert recorder.cross_layers == layers.parse("double 11-12, double 14, double 17-18")
    assert recorder.self_layers == layers.parse("double 18")
    batch = Batch(
        images=1,
        latent=(128, 128),
        layers=layers,
        layer_sizes=family_of(model).layer_sizes((128, 128)),
        presets={},
        conditionings={},
        texts=(Text("positive", 0, 512),),
        tell=print,
    )
    assert recorder.start(batch) is None  # raises where it would be too much
    everything = make_recorder(model, "both", "all", 16384, "mean", False, 2048)
    with pytest.raises(ValueError, match="memory_limit_mb is 2048, but these maps would take"):
        everything.start(batch)


def unloaded(config, numbers):
    """A MODEL of the host's, whose weights are nowhere."""
    settings = getattr(comfy.supported_models, config)(numbers)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, device=torch.device("meta"))
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


def test_layers_that_no_one_has_published_lie_behind_the_middle():
    """Of 30 blocks of Z-Image the 16th to the 20th."""
    model = unloaded("ZImage", {**Z_IMAGE, "n_layers": 30})
    assert sorted(family_of(model).presets((8, 8))[WORDS].layers) == [16, 17, 18, 19, 20]


REFUSED = (
    CrossImageAttention,
    PlugAndPlay,
    ShapeVariations,
)


@pytest.mark.parametrize("node", REFUSED)
def test_what_does_not_work_is_refused_with_its_reason(node):
    """By the model's name, with the method's, why, where it works, and what works here."""
    given = {
        "model": transformer("flux"),
        "sigmas": torch.tensor([1.0, 0.0]),
        "latent": {"samples": torch.zeros(1, 16, 8, 8)},
        "cfg": 1.0,
    }
    wanted = inspect.signature(node.execute).parameters
    with pytest.raises(
        ValueError, match=rf"^model: this is Flux, on which {node.__name__}\w* does not work"
    ) as e:
        node.execute(**{name: given.get(name) for name in wanted})
    assert ": it " in str(e.value) or ": beside " in str(e.value)
    here = "InvertLatent, LayoutGuidance, MultiDiffusion, PromptToPrompt and StyleAligned"
    assert "U-Nets" in str(e.value) and here in str(e.value)


def test_videos_are_refused():
    """Before anything is computed."""
    video = torch.zeros(1, 16, 5, 4, 4)
    with pytest.raises(ValueError, match="latent_image holds 5 frames"):
        painted(install(transformer("qwen-image"), Just([Looking()])), "qwen-image", latent=video)


@pytest.mark.parametrize("kind", ["flux", "qwen-image"])
def test_probe_and_viewer(kind):
    """One look at a latent at a noise level that is the host's percent, and its words as pictures."""
    latent = {"samples": torch.zeros(1, 16, *frames(kind), 7, 12)}
    (store,) = call_node(AttentionProbe, transformer(kind), spoken(kind), latent)
    maps = store.read()
    assert {layer.grid for layer in maps.layers} == {(4, 6)}
    assert maps.latents.shape == (1, 16, 7, 12)
    pictures, masks = call_node(
        AttentionMapViewer, torch.rand(1, 56, 96, 3), maps=store, words="token 3, token 5"
    )
    assert pictures.shape == (2, 56, 96, 3) and masks.shape == (2, 56, 96)


def test_quoted_text_is_a_part_of_its_own():
    """HunyuanImage has what stands in quotes once more, between the text and the picture."""
    family = family_of(transformer("hunyuan-image"))
    family.network = SimpleNamespace(byt5_in=object())
    forward = Forward((4, 6), 11, {"txt_byt5": torch.zeros(1, 7, 1472)})
    parts = [(part.name, part.tokens) for part in family.parts(24, {}, forward)]
    assert parts == [("text", 11), ("quoted text", 7), ("image", 24)]
