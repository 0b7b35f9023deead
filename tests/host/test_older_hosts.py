"""Hosts that lack something: said by name, with the version that brings it. `docs/hosts.md` has real ones."""

import asyncio

import pytest
from attention_control.nodes.host.families import host_classes
from attention_control.nodes.host.families.unet import layer_patch
from comfy_api.latest import io

from .plugging import plugged
from .specimen import model
from .transfers import inverted


def test_a_host_too_old_for_the_pack_is_refused_in_a_sentence(pack, monkeypatch):
    """Before any node of the pack is imported."""
    monkeypatch.delattr(io, "NodeReplace")
    with pytest.raises(RuntimeError, match=r"0\.18\.2 or newer.*no io\.NodeReplace\. Update"):
        asyncio.run(pack.comfy_entrypoint())


def test_features_are_refused_where_the_host_shows_no_resblock(monkeypatch):
    """As 0.18.2 does, which asks the patch of layers of unknown kinds alone."""

    def older(layers, x, emb, **rest):
        for layer in layers:
            x = layer(x, emb)
        return x

    guide = inverted("sd15", 1, method="ddim")
    assert plugged("sd15", guide)
    monkeypatch.setattr(layer_patch, "forward_timestep_embed", older)
    with pytest.raises(ValueError, match=r"PlugAndPlay does not work.*update it to 0\.20\.1 or newer\.$"):
        plugged("sd15", guide)


def test_networks_that_the_host_does_not_know_are_nobodys():
    """Their family stays, and fits nothing."""
    absent = host_classes.host_class("comfy.ldm.of_tomorrow.model", "Tomorrow")
    assert absent is host_classes.host_class("comfy.ldm.flux.model", "Tomorrow")
    assert not isinstance(model("sd15").get_model_object("diffusion_model"), absent)
