"""Seven plain, pale backgrounds, drawn from a few lines of arithmetic; none needs a file."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def draw(name: str, height: int, width: int, phase: tuple[float, float]) -> Floats:
    """The background as (height, width, 3) in 0..255; `phase` moves its pattern and its horizon."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return _PAINTERS[name](y + 32 * phase[0], x + 32 * phase[1], y / height, phase)


def _paint(base: tuple[int, int, int], other: tuple[int, int, int], amount: Floats) -> Floats:
    a, b = np.asarray(base, np.float32), np.asarray(other, np.float32)
    return a + (b - a) * np.clip(amount, 0, 1)[..., None]


def _soft(value: Floats, width: float = 1.0) -> Floats:
    """A step at zero, smoothed over about `width`."""
    return np.clip(value / width + 0.5, 0, 1)


def _stairs(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    within = (y % 32) / 32
    return _paint((216, 200, 190), (186, 166, 156), within * 0.9)


def _street(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    horizon = 0.35 + 0.2 * phase[0]
    road = _paint((222, 222, 230), (172, 176, 188), _soft(v - horizon, 0.02))
    dash = _soft(6 - np.abs(x % 32 - 16), 2) * _soft(0.03 - np.abs(v - horizon - 0.3), 0.02)
    return road + (np.asarray((240, 236, 214), np.float32) - road) * dash[..., None]


def _basket(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    weave = np.sin(x * np.pi / 16) * np.sin(y * np.pi / 16)
    return _paint((226, 200, 152), (196, 164, 112), 0.5 + weave)


def _forest(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    trunks = _soft(5 - np.abs(x % 32 - 16), 3)
    return _paint((198, 222, 186), (158, 188, 148), trunks * 0.9 + 0.25 * v)


def _snow(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    distance = np.hypot(x % 32 - 16, (y + 16 * ((x // 32) % 2)) % 32 - 16)
    return _paint((192, 212, 234), (232, 242, 250), _soft(4 - distance, 4) + 0.35 * v)


def _beach(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    horizon = 0.4 + 0.2 * phase[0]
    sea = _paint((196, 230, 244), (150, 206, 222), _soft(v - horizon + 0.15, 0.05))
    sand = _soft(v - horizon + 0.02 * np.sin(x * np.pi / 16), 0.04)
    return sea + (np.asarray((244, 228, 184), np.float32) - sea) * sand[..., None]


def _bed(y: Floats, x: Floats, v: Floats, phase: tuple[float, float]) -> Floats:
    horizon = 0.16 + 0.12 * phase[0]
    board = _paint((206, 178, 150), (188, 156, 126), _soft(np.abs(x % 8 - 4) - 3, 1.5))
    quilt = np.maximum(np.abs((x + y) % 32 - 16), np.abs((x - y) % 32 - 16))
    blanket = _paint((218, 196, 218), (192, 162, 196), _soft(quilt - 14, 2))
    across, down = np.abs(x % 64 - 32) / 27, np.abs(v - horizon - 0.12) / 0.13
    pillow = _soft(1 - across**4 - down**4, 0.4)
    bed = board + (blanket - board) * _soft(v - horizon - 0.06, 0.02)[..., None]
    return bed + (np.asarray((244, 242, 248), np.float32) - bed) * pillow[..., None]


_PAINTERS = {
    "stairs": _stairs,
    "street": _street,
    "basket": _basket,
    "forest": _forest,
    "snow": _snow,
    "beach": _beach,
    "bed": _bed,
}
