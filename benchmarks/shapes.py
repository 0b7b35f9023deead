"""Do shape variations change the shape of one object, and nothing else? Three proxies for each picture.

Sources hold one subject; they are sampled, and kept if the judge reads them as they were asked for. The
proxies are other subjects of the demo model's world. Object: the IoU of what is found of subjects in the
variation with what is found in the original; the shape has changed where it is below 0.8. Class: the judge
sees the original's noun at the object's place. Rest: it sees the original's colour, background and style.
Background: PSNR outside of the objects of both, with a margin.
"""

import json
from pathlib import Path

from measure.setting import host

host.start()

import torch  # noqa: E402
from editing import loaded  # noqa: E402
from measure.editing.cases import NOUN, VARY, Case, aspects  # noqa: E402
from measure.editing.runs import Bench  # noqa: E402
from measure.editing.score import MOST, grown  # noqa: E402
from measure.editing.sources import Source, generated, looks  # noqa: E402
from measure.editing.ways import Way  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.pages.tables_of_shapes import MEASURES, Values, means, rows  # noqa: E402
from measure.reading.subject_reader import SubjectReader, iou  # noqa: E402
from torch import Tensor  # noqa: E402

CHANGED = 0.8  # IoU of the object, below which its shape is another one
STEPS = 20
EARLY = {"shape_from": 0.05, "shape_until": 0.6, "blend_at": 0.5}  # as in the example workflow
WAYS: dict[str, Way] = {
    "the proxies' prompts, same seed": Bench.plain,
    "the paper's times": Bench.shape_variations,
    "the paper's times, no background": lambda bench: bench.shape_variations(keep_background=False),
    "0.05 to 0.6": lambda bench: bench.shape_variations(**EARLY),
    "0.05 to 0.6, no background": lambda bench: bench.shape_variations(**EARLY, keep_background=False),
}


QUICK_WAYS = ("the proxies' prompts, same seed", "the paper's times, no background", "0.05 to 0.6")


def score(find: SubjectReader, case: Case, source: Source, images: Tensor) -> dict[str, list[float]]:
    """By measure the values of a source's variations (B, H, W, 3)."""
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    was = aspects(case.scene)
    for image, mask, verdict in zip(images, find(images), find.judge(images), strict=True):
        shown, overlap = looks(source.ask, verdict), iou(mask, source.subjects)
        found["object IoU"].append(overlap)
        found["shape changed"].append(float(overlap < CHANGED))
        found["class kept"].append(float(shown.get(NOUN) == was[NOUN]))
        found["rest kept"].append(float(all(shown.get(name) == was[name] for name in was if name != NOUN)))
        still = ~grown(mask | source.subjects)
        if bool(still.any()):
            error = (image - source.image)[still].square().mean()
            found["background PSNR"].append(min(MOST, float(-10 * torch.log10(error.clamp_min(1e-12)))))
    return found


@torch.inference_mode()
def main() -> None:
    parser = record.parser(__doc__, "one variation of one source, some of the ways, four steps")
    parser.add_argument("--sources", type=int, default=24, help="written after each")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where drawings are kept (made by npm)")
    options = parser.parse_args()
    number, steps = (1, 4) if options.quick else (options.sources, STEPS)
    demo, judge, _, find, trust = loaded(options.cache, options.quick)
    values: Values = {}
    sources = generated(demo, judge, find, VARY, 0, number, steps, not options.quick)
    for done, (case, source) in enumerate(sources, start=1):
        case = case.with_edits(1) if options.quick else case
        for name in QUICK_WAYS if options.quick else WAYS:
            images = WAYS[name](Bench(demo, case, source, steps))
            assert images is not None
            for measure, own in score(find, case, source, images).items():
                values.setdefault(name, {}).setdefault(measure, []).extend(own)
        told = {"sources": done, "steps": steps, "subject reader IoU": trust}
        path = record.write("shapes", {**told, "ways": means(values)}, options)
        print(f"{done} of {number}", flush=True)
    print(record.table(["", *MEASURES], rows(json.loads(path.read_text()))))
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
