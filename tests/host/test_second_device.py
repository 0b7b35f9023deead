"""What the pack does on a device of its own: the same, and no tensor of the processor is in the way."""

from dataclasses import replace
from functools import cached_property

import pytest
import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.methods.bounded_attention.refinement import Evidence
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.save_attention_maps_node import SaveAttentionMaps
from attention_control.nodes.inspect.self_segment_node import SelfSegment
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from attention_control.nodes.inversion.reconstruct_latent_node import ReconstructLatent
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention
from attention_control.nodes.style.style_aligned_batch_node import StyleAlignedBatch
from comfy_extras.nodes_custom_sampler import SamplerCustom

from .devices import host_on_the_pretended_device
from .guidance_methods import METHODS as GUIDANCES
from .laws import SIZE, enough
from .methods import METHODS
from .node_calls import call_node
from .pretended_device import CPU, PRETENDED, pretended_device, tensors
from .recorded import recorder
from .specimen import IMAGES
from .test_several_devices import on_two_devices
from .tiny import conditioning, sample, tiny_model
from .tiny.precision import nearly

PROMPT = "a red cat and a blue dog"
WORDS = {"prompt": PROMPT, "subjects": "cat, dog"}
ROOM = {"height": 8, "width": 12}


def run(method):
    """A run of a method, of two steps where it works on with what it has kept of the first."""
    model = tiny_model("sd15", layout="shallow")
    prompts = [conditioning(model, rows, seed=rows) for rows in (IMAGES, 1)]
    return sample(method.on(model), *prompts, batch=IMAGES, **SIZE, **enough(method))


@pytest.mark.parametrize("method", [*METHODS, *GUIDANCES], ids=lambda method: method.name)
def test_a_method_makes_the_picture_of_the_processor(method):
    """To the bit, since the device is pretended; a tensor that was left behind would be refused."""
    expected = run(method)
    with host_on_the_pretended_device():
        assert torch.equal(run(method), expected)


def test_a_text_that_moves_to_another_device_goes_on_in_its_mean():
    """The host shares out anew what is left when a conditioning's part of the schedule ends."""

    def recorded(share):
        model = tiny_model("sd15", layout="shallow")
        positive, negative = (conditioning(model, seed=n) for n in (1, 2))
        early = [[positive[0][0], {**positive[0][1], "end_percent": 0.5}]]
        patch, store = recorder(model, roles=("positive", "negative"), time_bins=1, queries_and_keys=True)
        sample(install(share(model), patch), early, negative, batch=2, steps=4, **SIZE)
        return store.read()

    expected = recorded(lambda model: model)
    with host_on_the_pretended_device():
        found = recorded(lambda model: on_two_devices(model, set()))
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        assert nearly(ours.cross_attention["negative"], theirs.cross_attention["negative"], atol=1e-3)
        assert nearly(ours.self_attention["negative"], theirs.self_attention["negative"], atol=1e-3)


def test_subjects_are_sought_in_what_both_devices_have_seen():
    """The same where the text is on one device first and on the other then."""

    def gathered(*devices):
        evidence = Evidence()
        draw = torch.Generator().manual_seed(1)
        for device in devices:
            own = QKV(*(torch.randn(2, 3, 12, 4, generator=draw).to(device) for _ in range(3)))
            text = replace(own, k=torch.randn(2, 3, 7, 4, generator=draw).to(device))
            evidence.add_self(own, slice(0, 2))
            evidence.add_cross(text, slice(0, 2), 7, [(1, 2), (3,)])
        return [found[image].values.cpu() for found in (evidence.own, evidence.words) for image in (0, 1)]

    expected = gathered(CPU, CPU)
    with pretended_device():
        assert all(map(torch.equal, gathered(CPU, PRETENDED), expected))


class Graph:
    """Nodes fed with what other nodes keep on a device: pictures, masks, latents, texts."""

    def __init__(self, device, clip):
        self.device, self.clip = device, clip
        self.model = tiny_model("sd15")
        self.latent = {"samples": self.drawn(1, 4, *ROOM.values())}
        self.positive, self.negative = (self.there(conditioning(self.model, seed=n)) for n in (1, 2))
        self.pictures = self.drawn(1, 64, 96, 3).sigmoid()
        self.masks = self.there(torch.zeros(2, 64, 96))
        self.masks[0, :, :40], self.masks[1, :, 60:] = 1.0, 1.0

    def there(self, value):
        """A value whose tensors are on the device."""
        if isinstance(value, torch.Tensor):
            return value.to(self.device)
        if isinstance(value, dict):
            return {key: self.there(part) for key, part in value.items()}
        return [self.there(part) for part in value] if isinstance(value, list) else value

    def drawn(self, *shape):
        return self.there(torch.randn(shape, generator=torch.Generator().manual_seed(3)))

    def sampled(self, model):
        return sample(model, self.positive, self.negative, latent=self.latent["samples"])

    @cached_property
    def maps(self):
        """Those of a recorded run."""
        patched, maps = call_node(AttentionRecorder, self.model, queries_and_keys=True)
        self.sampled(patched)
        return maps

    def inversion(self, method="edit friendly ddpm"):
        sigmas = {"scheduler": "ddim_uniform", "steps": 3, "negative": self.negative}
        return call_node(InvertLatent, self.model, self.positive, self.latent, method=method, **sigmas)


def bounded(graph):
    given = {"masks": graph.masks, "boxes": "", "subjects": "cat, dog", "refine_from": 0.4}
    patched, *_ = call_node(BoundedAttention, graph.model, graph.clip, PROMPT, **given)
    return graph.sampled(patched)


def guided(graph):
    given = {"masks": graph.masks, "boxes": "", "subjects": "cat, dog"}
    patched, _ = call_node(LayoutGuidance, graph.model, graph.clip, PROMPT, **given)
    return graph.sampled(patched)


def aligned(graph):
    patched, *_ = call_node(StyleAlignedBatch, graph.model, reference_picture=graph.inversion()[0])
    latent = torch.cat([graph.latent["samples"]] * 2)
    return sample(patched, graph.positive, graph.negative, latent=latent)


def transferred(graph):
    """With one mask given and one found."""
    inversion = graph.inversion()[0]
    given = {"structure_mask": graph.masks[:1], "clip": graph.clip, "subject": "cat"}
    patched, sampler, sigmas, latent = call_node(
        CrossImageAttention, graph.model, inversion, inversion, **given
    )
    prompts = graph.positive, graph.negative
    out = SamplerCustom.execute(patched, False, 0, 1.0, *prompts, sampler, sigmas, latent).args
    return latent["samples"], out[0]["samples"]


def inverted(graph):
    inversion, latent, _ = graph.inversion("ddim")
    again, report = call_node(ReconstructLatent, graph.model, graph.positive, inversion)
    return latent["samples"], again["samples"], report


def probed(graph):
    (maps,) = call_node(AttentionProbe, graph.model, graph.positive, graph.latent)
    return call_node(AttentionMapViewer, graph.pictures, maps=maps, clip=graph.clip, prompt=PROMPT)


def read(graph):
    """By every node that reads maps."""
    call_node(SaveAttentionMaps, graph.maps, image=graph.pictures)
    seen = {"maps": graph.maps, "clip": graph.clip, "prompt": PROMPT}
    viewed = call_node(AttentionMapViewer, graph.pictures, **seen)
    segmented = call_node(SelfSegment, graph.maps, graph.pictures, graph.clip, **WORDS)
    given = {"boxes": "0 0 40 64: cat\n60 0 36 64: dog", "subjects": "", "width": 96, "height": 64}
    measured = call_node(AttentionLeakage, graph.maps, graph.pictures, graph.clip, PROMPT, **given)
    return graph.pictures, viewed, segmented, measured


NODES = [bounded, guided, aligned, transferred, inverted, probed, read]


@pytest.mark.parametrize("nodes", NODES, ids=lambda nodes: nodes.__name__)
def test_nodes_take_what_the_host_keeps_on_a_device(nodes, clip, temp, monkeypatch):
    """With `--gpu-only` all that nodes exchange is there, and what ours give is there as well."""
    monkeypatch.setattr("folder_paths.output_directory", str(temp))
    with torch.inference_mode():
        expected = list(tensors(nodes(Graph(CPU, clip))))
        with host_on_the_pretended_device(everything=True):
            found = list(tensors(nodes(Graph(PRETENDED, clip))))
            assert {x.device for x in found} == {PRETENDED}
            assert all(torch.equal(x.cpu(), y) for x, y in zip(found, expected, strict=True))
