"""Pictures composed on the device: all tiles lie there, a scene travels as a few numbers.

Equal to `world.render` to a level of brightness or two, for scenes whose `phase` is one of the composer's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..world import Scene, Sprites, backgrounds
from ..world.scene import MAX_SUBJECTS, SIZES
from ..world.sunglasses import WEARERS, sunglasses
from ..world.surfaces import ground
from ..world.vocabulary import DRAWINGS, EVERY_BACKGROUND, EVERY_COLOUR, STYLES, SUBJECTS

_SIDE = max(SIZES)
_WEARERS, _COLOURS, _NOUNS = list(WEARERS), list(EVERY_COLOUR), list(SUBJECTS)
_GROUNDS = list(EVERY_BACKGROUND)


@dataclass(frozen=True)
class Plans:
    """Scenes as numbers: `ground` (B, 3) style, background, phase; the others (B, 5), -1 where there is none.

    `tile` and `glass` name tiles, `colour` and `worn` what they are painted in, `left`, `top`, `size` are
    pixels of the subject's cell.
    """

    ground: Tensor
    tile: Tensor
    glass: Tensor
    colour: Tensor
    worn: Tensor
    left: Tensor
    top: Tensor
    size: Tensor

    def to(self, device: torch.device) -> "Plans":
        return Plans(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def phases(number: int) -> list[tuple[float, float]]:
    """The places that a background's pattern may take in composed pictures."""
    drawn = np.random.default_rng(20).random((number, 2))
    return [(float(a), float(b)) for a, b in drawn]


def plan(scenes: Sequence[Scene], phase: Sequence[int]) -> Plans:
    """Scenes, each with the number of its phase."""
    table = np.full((8, len(scenes), MAX_SUBJECTS), -1, np.int64)
    table[0, :, :3] = [
        (STYLES.index(s.style), _GROUNDS.index(s.background), p) for s, p in zip(scenes, phase, strict=True)
    ]
    for row, scene in enumerate(scenes):
        style = STYLES.index(scene.style)
        for column, s in enumerate(scene.subjects):
            at = (DRAWINGS.index(s.drawing) * len(STYLES) + style, SIZES.index(s.size))
            table[1:, row, column] = (
                (at[0] * len(_NOUNS) + _NOUNS.index(s.noun)) * len(SIZES) + at[1],
                (at[0] * len(_WEARERS) + _WEARERS.index(s.noun)) * len(SIZES) + at[1] if s.wears else -1,
                _COLOURS.index(s.colour),
                _COLOURS.index(s.wears) if s.wears else -1,
                s.left,
                s.top,
                s.size,
            )
    first, *rest = torch.from_numpy(table)
    return Plans(first[:, :3], *rest)


class Composer:
    """Paints plans on canvases of one size (height, width)."""

    def __init__(
        self, sprites: Sprites, canvas: tuple[int, int], device: torch.device, number: int = 32
    ) -> None:
        self.canvas = canvas
        self.tones = torch.tensor(list(EVERY_COLOUR.values()), dtype=torch.float32, device=device)
        keys = [(d, s, n, z) for d in DRAWINGS for s in STYLES for n in SUBJECTS for z in SIZES]
        self.tiles = _stack([sprites.tiles[key] for key in keys], device)
        worn = [(d, s, n, z) for d in DRAWINGS for s in STYLES for n in _WEARERS for z in SIZES]
        self.glasses = _stack([_bytes(sunglasses(*key)) for key in worn], device)
        painted = np.stack(
            [
                np.stack(
                    [_bytes(ground(style, backgrounds.draw(name, *canvas, phase)) / 255) for style in STYLES]
                )
                for name in _GROUNDS
                for phase in phases(number)
            ]
        )  # (backgrounds x phases, styles, height, width, 3)
        self.grounds = torch.from_numpy(painted).unflatten(0, (len(_GROUNDS), number)).to(device)

    @torch.no_grad()
    def __call__(self, plans: Plans) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) in -1..1, and what is seen of each subject, (B, 5, H/8, W/8) in 0..1."""
        device = plans.tile.device
        style, background, phase = plans.ground.unbind(1)
        canvas = self.grounds[background, phase, style].float()
        covers: list[Tensor] = []
        y = torch.arange(self.canvas[0], device=device).view(1, -1, 1)
        x = torch.arange(self.canvas[1], device=device).view(1, 1, -1)
        for k in range(MAX_SUBJECTS):
            tile, glass, size, left, top = (
                getattr(plans, name)[:, k].view(-1, 1, 1) for name in ("tile", "glass", "size", "left", "top")
            )
            down, right = y - top, x - left
            inside = (down >= 0) & (down < size) & (right >= 0) & (right < size)  # nowhere, if size is -1
            at = down.clamp(0, _SIDE - 1), right.clamp(0, _SIDE - 1)
            drawn = _pick(self.tiles, tile, at, inside)
            canvas += (255 * drawn[..., 2:3] - canvas) * drawn[..., 3:]
            canvas += (self._paint(drawn[..., 0], plans.colour[:, k]) - canvas) * drawn[..., 1:2]
            worn = _pick(self.glasses, glass, at, inside & (glass >= 0))
            canvas += (self._paint(worn[..., 0], plans.worn[:, k]) - canvas) * worn[..., 1:]
            seen = torch.maximum(torch.maximum(drawn[..., 1], drawn[..., 3]), worn[..., 1])
            covers = [cover * (1 - seen) for cover in covers] + [seen]
        images = canvas.round().clamp(0, 255).movedim(-1, 1).div(127.5).sub(1).contiguous()
        return images, F.avg_pool2d(torch.stack(covers, 1), 8)

    def _paint(self, luminance: Tensor, colour: Tensor) -> Tensor:
        """(B, H, W) tones on the ramps of colours (B,): (B, H, W, 3) in 0..255."""
        dark, middle, light = self.tones[colour.clamp(min=0)].view(-1, 1, 1, 3, 3).unbind(3)
        tone = luminance[..., None]
        return torch.where(
            tone < 0.5, dark + (middle - dark) * 2 * tone, middle + (light - middle) * (2 * tone - 1)
        )


def _bytes(plane: np.ndarray) -> np.ndarray:
    return np.round(plane * 255).astype(np.uint8)


def _stack(tiles: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """(n, 72, 72, planes) uint8; smaller tiles stand in the top left corner."""
    stacked = np.zeros((len(tiles), _SIDE, _SIDE, tiles[0].shape[-1]), np.uint8)
    for slot, tile in zip(stacked, tiles, strict=True):
        slot[: len(tile), : len(tile)] = tile
    return torch.from_numpy(stacked).to(device)


def _pick(tiles: Tensor, number: Tensor, at: tuple[Tensor, Tensor], inside: Tensor) -> Tensor:
    """(B, H, W, planes) in 0..1: each canvas' tile where it stands, zero elsewhere."""
    return tiles[number.clamp(min=0), at[0], at[1]].float().div(255) * inside[..., None]
