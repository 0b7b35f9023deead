"""Which method works on which models, as the families themselves say: writes `compatibility.md`.

    python benchmarks/compatibility.py

No figure is measured here. COMFYUI_PATH names the host.
"""

import importlib
import pkgutil
from pathlib import Path

from measure.setting import host

FILE = Path(__file__).with_name("compatibility.md")
HEAD = """# What works on which models

Made by `benchmarks/compatibility.py` from `nodes/host/families`. On transformers the mechanics are tested on
tiny models of the host's own classes with random weights: who attends to what, to the bit or to rounding. No
trained transformer was run, so nothing is said of their pictures: mechanics tested, quality by the papers.
What has no mark is refused by its node, with what works. `AttentionRecorder` stands for the probe and the
viewer as well.
"""


def table() -> str:
    """The page."""
    from attention_control.attention_patches import methods
    from attention_control.attention_patches.contract.method import Method
    from attention_control.nodes.host.families import FAMILIES, INVERSION

    for module in pkgutil.walk_packages(methods.__path__, f"{methods.__name__}."):
        importlib.import_module(module.name)
    labels = sorted(
        {kind.label for kind in Method.__subclasses__() if kind.__module__.startswith("attention")}
    )
    models = ["U-Nets", *(family.models for family in FAMILIES[1:])]
    rows = [["", *models], ["---", *([":-:"] * len(models))]]
    for label in [*labels, INVERSION]:
        rows.append([f"`{label}`", *("✓" if family.supports(label) else "" for family in FAMILIES)])
    return HEAD + "\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


if __name__ == "__main__":
    host.start()
    FILE.write_text(table(), encoding="utf-8")
