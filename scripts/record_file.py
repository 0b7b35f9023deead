"""What a script knows of its earlier runs, in a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def recorded(path: Path) -> dict[str, Any]:
    """What is known of earlier runs; nothing if there was none, or if its file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
