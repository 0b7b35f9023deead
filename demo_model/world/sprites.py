"""The drawings: fetched as npm packages, rendered once, finished in their style, kept at a few sizes."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scene import SIZES
from .surfaces import finish, margin
from .vocabulary import DRAWINGS, STYLES, SUBJECTS

VERSIONS = {
    "fluent-emoji": "1.2.7",
    "fluent-emoji-flat": "1.2.6",
    "noto": "1.2.9",
    "twemoji": "1.2.5",
}
RENDERED = 144  # pixels at which the vector drawing is rasterised, twice the largest size


@dataclass(frozen=True)
class Sprites:
    """(size, size, 4) uint8 arrays by (drawing, style, noun, size), as `surfaces.finish` makes them."""

    tiles: dict[tuple[str, str, str, int], NDArray[np.uint8]]

    def tile(self, drawing: str, style: str, noun: str, size: int) -> NDArray[np.float32]:
        """(size, size, 4), each 0..1."""
        return self.tiles[drawing, style, noun, size].astype(np.float32) / 255

    @classmethod
    def load(cls, cache: Path) -> "Sprites":
        """The drawings from `cache`; what is missing there is fetched with npm and rendered with resvg.

        Where there is no network, `drawings.npz` in the cache is enough.
        """
        path = cache / "styled-sprites.npz"
        if not path.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            tiles = {"/".join(map(str, key)): tile for key, tile in _render_all(cache).items()}
            temporary = path.with_suffix(f".{os.getpid()}.npz")
            np.savez(temporary, **tiles)
            temporary.replace(path)
        return cls(_read(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=1)
def _read(path: Path, _: int) -> dict[tuple[str, str, str, int], NDArray[np.uint8]]:
    """What is in a file, which changes with its time."""
    with np.load(path) as stored:
        keys = [(k, k.split("/")) for k in stored.files]
        return {(d, s, n, int(z)): stored[k] for k, (d, s, n, z) in keys}


def _render_all(cache: Path) -> dict[tuple[str, str, str, int], NDArray[np.uint8]]:
    return {
        (package, style, noun, size): tile
        for (package, noun), drawn in drawings(cache).items()
        for style, size, tile in finished(drawn)
    }


def finished(drawn: NDArray[np.float32]) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    """(style, size, tile) of a drawing as `_rasterise` gives it, in all styles and sizes."""
    for style in STYLES:
        drawing = _with_margin(drawn, margin(style))
        tile = finish(style, drawing[..., 0], drawing[..., 1])
        for size in SIZES:
            yield style, size, np.round(_resize(tile, size) * 255).astype(np.uint8)


def drawing_of(cache: Path, package: str, name: str) -> NDArray[np.float32]:
    """One drawing of a set by its name there, (RENDERED, RENDERED, 2), as `_rasterise` gives it."""
    return _rasterise(_icons(cache, package), name)


def drawings(cache: Path) -> dict[tuple[str, str], NDArray[np.float32]]:
    """All drawings as `_rasterise` gives them, from one file of a few MB that a machine can be sent."""
    path = cache / "drawings.npz"
    if not path.is_file():
        planes = {
            f"{package}/{noun}": np.round(_rasterise(icons, name) * 255).astype(np.uint8)
            for package, icons in ((p, _icons(cache, p)) for p in DRAWINGS)
            for noun, name in SUBJECTS.items()
        }
        temporary = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(temporary, **planes)
        temporary.replace(path)
    with np.load(path) as stored:
        keys = [k.split("/") for k in stored.files]
        return {(d, n): stored[f"{d}/{n}"].astype(np.float32) / 255 for d, n in keys}


def _icons(cache: Path, package: str) -> dict[str, Any]:
    """The package's icon table; the archive is fetched into the cache if it is not there."""
    name = f"iconify-json-{package}-{VERSIONS[package]}.tgz"
    if not (cache / name).is_file():
        spec = f"@iconify-json/{package}@{VERSIONS[package]}"
        try:
            subprocess.run(["npm", "pack", spec, "--silent"], cwd=cache, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(
                f"could not fetch {spec} with `npm pack` ({error}); install npm, or put {name} into {cache}"
            ) from error
    with tarfile.open(cache / name) as archive:
        member = archive.extractfile("package/icons.json")
        assert member is not None
        table: dict[str, Any] = json.load(member)
    return table


def _rasterise(table: dict[str, Any], name: str) -> NDArray[np.float32]:
    """(RENDERED, RENDERED, 2): luminance, brought to a middle mean and a common spread, and coverage."""
    import resvg_py
    from PIL import Image

    icon = table["icons"][name]
    width, height = icon.get("width", table["width"]), icon.get("height", table["height"])
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{RENDERED}" height="{RENDERED}" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg)
    rgba = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"), np.float32) / 255
    luminance, coverage = rgba[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32), rgba[..., 3]
    mean = float((luminance * coverage).sum() / coverage.sum())
    spread = float(np.sqrt((((luminance - mean) ** 2) * coverage).sum() / coverage.sum()))
    luminance = 0.5 + (luminance - mean) * min(0.22 / max(spread, 1e-6), 2.0)
    return np.stack([np.clip(luminance, 0, 1), coverage], -1)


def _with_margin(drawing: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The drawing (size, size, 2) made smaller in its canvas: `share` of the side is free at each edge."""
    size = len(drawing)
    inner = round(size * (1 - 2 * share))
    edge = (size - inner) // 2
    rest = (edge, size - inner - edge)
    return drawing if inner == size else np.pad(_resize(drawing, inner), (rest, rest, (0, 0)))


def _resize(tile: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Area-averaged pairs of tone and coverage; tones are weighted so that no dark fringe appears."""
    from PIL import Image

    def shrink(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        image = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)

    planes = []
    for tone in range(0, tile.shape[-1], 2):
        coverage = shrink(tile[..., tone + 1])
        weighted = shrink(tile[..., tone] * tile[..., tone + 1])
        planes += [weighted / np.maximum(coverage, 1e-4), coverage]
    return np.clip(np.stack(planes, -1), 0, 1)
