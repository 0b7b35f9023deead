"""Transformers for text and picture: what the host computes is seen as it is, and stays as it is."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.attention_patches.attention.explicit_maps import probabilities
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.families.family import Forward
from attention_control.nodes.host.run.install import install
from comfy_extras.nodes_sd3 import SkipLayerGuidanceSD3

from .joint_softmax import GRIDS, Looking, joint_maps, plain, spied
from .just import Just
from .tiny.precision import nearly
from .tiny.transformer_shapes import SIX, TOKENS, TRANSFORMERS
from .tiny.transformers import painted, spoken, transformer

KINDS = tuple(TRANSFORMERS)
LIGHT = tuple(kind for kind in KINDS if kind != "flux2")  # whose text is filled up to 512 tokens


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


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


def test_quoted_text_is_a_part_of_its_own():
    """HunyuanImage has what stands in quotes once more, between the text and the picture."""
    family = family_of(transformer("hunyuan-image"))
    family.network = SimpleNamespace(byt5_in=object())
    forward = Forward((4, 6), 11, {"txt_byt5": torch.zeros(1, 7, 1472)})
    parts = [(part.name, part.tokens) for part in family.parts(24, {}, forward)]
    assert parts == [("text", 11), ("quoted text", 7), ("image", 24)]
