"""Write what a benchmark found, with everything needed to find it again."""

import argparse
import json
import os
import platform
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).resolve().parents[2] / "results"
WEIGHTS = RESULTS.parents[1] / "demo_model" / "weights" / "weights.json"
MODEL = RESULTS.parents[1] / "demo_model" / "results.json"  # what its own evaluation found


def machine_class() -> str:
    """What kind of machine this is, for the tables; no names."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()}-core {platform.machine()} CPU"


def weights() -> str:
    """Which weights the demo model has: figures of others are no start for a run that goes on."""
    return str(json.loads(WEIGHTS.read_text())["unet.safetensors"]["sha256"][:12])


def clock() -> float:
    """Seconds for ratios: on a CPU the process's own time, which others on the machine disturb least."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def parser(documentation: str, quick: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=documentation.splitlines()[0])
    made.add_argument("--quick", action="store_true", help=f"a smoke run: {quick}")
    made.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="where the figures go")
    return made


def write(name: str, figures: dict[str, Any], options: argparse.Namespace) -> Path:
    """Write NAME.json (NAME.quick.json for a quick run) by way of a temporary file."""
    from comfyui_version import __version__ as host_version

    record = {
        "machine": machine_class(),
        "date": date.today().isoformat(),
        "weights": weights(),
        "versions": {"torch": torch.__version__, "ComfyUI": host_version},
        **figures,
    }
    found = path(name, options)
    found.parent.mkdir(parents=True, exist_ok=True)
    temporary = found.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(found)
    return found


def path(name: str, options: argparse.Namespace) -> Path:
    """Where the figures go."""
    return Path(options.output / f"{name}{'.quick' if options.quick else ''}.json")


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def origin(record: dict[str, Any], drawn: bool = False) -> str:
    """The kind of machine and the date; of `drawn` pictures also if the demo model was another."""
    earlier = ", with an earlier demo model" if drawn and record["weights"] != weights() else ""
    return f"{record['machine']}, {record['date']}{earlier}"


def source(record: dict[str, Any], script: str, drawn: bool = False) -> str:
    """The command that a table comes from, and its origin."""
    return f"`python benchmarks/{script}`, {origin(record, drawn)}."
