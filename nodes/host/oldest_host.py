"""What this pack cannot do without of the host, asked before anything else of it is used."""

from collections.abc import Iterator
from dataclasses import fields

OLDEST = "0.20.1"
"""The oldest host that the pack was run on; `docs/hosts.md` has them all."""


def require_host() -> None:
    """Raises RuntimeError, which says what is missing and what to do, on a host that is too old for the
    pack."""
    from comfyui_version import __version__

    if missing := list(_missing()):
        raise RuntimeError(
            f"Attention Control works with ComfyUI {OLDEST} or newer, and this is {__version__}, which has "
            f"no {' and no '.join(missing)}. Update ComfyUI."
        )


def _missing() -> Iterator[str]:
    """What this host does not have."""
    from comfy_api.latest import io

    from .layer_patch import reaches_layers

    if not hasattr(io, "NodeReplace"):
        yield "replacement of nodes (io.NodeReplace)"
    if "search_aliases" not in {field.name for field in fields(io.Schema)}:
        yield "further names of nodes (io.Schema.search_aliases)"
    if not reaches_layers():
        yield "patches round the layers of a U-Net"
