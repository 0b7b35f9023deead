"""The layout nodes behind a transformer and its text encoder: report, guidance, outlines, leakage."""

import re
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention as Method
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance as GuidanceMethod
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install, installed
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance
from attention_control.nodes.layout.layout_report import describe_bounds

from .guidance_methods import LAYOUT
from .just import Just
from .node_calls import call_node
from .specimen import model
from .tiny import tiny_clip
from .tiny.transformers import painted, spoken, transformer

PROMPT = "a ginger kitten and a gray puppy"
BOXES = "0 0 300 512: ginger kitten\n312 0 200 512: gray puppy"
PLACES = {"boxes": BOXES, "subjects": "", "width": 512, "height": 512}


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@cache
def clip():
    return tiny_clip("flux")


def run(patched, positive, **how):
    """Of one image, without a negative prompt, as Flux is used."""
    return painted(patched, "flux", prompts=(positive, spoken("flux", seed=2)), batch=1, cfg=1.0, **how)


def bounded(**settings):
    return call_node(BoundedAttention, transformer("flux"), clip(), PROMPT, **{**PLACES, **settings})


def test_words_of_t5_are_bounded_where_it_is_published():
    """The report says where, and in what part of the schedule."""
    patched, positive, report = bounded(guidance_until=0.0, refine_from=1.0)
    assert "ginger kitten: ginger kitten (token " in report
    assert report.endswith(
        "Bounded until 0.4 of the schedule, auto: words in double 0; single 0, 2; pixels among themselves in "
        "the same."
    )
    plain = run(transformer("flux"), positive)
    assert not torch.allclose(run(patched, positive), plain, rtol=0.01)
    never, *_ = bounded(bounded_until=0.0)
    assert torch.equal(run(never, positive), plain)


def test_what_is_bounded_is_said_in_short():
    """For pixels that see each other everywhere; nothing where all is bounded always, as in U-Nets."""
    z_image, unet = family_of(transformer("z-image")), family_of(model("sd15"))
    assert describe_bounds(Method(layout=LAYOUT), z_image, "auto") == [
        "Bounded until 1 of the schedule, auto: words in single 0; pixels among themselves in none."
    ]
    assert describe_bounds(Method(layout=LAYOUT), unet, "auto") == []


def test_masks_work_alone_where_there_is_no_gradient():
    """The report says why; the node that has nothing but a gradient refuses."""
    patched, _, report = call_node(BoundedAttention, transformer("hidream"), clip(), PROMPT, **PLACES)
    ((only,),) = (installed(patched),)
    assert only.method.guidance is None and not only.method.guides
    assert "Not guided, masks alone: its tokens go to the experts that fit them best" in report
    with pytest.raises(
        ValueError, match="this is HiDream, on which LayoutGuidance does not work: its tokens"
    ):
        call_node(LayoutGuidance, transformer("hidream"), clip(), PROMPT, **PLACES)


def loss(line):
    """Of the first image, at the first look and at the last."""
    found = re.search(r"loss (\d+\.\d+)[^>]*-> (\d+\.\d+)", line)
    return float(found[1]), float(found[2])


def test_guidance_brings_its_loss_down(report):
    """By the node's own layers, which the report names."""
    patched, positive = call_node(
        LayoutGuidance, transformer("flux"), clip(), PROMPT, **PLACES, guidance_until=1.0, loss_target=0.0
    )
    run(patched, positive, steps=1)
    line = report("LayoutGuidance")[-1][1]
    before, after = loss(line)
    assert after < before and "Looked at double 0-1; single 0-2." in line


@pytest.mark.parametrize("kind", ["z-image", "cosmos"])
def test_guidance_of_other_families(kind, report):
    """A flow whose whole graph is held, and one whose latents are picture plus noise."""
    guided = GuidanceMethod(layout=LAYOUT, effort=Effort(1.0, iterations=4, target=0.0))
    painted(install(transformer(kind), guided), kind, steps=1)
    before, after = loss(report("LayoutGuidance")[-1][1])
    assert after < before


def test_bounds_with_guidance_and_outlines(report):
    """The paper's whole method, in four steps."""
    patched, positive, _ = bounded(guidance_until=0.5, bounded_until=1.0, guidance_iterations=1)
    run(patched, positive, steps=4)
    line = report("BoundedAttention")[-1][1]
    assert "Guided 2 steps with " in line and "Masks found anew at 0.50, 0.75 of the schedule." in line


def test_leakage_shrinks_with_bounds():
    """Of recorded maps: in bounded layers words lie in their own boxes, and pixels look at their own."""
    shares = []
    for until in (0.0, 1.0):
        patched, positive, _ = bounded(guidance_until=0.0, refine_from=1.0, bounded_until=until, layers="all")
        recording, maps, *_ = call_node(
            AttentionRecorder, patched, layers="double 0, single 0", queries_and_keys=True
        )
        run(recording, positive, height=8, width=8)
        figure, report = call_node(AttentionLeakage, maps, torch.rand(1, 64, 64, 3), clip(), PROMPT, **PLACES)
        assert figure.shape[0] == 1
        (kitten,) = (line for line in report.splitlines() if "kitten |" in line)
        shares.append([int(share.strip("% ")) for share in kitten.split("|")[3:9]])
    plain, bounded_ = shares
    assert bounded_ == [100, 0, 0, 100, 0, 0]  # words in the own box, in others', outside; pixels likewise
    assert plain[0] < 90 and plain[3] < 90


@dataclass
class Asking:
    """Notes what latents are made of."""

    seen: list = field(default_factory=list)

    def denoise(self, latents, model):
        self.seen.append((model.signal, model.sigma))
        return model.rest(latents)


def test_what_latents_are_made_of():
    """The shifts of guidance are by their variance: of a mean of picture and noise, or of a sum."""
    for kind in ("flux", "cosmos"):
        asking = Asking()
        painted(install(transformer(kind), Just([asking])), kind, steps=2, batch=1)
        assert all(signal == (1 - sigma if kind == "flux" else 1) for signal, sigma in asking.seen)


def test_recorded_queries_have_no_places():
    """They are those that the host rotates, before it does."""
    caught = []

    def catch(q, k, v, pe, attn_mask, extra_options):
        caught.append((q, k))
        return {}

    spied = transformer("flux").clone()
    spied.set_model_attn1_patch(catch)
    recording, maps, *_ = call_node(
        AttentionRecorder, spied, layers="double 0", queries_and_keys=True, time_bins=1
    )
    run(recording, spoken("flux", seed=1), steps=1)
    (layer,) = maps.read().layers
    for kept, given in ((layer.queries, caught[0][0]), (layer.keys, caught[0][1])):
        assert torch.allclose(kept["positive"][0].float(), given[:, :, -24:].float(), rtol=2e-3, atol=2e-3)
