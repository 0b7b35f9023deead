"""What pictures on nodes cost while a run goes on: the time of a run with them over one without, in turn.

The demo model is the worst case: its steps are the shortest. Every picture is written as the PNG that a
browser is sent. `Paced` spends at most 2 % of the time on them; what the maps behind them cost comes to that.
"""

import statistics
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any

from measure.setting import host

host.start()

from attention_control.attention_patches.contract.batch import Batch  # noqa: E402
from attention_control.attention_patches.contract.method import Part  # noqa: E402
from attention_control.attention_patches.layout.regions import Layout, Subject  # noqa: E402
from attention_control.attention_patches.maps.recorded import MapStore  # noqa: E402
from attention_control.attention_patches.maps.recorders.recorder import Recorder  # noqa: E402
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance  # noqa: E402
from attention_control.nodes.host.families import family_of  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from attention_control.nodes.host.run.on_the_node import in_tiles  # noqa: E402
from attention_control.nodes.host.run.paced import Paced  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.setting.models import demo  # noqa: E402
from measure.setting.turns import ratio, seconds_of  # noqa: E402
from overhead import run  # noqa: E402

IMAGES, CELLS = 1, 16
WORDS = ((2,), (1,), (1, 2))  # tokens
LAYOUT = Layout(
    ((Subject("one", (2,), ((0.0, 0.2, 0.45, 0.8),)), Subject("other", (1,), ((0.55, 0.2, 1.0, 0.8),))),)
)


class Drawn:
    """Pictures as a browser would be sent them: how many there were, and the seconds that they took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, make: Any) -> None:
        started = record.clock()
        in_tiles(make()).save(BytesIO(), "PNG", compress_level=1)
        self.seconds.append(record.clock() - started)


class FollowedGuidance(LayoutGuidance):
    """With somebody who looks at its node."""

    def begin(self, batch: Batch) -> list[Part]:
        return list(super().begin(replace(batch, draw=Paced(DRAWN))))


class FollowedRecorder(Recorder):
    """With somebody who looks at its node."""

    def begin(self, batch: Batch) -> list[Part]:
        return list(super().begin(replace(batch, draw=Paced(DRAWN))))


DRAWN = Drawn()


def measure(model: Any, prompts: Any, steps: int, rounds: int) -> dict[str, Any]:
    """Seconds and ratios of each method with its pictures and without; a round before warms up."""
    every = family_of(model).layer_map().parse("all")
    recorder = FollowedRecorder(store=MapStore(), cross_layers=every, live=WORDS)
    guidance = FollowedGuidance(layout=LAYOUT)
    pairs = {
        "Layout Guidance, its boxes": (guidance, replace(guidance, shows_boxes=False)),
        "Attention Recorder, its words": (recorder, replace(recorder, live=())),
    }
    found: dict[str, Any] = {}
    for name, (shown, hidden) in pairs.items():
        runs = {
            way: partial(run, install(model, method), prompts, (IMAGES, CELLS), steps)
            for way, method in (("on", shown), ("off", hidden))
        }
        for warm in runs.values():
            warm()
        DRAWN.seconds.clear()
        seconds = seconds_of(runs, rounds)
        found[name] = {
            "pictures a run": len(DRAWN.seconds) / rounds,
            "drawing": sum(DRAWN.seconds) / sum(seconds["on"]),
            "seconds": statistics.median(seconds["off"]),
            "time": ratio(seconds["on"], seconds["off"]),
        }
    return {"steps": steps, "rounds": rounds, "latent": [IMAGES, 16, CELLS, CELLS], "costs": found}


def main() -> None:
    options = record.parser(__doc__, "one round of one step").parse_args()
    model, prompts = demo(IMAGES)
    figures = measure(model, prompts, *((1, 1) if options.quick else (12, 3)))
    rows = [
        [name, f"{cost['time']:.3f}x", f"{cost['drawing']:.1%}", f"{cost['pictures a run']:.1f}"]
        for name, cost in figures["costs"].items()
    ]
    print(record.table(["shown", "time", "share of drawing", "pictures a run"], rows))
    print(f"written: {record.write('live_cost', figures, options).name}")


if __name__ == "__main__":
    main()
