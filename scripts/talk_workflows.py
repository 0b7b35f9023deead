"""What the page says of a figure's workflow, read from its file: seeds, prompts, and what it hangs on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pins import ROOT

Json = dict[str, Any]

MODEL = ROOT / "demo_model"
COMPANIONS = MODEL / "companions"
LOADERS = {"ControlNetLoader": "controlnet", "LoraLoader": "loras"}
SEED_AT = {"KSampler": 0, "SamplerCustom": 1, "InvertLatent": 4, "AttentionProbe": 1}  # among the widgets
PROMPTED = ("CLIPTextEncode", "PrimitiveStringMultiline", "EncodePromptBatch")
BOX = re.compile(r"^\s*\d+ +\d+ +\d+ +\d+ *:", re.MULTILINE)


def path_of(name: str) -> Path:
    """The file of a figure's workflow."""
    return ROOT / "example_workflows" / f"{name}.json"


def key_of(name: str, quick: bool) -> str:
    """What a figure hangs on: its workflow, the model with the companions it takes, the number of steps."""
    content = path_of(name).read_bytes() + weights().encode() + bytes([quick])
    taken = companions_of(json.loads(path_of(name).read_text("utf-8")))
    content += b"".join((COMPANIONS / file).read_bytes() for file in taken)
    return hashlib.sha256(content).hexdigest()[:16]


def model_now() -> str:
    """The first digits of the SHA-256 of the demo model's U-Net."""
    return str(json.loads(weights())["unet.safetensors"]["sha256"])[:12]


def facts_of(workflow: Json) -> Json:
    """`seeds`, `prompts` and `parts` (titles of the saved pictures), as a workflow has them."""
    nodes = sorted(workflow["nodes"], key=lambda node: node["order"])
    saving = [str(node.get("title", "")) for node in nodes if node["type"] == "SaveImage"]
    seeds = {int(node["widgets_values"][SEED_AT[node["type"]]]) for node in nodes if node["type"] in SEED_AT}
    return {
        "seeds": sorted(seeds),
        "prompts": list(dict.fromkeys(_prompts(nodes))),
        "parts": [title for title in saving if title],
    }


def companions_of(workflow: Json) -> list[str]:
    """Files of the demo model's companions that a workflow loads, under `COMPANIONS`."""
    found = []
    for node in workflow["nodes"]:
        values = node.get("widgets_values") or []
        if node["type"] in LOADERS:
            found.append(f"{LOADERS[node['type']]}/{values[0]}")
        elif node["type"] in PROMPTED:
            found += [f"embeddings/{name}.safetensors" for name in re.findall(r"embedding:(\w+)", values[0])]
    return list(dict.fromkeys(found))


def _prompts(nodes: list[Json]) -> Iterator[str]:
    for node in nodes:
        if node["type"] in PROMPTED:
            text = str(node["widgets_values"][0]).strip()
            if text and not BOX.search(text):
                yield from text.splitlines()


def weights() -> str:
    """The list of the model's files with their digests."""
    return (MODEL / "weights" / "weights.json").read_text("utf-8")
