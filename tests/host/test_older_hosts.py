"""Hosts that lack something, which is said in a sentence. `docs/hosts.md` has real ones."""

import asyncio

import pytest
from attention_control.nodes.host import layer_patch
from attention_control.nodes.host.families.host_classes import host_class
from comfy_api.latest import io

from .specimen import model


def as_in_0_18(layers, x, emb, **rest):
    """That host asks the patch of layers of unknown kinds alone."""
    for layer in layers:
        x = layer(x, emb)
    return x


@pytest.mark.parametrize(
    ("where", "name", "instead", "words"),
    [
        (io, "NodeReplace", None, r"replacement of nodes \(io\.NodeReplace\)"),
        (layer_patch, "forward_timestep_embed", as_in_0_18, "patches round the layers of a U-Net"),
    ],
)
def test_a_host_too_old_for_the_pack_is_refused_in_a_sentence(pack, monkeypatch, where, name, instead, words):
    """It names the version that works and what is missing; the host at hand lacks nothing."""
    asyncio.run(pack.comfy_entrypoint())
    if instead is None:
        monkeypatch.delattr(where, name)
    else:
        monkeypatch.setattr(where, name, instead)
    with pytest.raises(RuntimeError, match=rf"ComfyUI 0\.20\.1 or newer, .* has no {words}\. Update ComfyUI"):
        asyncio.run(pack.comfy_entrypoint())


def test_networks_that_the_host_does_not_know_are_nobodys():
    """Their family stays, and fits nothing."""
    absent = host_class("comfy.ldm.of_tomorrow.model", "Tomorrow")
    assert absent is host_class("comfy.ldm.flux.model", "Tomorrow")
    assert not isinstance(model("sd15").get_model_object("diffusion_model"), absent)
