"""Maps are found for their own picture, with the demo model's real latents and pictures."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps.matching import explained
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_batch import encode_rows

from .tiny import sample

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def runs():
    """A store filled by three runs, with the picture of each and its latents."""
    model, clip, vae = LoadDemoModel.execute().args
    store = MapStore()
    patched = install(model, Recorder(store=store, cross_layers=family_of(model).layer_map().parse("all")))
    prompts = encode_rows(clip, ["a red cat on the beach"]), encode_rows(clip, [""])
    latents, maps = [], []
    for seed in SEEDS:
        latents.append(sample(patched, *prompts, batch=2, height=16, width=12, steps=3, seed=seed))
        maps.append(store.read())
    with torch.inference_mode():
        pictures = [vae.decode(each) for each in latents]
    return store, maps, pictures, latents


def test_a_picture_from_the_cache_finds_its_own_maps(runs):
    """Also when later runs of the same prompt have been recorded since."""
    store, maps, pictures, _ = runs
    assert [store.read(picture) for picture in pictures] == maps
    assert store.read() is maps[-1]


def test_own_latents_explain_a_picture_and_others_do_not(runs):
    """Also after the picture was resized; and not at all for another batch or aspect."""
    _, _, pictures, latents = runs
    for row, own in enumerate(latents):
        for column, picture in enumerate(pictures):
            small = picture[:, ::2, ::2]
            for image in (picture, small):
                assert (explained(own, image) > 0.8) == (row == column)
    assert explained(latents[0], pictures[0][:1]) == 0
    assert explained(latents[0], pictures[0].transpose(1, 2)) == 0
    assert explained(latents[0], torch.zeros_like(pictures[0])) == 0


def test_earlier_runs_are_kept_as_far_as_memory_goes(runs):
    """The last run always; of those before it the latest that fit."""
    _, maps, _, _ = runs
    size = maps[0].megabytes
    for room, kept in ((0.5, 0), (2.5, 1), (3.5, 2)):
        store = MapStore()
        for each in maps:
            store.add(replace(each), room * size)
        assert len(store.earlier) == kept
        assert store.read().latents is maps[-1].latents


def test_maps_that_made_room_are_missed(runs):
    """Rather than shown of another run; the picture of the last run still finds its own."""
    _, maps, pictures, _ = runs
    store = MapStore()
    for each in maps:
        store.add(each, 0.5 * each.megabytes)
    assert store.read(pictures[-1]) is maps[-1]
    with pytest.raises(ValueError, match=r"^maps: nothing was kept .* had to make room .* `memory_limit_mb`"):
        store.read(pictures[0])
