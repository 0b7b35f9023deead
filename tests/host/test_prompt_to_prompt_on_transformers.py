"""Prompt-to-Prompt on transformers: against float64 attention computed in the host's own place for it."""

import math

import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import align
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blend, smoothed
from attention_control.attention_patches.methods.prompt_to_prompt.mask_store import MaskStore
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from attention_control.nodes.edit.one_start import start_of_edits
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt as Node
from attention_control.nodes.edit.prompts.encoded_edits import edit_lines, encode_unaligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install, installed
from attention_control.nodes.host.text.encoded_prompt import encoded_prompt
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from comfy_extras.nodes_custom_sampler import SamplerCustom
from nodes import CLIPTextEncode, common_ksampler  # the host's

from . import naive_prompts
from .naive import Where
from .node_calls import call_node
from .settings_of_methods import WORDS, edit_of
from .test_words_of_language_models import tokenizing
from .tiny import assert_same_image, tiny_clip
from .tiny.transformer_shapes import FURTHER, SIX, TOKENS, TRANSFORMERS
from .tiny.transformers import frames, painted, spoken, transformer

IDLE = (edit_of(naive_prompts.Words({}, {})),) * 2
APART = ("cosmos", "wan")  # text is read by an attention of its own


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def edited(kind, **settings):
    model = transformer(kind)
    usual = {"edits": IDLE, "self_until": 1.0, "self_max_tokens": 1 << 20}
    layers = family_of(model).layer_map().parse("all")
    return install(model, PromptToPrompt(layers=layers, **{**usual, **settings}))


def naive(kind):
    """A clone that is edited one call at a time."""
    return naive_in_place(kind, lambda q, k, v, start: _edited(kind, q, k, v, start))


def naive_in_place(kind, edited):
    """A clone in whose positive rows the queries of the picture get what `edited` makes of them, in the
    host's own place for attention: (q, k, v of three images, where the picture begins) -> (3, H, N, d)."""

    def override(func, q, k, v, heads, *rest, **named):
        out = func(q, k, v, heads, *rest, **named)
        options = named.get("transformer_options") or {}
        q, k, v = (_by_head(x, heads, named) for x in (q, k, v))
        first = kind in (*APART, "hidream")
        start = 0 if first else q.shape[2] - _behind(kind, q.shape[2])
        for chunk, source in enumerate(options.get("cond_or_uncond", ())):
            rows = slice(3 * chunk, 3 * chunk + 3)
            if source == 0 and (found := edited(q[rows], k[rows], v[rows], start)) is not None:
                split = named.get("skip_output_reshape")
                shown = out if split else out.unflatten(-1, (heads, -1)).transpose(1, 2)
                shown[rows, :, start : start + cells(kind)] = found.to(out)
        return out

    clone = transformer(kind).clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = override
    return clone


def cells(kind):
    """Tokens of the picture."""
    return 84 if kind == "hunyuan-image" else 24


def _behind(kind, tokens):
    """Of the last tokens of a joint call, from the picture's first on: Z-Image fills both parts up to 32."""
    return 32 if tokens == 64 else cells(kind)


def _by_head(x, heads, named):
    if named.get("skip_reshape"):
        return x.double()
    return (x if x.ndim == 4 else x.unflatten(-1, (heads, -1))).transpose(1, 2).double()


def _edited(kind, q, k, v, start):
    if kind in APART:
        where = Where("self" if k.shape[2] == cells(kind) else "cross", (4, 6), positive=True)
        return naive_prompts.prompt_to_prompt(q, k, v, where, WORDS)
    if start < TOKENS and kind != "hidream":
        return None  # among the picture alone (SD3's second attention, a refiner), or the text alone
    picture = slice(start, start + cells(kind))
    found = []
    for image in range(3):
        keys = k[image].clone()
        keys[:, picture] = k[0, :, picture]
        logits = q[0, :, picture] @ keys.transpose(-1, -2) / math.sqrt(q.shape[-1])
        found.append(logits.softmax(-1) @ v[image])
    return torch.stack(found)


@pytest.mark.parametrize("kind", (*SIX, *FURTHER))
def test_edits_have_the_sources_queries_and_keys(kind):
    """Of the picture's tokens, with values and text of their own; the queries of text stay as they are. In
    Cosmos and Wan maps of words are exchanged as on a U-Net."""
    prompts = spoken(kind, rows=3, seed=1), spoken(kind, seed=2)
    how = {"prompts": prompts, "steps": 1}
    edits = {"edits": tuple(edit_of(words) for words in WORDS)} if kind in APART else {}
    out = painted(edited(kind, **edits), kind, **how)
    assert_same_image(out, painted(naive(kind), kind, **how))
    assert not torch.allclose(out[1:], painted(transformer(kind), kind, **how)[1:], rtol=0.01)


def of_a_picture(kind, given):
    """A MODEL with edits of a picture, its LATENT, and the noise levels of the inversion."""
    model, source = transformer(kind), spoken(kind, seed=1)
    how = {"latent": {"samples": given}, "method": "ddim", "scheduler": "simple", "steps": 3}
    inversion, _, sigmas = InvertLatent.execute(model, source, cfg=1.0, seed=0, **how).args
    patched = edited(kind, picture=inversion, self_until=0.4)
    return patched, start_of_edits(model, None, inversion, 3), sigmas


@pytest.mark.parametrize("kind", ["flux", "qwen-image"])
def test_a_noise_mask_leaves_out_a_picture_of_your_own(kind):
    """By a sampler that starts at 1 too; under a white one the edits start at its noise."""
    given = torch.randn(1, TRANSFORMERS[kind].channels, *frames(kind), 7, 12)
    patched, latent, _ = of_a_picture(kind, given)
    texts, mask = (spoken(kind, rows=3, seed=1), spoken(kind, seed=2)), torch.ones(1, 7, 12)
    how = (patched, 0, 3, 4.0, "euler", "simple", *texts)
    free = common_ksampler(*how, latent, disable_noise=True)[0]["samples"]
    white = common_ksampler(*how, {**latent, "noise_mask": mask}, disable_noise=True)[0]["samples"]
    assert_same_image(white, free)
    mask[..., 6:] = 0
    half = common_ksampler(*how, {**latent, "noise_mask": mask}, disable_noise=True)[0]["samples"]
    assert_same_image(half[..., 6:], given[..., 6:].expand_as(half[..., 6:]), tolerance=1e-3)
    assert not torch.allclose(half[1:, ..., :6], given[..., :6], rtol=0.1)


@pytest.mark.parametrize("kind", ["flux", "qwen-image"])
def test_a_picture_of_your_own(kind, report):
    """The source ends as the picture, and the edits start at its noise: by the inversion's own sigmas, and by
    a sampler that starts at 1, where a flow keeps nothing of what it is given."""
    given = torch.randn(1, TRANSFORMERS[kind].channels, *frames(kind), 7, 12)
    patched, latent, sigmas = of_a_picture(kind, given)
    texts = spoken(kind, rows=3, seed=1), spoken(kind, seed=2)
    (sampled,) = common_ksampler(patched, 0, 3, 4.0, "euler", "simple", *texts, latent, disable_noise=True)
    euler = comfy.samplers.sampler_object("euler")
    own = SamplerCustom.execute(patched, False, 0, 4.0, *texts, euler, sigmas, latent)[0]
    assert_same_image(sampled["samples"], own["samples"], tolerance=0.05)  # from 1, and from 0.9999
    assert_same_image(sampled["samples"][:1], given, tolerance=1e-3)
    assert not torch.allclose(sampled["samples"][1:], given, rtol=0.1)
    lines = [line for _, line in report("PromptToPrompt")]
    assert all("is your picture" in line and "did not start" not in line for line in lines)
    common_ksampler(patched, 0, 1, 4.0, "euler", "simple", *texts, latent)
    assert "did not start at the inversion's noise" in report("PromptToPrompt")[-1][1]


@pytest.mark.parametrize("kind", ["flux", "krea2", *FURTHER])
def test_outside_of_the_masks_is_the_source(kind):
    """Where the last call left an edit nothing of its own; it ends at half of the schedule."""
    store = MaskStore()
    blend = Blend(((1, 2), (1,), (2,)), threshold=0.97, smooth=True)
    how = {"prompts": (spoken(kind, rows=3, seed=1), spoken(kind, seed=2))}
    out = painted(edited(kind, self_until=0.2, blend=blend, store=store), kind, **how)
    masks = store.read(torch.zeros(3, *out.shape[-2:], 3)).bool()
    same = alike(out)
    assert torch.equal(same[1:], ~masks[1:]) and 0.03 < same[1:].float().mean() < 0.97
    half = Blend(blend.words, threshold=0.97, smooth=True, until=0.5)
    assert not alike(painted(edited(kind, self_until=0.2, blend=half), kind, **how))[1:].any()


def alike(out):
    """(images, h, w): where an image is the first one, but for a last step's rounding."""
    out = out.flatten(1, -3)
    return ((out - out[:1]).abs() < 1e-4 * out.std()).all(1)


def test_maps_are_smoothed_by_a_gaussian():
    """Of 7 x 7 tokens, with the edge's values outside."""
    maps = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(1))
    for image, y, x in ((0, 0, 0), (1, 2, 3)):
        total = weights = 0.0
        for dy in range(-3, 4):
            for dx in range(-3, 4):
                weight = math.exp(-(dy * dy + dx * dx) / 2)
                weights += weight
                total += weight * float(maps[image, min(max(y + dy, 0), 3), min(max(x + dx, 0), 4)])
        assert abs(total / weights - float(smoothed(maps)[image, y, x])) < 1e-6


@pytest.mark.parametrize("kind", ["chroma", "wan"])
def test_words_of_t5_are_aligned(kind):
    """Where a model reads text by cross-attention: the new word takes the old one's place."""
    clip = tokenizing(kind)
    source, edit = (encoded_prompt(clip, f"a red {word} at night", 24) for word in ("fox", "hedgehog"))
    taken = align(source, edit, "auto").taken
    old, new = source.tokens.find("red").positions, edit.tokens.find("red").positions
    assert [taken[p].tokens for p in new] == [(p,) for p in old]
    fox, hog = source.tokens.find("fox").positions, edit.tokens.find("hedgehog").positions
    assert {taken[p].tokens for p in hog} == {fox} and taken[hog[0]].share == 1 / len(hog)
    end = max(edit.values) + 1
    assert taken[end].tokens == (max(source.values) + 1,)


@pytest.fixture(scope="module")
def clip():
    return tiny_clip("flux")


def change(clip, **settings):
    prompts = {"source_prompt": "a red cat", "edit_prompts": "a red dog\na red cat in the snow"}
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    return call_node(Node, transformer("flux"), clip, **{**prompts, "latent": latent, **settings})


def test_the_node(clip):
    """Nothing of a word's map is taken, layers of any size hold the shape, and the blend is Shin et al.'s."""
    patched, conditioning, latent, report, _ = change(clip, blend_words="cat, dog")
    ((only,),) = (installed(patched),)
    method = only.method
    assert all(edit.idle for edit in method.edits) and method.self_max_tokens > 1 << 20
    assert (method.blend.until, method.blend.smooth) == (0.5, True)
    assert method.blend.words == ((3,), (3,), (3,))  # the first is a space of its own
    assert conditioning[0][0].shape[:2] == (3, 256) and latent["samples"].shape == (3, 16, 8, 8)
    assert "share one softmax" in report and "may change: dog" in report
    assert change(clip, blend_words="cat", blend_from=0.6)[0] is not None


def test_what_nobody_has_published_is_refused(clip):
    """Weights of words, with what to do."""
    with pytest.raises(ValueError, match="reweight: in this model text and picture share one softmax"):
        change(clip, reweight="red: 3")


def test_the_source_is_encoded_as_it_is_written():
    """Line breaks and spaces are tokens of Qwen's, and the edits, a line each, have them where the source
    has; so the same words are the same prompt."""
    clip, source = tiny_clip("z-image"), " a red\n cat\n"
    for line in ("a red dog", "a red cat", "fluffy dog cat"):
        lines = edit_lines(source, line)
        encoded = encode_unaligned(clip, lines, "", worded=True)
        (((text, _),),) = CLIPTextEncode().encode(clip, source)
        assert torch.equal(encoded.conditioning[0][0][0], text[0])
        assert encoded.prompts.same == (line == "a red cat",)
        assert encoded.prompts.source.tokens.find("red cat").positions


def test_prompts_of_unequal_lengths_are_an_error_of_the_edits():
    """The node has no input `prompts`."""
    lines = edit_lines("a cat", "a red hedgehog in the snow")
    with pytest.raises(ValueError, match=r"^edit_prompts: this text encoder \(qwen3_4b\) makes"):
        encode_unaligned(tiny_clip("z-image"), lines, "", worded=False)


@pytest.mark.parametrize("kind", ["qwen-image", "wan"])
def test_noise_between_steps_is_drawn_for_latents_of_a_video_too(kind):
    """The source gets what it gets alone."""
    how = {"sampler": "euler_ancestral", "steps": 2}
    prompts = spoken(kind, rows=3, seed=1), spoken(kind, seed=2)
    out = painted(edited(kind), kind, prompts=prompts, batch=3, **how)
    source = [[text[:1], more] for text, more in prompts[0]]
    alone = painted(transformer(kind), kind, prompts=(source, prompts[1]), batch=1, **how)
    assert_same_image(out[:1], alone, tolerance=1e-3)
