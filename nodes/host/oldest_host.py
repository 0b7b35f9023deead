"""What this pack cannot do without of the host, asked before anything else of it is used."""

from dataclasses import fields

OLDEST = "0.18.2"
"""The oldest host that the pack was run on; `docs/hosts.md` has the others."""


def require_host() -> None:
    """Raises RuntimeError, which says what is missing and what to do, on a host that is too old for the
    pack."""
    from comfy_api.latest import io
    from comfyui_version import __version__

    missing = [] if hasattr(io, "NodeReplace") else ["io.NodeReplace"]
    if "search_aliases" not in {field.name for field in fields(io.Schema)}:
        missing.append("io.Schema.search_aliases")
    if missing:
        raise RuntimeError(
            f"Attention Control works with ComfyUI {OLDEST} or newer, and this is {__version__}, which has "
            f"no {' and no '.join(missing)}. Update ComfyUI."
        )
