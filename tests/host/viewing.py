"""A run that is recorded for AttentionMapViewer, and the node as the server calls it."""

import json
from pathlib import Path

import folder_paths
import numpy as np
import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from PIL import Image

from .specimen import SHALLOW, fresh_model
from .tiny import conditioning, sample

PROMPT = "a red cat, wearing sunglasses, on the (beach:1.2) and a second cat"
CONTENT = ["red", "cat", "wearing", "sunglasses", "beach", "second"]
IMAGES, STEPS = 2, 3
LATENT = (9, 13)
SIZE = (100, 131)  # as some autoencoders make: no multiple of the grid
DEFAULTS = {
    "mode": "words",
    "words": "",
    "layer": "all",
    "time": "all",
    "threshold": 0.5,
    "colormap": "magma",
    "prompt": "",
    "x": 0.5,
    "y": 0.5,
    "point_image": 0,
    "features": "self-attention",
    "rows": "conditional",
}


def record(clip, prompt=PROMPT, equal=False, kinds=("cross", "self"), **settings):
    """The store of one run, a slice per step; `equal`: a batch of the same picture twice."""
    model = fresh_model(SHALLOW)
    layers = family_of(model).layer_map().parse("all")
    store = MapStore()
    chosen = {f"{kind}_layers": layers for kind in kinds}
    recorder = Recorder(store=store, time_bins=STEPS, **{**chosen, "queries_and_keys": True, **settings})
    with torch.inference_mode():
        text, pooled = clip.encode_from_tokens(clip.tokenize(prompt), return_pooled=True)
    positive = [[text, {"pooled_output": pooled}]]
    negative = conditioning(model, seed=2, tokens=text.shape[1])
    where = {"latent": torch.zeros(IMAGES, 4, *LATENT), "images": [0, 0] if equal else [0, 1]}
    sample(install(model, recorder), positive, negative, steps=STEPS, **where)
    return store


PICTURES = torch.rand(IMAGES, *SIZE, 3, generator=torch.Generator().manual_seed(0))


def view(store, clip=None, image=PICTURES, **settings):
    """IMAGE, MASK and payload, as the server calls the node."""
    with torch.inference_mode():
        out = AttentionMapViewer.execute(maps=store, image=image, clip=clip, **{**DEFAULTS, **settings})
    (payload,) = out.ui["attention_maps"]
    return *out.args, json.loads(json.dumps(payload))


def pixels(file):
    """A file of the payload as the browser gets it."""
    assert file["type"] == "temp"
    with Image.open(Path(folder_paths.get_temp_directory(), file["subfolder"], file["filename"])) as image:
        return torch.from_numpy(np.array(image))


def word_map(layer, image, positions, slices):
    """(h, w): mean over the pieces of a word and over slices, from the recorded tensor."""
    kept = layer.cross_attention["positive"][slices, image, 0].float()  # (slices, N, tokens)
    return kept[..., list(positions)].mean((0, 2)).reshape(layer.grid)
