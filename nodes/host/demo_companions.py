"""A ControlNet, a LoRA and an embedding for the demo model, where the host's own loaders look for them."""

from pathlib import Path

import folder_paths

COMPANIONS = Path(__file__).resolve().parents[2] / "demo_model" / "companions"
KINDS = ("controlnet", "loras", "embeddings")  # folders of `COMPANIONS`, as the host calls them


def offer_companions(folder: Path = COMPANIONS) -> None:
    """Have the host's loaders look into `folder` too, behind the user's own folders, whose files come first
    where names are the same; nothing is copied. Without files there is nothing to offer."""
    for kind in KINDS:
        if (folder / kind).is_dir():
            folder_paths.add_model_folder_path(kind, str(folder / kind))
