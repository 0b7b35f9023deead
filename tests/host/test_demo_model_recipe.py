"""The whole training runs, stops and goes on, and its files are a model that the host samples with."""

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from attention_control.demo_model import train
from attention_control.demo_model.architecture import CHANNELS, latent_channels
from attention_control.demo_model.evaluation.generate import generate
from attention_control.demo_model.judge import Judge
from attention_control.demo_model.training.clock import Clock
from attention_control.demo_model.training.composer import Composer, phases, plan
from attention_control.demo_model.training.files import Places, load_checkpoint, save_checkpoint, save_weights
from attention_control.demo_model.training.latents import decibels, encode
from attention_control.demo_model.training.pool import CANVASES, load_pool
from attention_control.demo_model.training.stream import Pictures, Ring, StreamBatches
from attention_control.demo_model.training.text import Words
from attention_control.demo_model.training.unet import Trained
from attention_control.demo_model.training.weights import load_part, load_vae_network, write_list
from attention_control.demo_model.world import Sprites, render, sample_crowd
from attention_control.demo_model.world.scene import SIZES
from attention_control.demo_model.world.surfaces import finish
from attention_control.demo_model.world.vocabulary import (
    DRAWINGS,
    EVERY_BACKGROUND,
    EVERY_COLOUR,
    STYLES,
    SUBJECTS,
)
from attention_control.nodes.host.demo_model import WEIGHTS, SD1Tokenizer, load_demo_model

from .test_demo_model import sample
from .tiny.precision import nearly

CPU = torch.device("cpu")
DRY = ["--recipe", "dry", "--small", "4", "--full", "4", "--decoded", "2"]


@pytest.fixture(scope="module")
def sprites():
    """Discs of one size per noun: the real drawings need npm."""
    tiles = {}
    for size, style in product(SIZES, STYLES):
        y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
        for number, noun in enumerate(SUBJECTS):
            inside = np.clip((0.28 + 0.004 * number - np.hypot(x, y)) * size + 0.5, 0, 1)
            drawn = finish(style, np.where(x > 0, 0.8, 0.3).astype(np.float32), inside.astype(np.float32))
            tile = (drawn * 255).round().astype(np.uint8)
            tiles |= {(drawing, style, noun, size): tile for drawing in DRAWINGS}
    return Sprites(tiles)


@pytest.fixture(scope="module")
def words():
    return Words(SD1Tokenizer())


def dry(folder, sprites, *arguments):
    """One call of the command with seconds of training; whether it got to its end."""
    options = train.parse([*DRY, "--cache", str(folder), *arguments])
    return train.train(options, CPU, sprites)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sprites):
    """The cache of a training that was stopped at once, and then went on."""
    cache = tmp_path_factory.mktemp("training")
    assert not dry(cache, sprites, "--sitting", "0.0001")
    assert (cache / "vae.json").is_file() and not (cache / "weights" / "unet.safetensors").exists()
    assert dry(cache, sprites)
    return cache


@pytest.fixture(scope="module")
def demo(folder):
    return load_demo_model(folder / "weights")


def test_one_command_makes_a_model_of_sixteen_channels(folder, demo):
    """All files are there and fit each other; the host samples from an empty latent of 4 channels."""
    latents, images = sample((demo.model, demo.clip, demo.vae), "a brown cat on a bed", 1, size=64)
    assert latents.shape == (1, CHANNELS, 8, 8)
    assert images.shape == (1, 64, 64, 3) and torch.isfinite(images).all()
    assert demo.vae.encode(images).shape == (1, CHANNELS, 8, 8)
    with torch.inference_mode():
        tiled = demo.vae.encode_tiled(images, tile_x=64, tile_y=64, overlap=16)
    assert tiled.shape == (1, CHANNELS, 8, 8)


def test_evaluation_reads_latents_of_either_kind(demo, monkeypatch):
    """Noise has as many channels as the model's latents."""
    monkeypatch.setattr("attention_control.demo_model.evaluation.generate.STEPS", 2)
    (image,) = generate(demo, ["a red cat"], [1], size=64)
    assert image.shape == (64, 64, 3)


def test_the_judge_of_a_training_knows_the_whole_world(folder):
    """Its files say how many colours and backgrounds it tells apart: the committed one tells fewer."""
    made, committed = Judge.load(folder / "weights" / "judge.safetensors"), Judge.load()
    assert made.detector.channels["colour"] == len(EVERY_COLOUR)
    assert made.detector.background.out_features == len(EVERY_BACKGROUND)
    assert committed.detector.channels["colour"] == len(EVERY_COLOUR) - 1
    assert committed.detector.background.out_features == len(EVERY_BACKGROUND) - 1


def test_a_finished_step_is_not_done_again(folder, sprites):
    """The same command leaves the autoencoder as it is: a U-Net has learnt its latents."""
    before = (folder / "weights" / "vae.safetensors").read_bytes()
    assert dry(folder, sprites, "vae")
    assert (folder / "weights" / "vae.safetensors").read_bytes() == before


def test_training_from_the_committed_weights_keeps_all_but_the_ends():
    """A U-Net of other latents gives everything between its first and its last layer."""
    given = load_part(WEIGHTS, "unet")
    trained = Trained(4 if latent_channels(given) == 16 else 16)
    trained.load_weights(WEIGHTS)
    own = trained.unet.state_dict()
    fresh = {
        name
        for name in own
        if own[name].shape != given[name].shape or not torch.equal(own[name], given[name])
    }
    assert fresh == {"input_blocks.0.0.weight", "out.2.weight", "out.2.bias"}


def test_new_latents_have_deviation_one(folder):
    """The statistics of an autoencoder's latents are folded into it, as the schedule asks."""
    latents = load_pool(folder, "full").latents.float()
    assert 0.5 < latents.std() < 2 and latents.mean().abs() < 0.5


def test_sixteen_channels_say_how_good_they_are(folder, sprites):
    """The measure that decides on an autoencoder: a finite number of decibels."""
    scene = sample_crowd(np.random.default_rng(0), 64, 64, 1)
    picture = torch.from_numpy(render(scene, sprites).image).movedim(-1, 0)[None].float() / 127.5 - 1
    assert 0 < decibels(Places(folder, folder / "weights", folder), picture) < 60


@pytest.mark.parametrize("canvas", CANVASES)
def test_pictures_composed_on_the_device_equal_rendered_ones(sprites, canvas):
    """Same pixels to two levels of 255, same coverage, for all that scenes can hold."""
    rng, height = np.random.default_rng(3), CANVASES[canvas][0]
    numbers = rng.integers(0, 2, 24).tolist()
    counts = [1 + i % 5 if canvas == "full" else 1 for i in range(24)]
    scenes = [
        replace(sample_crowd(rng, height, height, count), phase=phases(2)[number])
        for count, number in zip(counts, numbers, strict=True)
    ]
    assert any(subject.wears for scene in scenes for subject in scene.subjects)
    images, coverage = Composer(sprites, CANVASES[canvas], CPU, 2)(plan(scenes, numbers))
    for scene, image, cover in zip(scenes, images, coverage, strict=True):
        picture = render(scene, sprites)
        painted = (image.movedim(0, -1) + 1) * 127.5
        assert (painted - torch.from_numpy(picture.image).float()).abs().max() <= 2
        masks = torch.nn.functional.avg_pool2d(torch.from_numpy(picture.masks)[None], 8)[0]
        assert nearly(cover[: len(masks)], masks, atol=0.01) and not cover[len(masks) :].any()


def test_streamed_batches_are_latents_of_their_own_captions(folder, sprites, words):
    """Painted, encoded and drawn from the ring: sizes fit, and every caption is one that can be read."""
    network = load_vae_network(Places(folder, folder / "weights", folder))
    pictures = {"small": Pictures(sprites, "small", words, CPU, 0, 0, 4, 2)}
    source = StreamBatches(pictures, network, {"small": 6}, capacity=8)
    batch = source.draw("small")
    ids, lengths = batch.words
    assert batch.latents.shape == (6, CHANNELS, 8, 8) and batch.coverage.shape == (6, 5, 8, 8)
    assert ids.shape == (6, 77) and (lengths >= 2).all() and (ids < len(words.rows)).all()
    assert (batch.coverage[:, 0].amax((1, 2)) > 0.5).all()


def test_a_ring_keeps_the_latest_rows():
    """Five rows into a ring of four: the first is gone, rows of all stores stay together."""
    ring = Ring(4)
    for first in (0, 3):
        ring.put(torch.arange(first, first + 3), 10 * torch.arange(first, first + 3))
    drawn, tens = ring.draw(200)
    assert set(drawn.tolist()) == {2, 3, 4, 5} and torch.equal(tens, 10 * drawn)


def test_checkpoints_come_in_parts_and_say_what_is_wrong(tmp_path):
    """Small parts give the same state again, older parts are gone; a missing or damaged one is named."""
    for seed in range(2):
        state = {"x": torch.randn(100, generator=torch.Generator().manual_seed(seed)), "minutes": 1.5}
        save_checkpoint(tmp_path, "unet", state, part_bytes=500)
    parts = sorted(tmp_path.glob("*.part"))
    assert len(parts) > 2 and max(part.stat().st_size for part in parts) <= 500
    assert torch.equal(load_checkpoint(tmp_path, "unet")["x"], state["x"])
    assert len(parts) == len(json.loads((tmp_path / "unet.json").read_text())["parts"])
    parts[0].write_bytes(bytes(500))
    with pytest.raises(RuntimeError, match="damaged"):
        load_checkpoint(tmp_path, "unet")
    parts[1].unlink()
    with pytest.raises(RuntimeError, match="all parts that it lists"):
        load_checkpoint(tmp_path, "unet")


def test_a_clock_counts_all_runs_and_heeds_its_end():
    """Half an hour before and none now is half of an hour; a time that is over ends it whatever is left."""
    clock = Clock(60, before=30)
    assert 0.5 <= clock.share < 0.51 and clock.running
    assert not Clock(60, until=time.monotonic() - 1).running


def test_a_signal_ends_training_and_nothing_else():
    """Asked to end, the clock stops after the step; what signals did before, they do afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    with Clock(60) as clock:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not clock.running
    assert signal.getsignal(signal.SIGTERM) is before


def test_files_of_two_trainings_are_refused(tmp_path, folder):
    """A U-Net and an autoencoder of unlike latents are an error that says which is which."""
    mixed = tmp_path / "weights"
    shutil.copytree(folder / "weights", mixed)
    unet = load_part(mixed, "unet")
    ends = {"input_blocks.0.0.weight": unet["input_blocks.0.0.weight"][:, :4].contiguous()}
    ends |= {name: unet[name][:4].contiguous() for name in ("out.2.weight", "out.2.bias")}
    save_weights(mixed / "unet.safetensors", unet | ends)
    write_list(mixed)
    with pytest.raises(RuntimeError, match="U-Net works on latents of 4 channels, the autoencoder makes 16"):
        load_demo_model(mixed)


def test_a_pool_follows_its_autoencoder(tmp_path, sprites):
    """Latents of an earlier one are no pictures to the next, and are made anew; others stay."""
    dry(tmp_path, sprites, "vae", "pool")
    made = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("pool-*.pt"))]
    dry(tmp_path, sprites, "pool")
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("pool-*.pt"))] == made
    dry(tmp_path, sprites, "vae", "pool", "--afresh")
    network = load_vae_network(Places(tmp_path, tmp_path / "weights", tmp_path))
    pool = load_pool(tmp_path, "small")
    painted = [torch.from_numpy(render(scene, sprites).image).movedim(-1, 0) for scene in pool.scenes]
    own = encode(network, torch.stack(painted).float() / 127.5 - 1)
    assert (own - pool.latents.float()).abs().max() <= 0.02 * own.std()
