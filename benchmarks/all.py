"""Make every figure and picture anew, one after the other; those that have a table go into the pages.

    python benchmarks/all.py                 the same command goes on where it was stopped
    python benchmarks/all.py --minutes 60    starts no further one after an hour
    python benchmarks/all.py --quick         smoke runs into a temporary folder

What was made with the weights that the demo model has now is left as it is, and listed in `made.json` with
the commit, the kind of machine, the day and the minutes that it took. One that fails, or that no time was
left for, is named at the end; the others run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from measure.pages import record

FOLDER = Path(__file__).resolve().parent
MADE = FOLDER / "made.json"
# Every step with its script and options; those that measure time come first, while a machine is quiet.
STEPS: dict[str, Sequence[str]] = {
    "overhead": ("overhead.py",),
    "editing_cost": ("editing_cost.py",),
    "cross_image_cost": ("cross_image_cost.py",),
    "guidance_cost": ("guidance_cost.py",),
    "live_cost": ("live_cost.py",),
    "panorama_cost": ("panorama_cost.py",),
    "panorama": ("panorama.py",),
    "style_alignment": ("style_alignment.py",),
    "style_of_a_picture": ("style_alignment.py", "--from-a-picture"),
    "maps": ("maps.py",),
    "diagnosis": ("diagnosis.py",),
    "inversion": ("inversion.py",),
    "appearance": ("appearance.py",),
    "independent": ("independent.py",),
    "layout": ("layout.py", "--each", "5"),
    "layout_pictures": ("layout_pictures.py",),
    "layout_help": ("layout_help.py",),
    "editing": ("editing.py",),
    "editing_pictures": ("editing_pictures.py",),
    "shapes": ("shapes.py",),
    "transformer_costs": ("transformer_costs.py",),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smoke runs of all, nothing is kept")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="STEP")
    parser.add_argument("--again", action="store_true", help="also what these weights have made already")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start nothing after so many")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            failed = [s for s in options.only if run(s, "--quick", "--output", folder) is None]
    else:
        failed = make(options)
    print("failed or not begun: " + ", ".join(failed) if failed else "all of it is made")
    return 1 if failed else 0


def make(options: argparse.Namespace) -> list[str]:
    """Run what is due and write each into the list and the pages; returns what failed or was not begun."""
    begun, failed = time.monotonic(), []
    for step in options.only:
        if recorded().get(step, {}).get("weights") == record.weights() and not options.again:
            continue
        if time.monotonic() - begun > 60 * options.minutes or (minutes := run(step)) is None:
            failed.append(step)
            continue
        made = {**recorded(), step: stamp(minutes)}  # another may have written meanwhile
        keep({name: made[name] for name in STEPS if name in made})
        subprocess.run([sys.executable, FOLDER / "readme.py"], check=True)
    return failed


def run(step: str, *further: str) -> float | None:
    """The minutes that a step took; None if it failed."""
    script, *given = STEPS[step]
    print(f"{step}: {' '.join([script, *given, *further])}", flush=True)
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, FOLDER / script, *given, *further])
    return None if ended.returncode else (time.monotonic() - begun) / 60


def stamp(minutes: float) -> dict[str, Any]:
    """With what a step was made."""
    asked = ["git", "-C", str(FOLDER), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    told = {"weights": record.weights(), "commit": commit, "machine": record.machine_class()}
    return {**told, "date": date.today().isoformat(), "minutes": round(minutes, 1)}


def recorded() -> dict[str, Any]:
    return json.loads(MADE.read_text()) if MADE.is_file() else {}


def keep(made: dict[str, Any]) -> None:
    temporary = MADE.with_suffix(".tmp")
    temporary.write_text(json.dumps(made, indent=1) + "\n")
    temporary.replace(MADE)


if __name__ == "__main__":
    sys.exit(main())
