"""The parts of the model's card that come from files: tables of its figures, and the list of its weights."""

import json
import re
from pathlib import Path
from typing import Any

ORDER = (  # of the tables; the judge's own come last
    *("one subject", "two subjects", "several equal subjects", "three to five subjects", "no style named"),
    *("words' maps on held-out renders", "judge on renders", "judge on renders through the VAE"),
)
MARKED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)


def filled(card: str, folder: Path) -> str:
    """The card with its marked parts made anew from `results.json`, `companions/results.json` and
    `weights/weights.json` in a folder."""
    figures, companions, weights = (
        json.loads((folder / name).read_text())
        for name in ("results.json", "companions/results.json", "weights/weights.json")
    )
    parts = {"figures": _figures(figures), "companions": _companions(companions), "files": _files(weights)}
    return MARKED.sub(lambda old: f"<!-- {old[1]} -->\n{parts[old[1]]}\n<!-- /{old[1]} -->", card)


def _figures(figures: dict[str, Any]) -> str:
    made = (
        f"`python demo_model/evaluate.py`, {figures['date']}, {figures['machine']}: {figures['images']} "
        f"pictures in {figures['seconds per image']:.2f} s each, euler ancestral, 20 steps, CFG "
        f"{figures['cfg']:g}, through the host's own sampling; read by the judge, a small detector trained "
        "on rendered scenes."
    )
    tables = [_table(name, figures[name]) for name in ORDER if name in figures]
    return "\n\n".join([made, *tables, f"Autoencoder on held-out scenes: {figures['vae psnr']:.1f} dB."])


def _companions(figures: dict[str, Any]) -> str:
    made = (
        f"`python demo_model/evaluate.py --companions demo_model/companions`, {figures['date']}, "
        f"{figures['machine']}, with U-Net `{figures['weights'][:12]}`; read by the judge, which knows no "
        "toys: its features at the surest subject are nearest to the toy's, among those of all nouns."
    )
    table = _table("companions", figures["companions"])
    return "\n\n".join([made, table, _files(figures["files"])])


def _table(name: str, rows: dict[str, tuple[int, int]]) -> str:
    lines = [f"| {row} | {hits / max(trials, 1):.0%} | {trials} |" for row, (hits, trials) in rows.items()]
    return "\n".join([f"| {name} | share | of |", "|---|---|---|", *lines]).replace("%", " %")


def _files(weights: dict[str, dict[str, Any]]) -> str:
    lines = [f"| `{name}` | {file['bytes']:,} | `{file['sha256']}` |" for name, file in weights.items()]
    return "\n".join(["| file | bytes | SHA-256 |", "|---|---|---|", *lines])
