"""Do words look where their subjects are? Attention of the demo model on rendered scenes with known masks.

One forward pass on each noised picture, by AttentionProbe. Pointing: the highest pixel of a word's map,
enlarged to the picture, lies on its subjects. mIoU: mean over the words of the overlap (intersection over
union) of the true mask with the map, cut at a share of its range; for SelfSegment with the mask that it gives
for the noun. Noise levels, layers and thresholds are chosen on scenes of their own. The baseline is an
average over all layers and noise levels as DAAM takes it (which leaves out the middle layer), cut at 0.4.

The training of the demo model's earlier weights had an auxiliary loss that drew the cross-attention of nouns
to their subjects; the last 19 460 steps had none. So the figures of nouns, and SelfSegment's labels, tell
what training keeps rather than what it finds. Nothing was ever done for colour words.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import torch  # noqa: E402  the host is found only now
from attention_control.attention_patches.maps.recorded import AttentionMaps  # noqa: E402
from attention_control.attention_patches.maps.word_maps import word_columns  # noqa: E402
from attention_control.demo_model.world import Sprites  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from attention_control.nodes.host.text.clip_tokens import prompt_tokens  # noqa: E402
from attention_control.nodes.host.text.prompt_batch import encode_rows  # noqa: E402
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe  # noqa: E402
from comfy_api.latest import io  # noqa: E402
from measure.attention.map_figures import (  # noqa: E402
    KINDS,
    Figures,
    Means,
    all_times,
    enlarged,
    of_segments,
    of_words,
    one_image,
    pooled,
)
from measure.pages import record  # noqa: E402
from measure.setting.scenes import Labelled, held_out  # noqa: E402

LEVELS = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8)
LAYERS = ("all", "input", "middle", "output", "1, 6-7", "2-5", "6", "7")
FINE = ("all", "output", "1, 6-7")  # those with which SelfSegment is tried
CUTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
DAAM_CUT, PAPER_THRESHOLD = 0.4, 0.3
BATCH = 10

Probed = tuple[Labelled, dict[float, AttentionMaps]]
Settings = dict[str, tuple[float, str, float]]
"""(noise level, layers, threshold) for the words of a kind, and for "segments"."""


def probed(demo: Any, sprites: Sprites, numbers: range, levels: Sequence[float]) -> Iterator[Probed]:
    """Each scene with its maps by noise level: one column of cross-attention per noun, then per colour."""
    model, clip, vae = demo
    probe = AttentionProbe.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "probe"}})
    for first in range(numbers.start, numbers.stop, BATCH):
        scenes = list(held_out(sprites, range(first, min(first + BATCH, numbers.stop))))
        positive = encode_rows(clip, [scene.caption for scene in scenes])
        latent = {"samples": vae.encode(torch.stack([scene.image for scene in scenes]))}
        stores = [probe.execute(model, positive, latent, x, first, "both", "all").args[0] for x in levels]
        for image, scene in enumerate(scenes):
            tokens = prompt_tokens(clip, scene.caption)
            words = [tokens.find(getattr(group, kind)) for kind in KINDS for group in scene.groups]
            maps = [word_columns(one_image(store.read(), image), words) for store in stores]
            yield scene, dict(zip(levels, maps, strict=True))


def tried(scene: Labelled, by_level: Mapping[float, AttentionMaps]) -> Figures:
    """Every noise level, choice of layers and threshold."""
    figures: Figures = {}
    for (level, maps), layers in product(by_level.items(), LAYERS):
        figures |= of_words(scene, enlarged(maps, layers), (level, layers), CUTS)
        if layers in FINE:
            figures |= of_segments(scene, maps, level, layers, THRESHOLDS, [False])
    return figures


def chosen(means: Means) -> Settings:
    """The best for words by pointing and overlap together; for segments by overlap, not sharpened."""
    best: Settings = {}
    for kind in KINDS:
        both = {
            (*key[2], key[3]): mean + means[("pointing", kind, key[2])]
            for key, mean in means.items()
            if key[:2] == ("mIoU", kind)
        }
        best[kind] = max(both, key=lambda setting: both[setting])
    segments = {key[1:4]: mean for key, mean in means.items() if key[0] == "segments" and not key[4]}
    best["segments"] = max(segments, key=lambda setting: segments[setting])
    return best


def measured(scene: Labelled, by_level: Mapping[float, AttentionMaps], best: Settings) -> Figures:
    """The baseline, and what was chosen."""
    averaged = all_times(list(by_level.values()))
    figures = of_words(scene, enlarged(averaged), "DAAM", [DAAM_CUT])
    for kind in KINDS:
        level, layers, cut = best[kind]
        own = of_words(scene, enlarged(by_level[level], layers), "chosen", [cut])
        figures |= {key: values for key, values in own.items() if key[1] == kind}
    level, layers, threshold = best["segments"]
    figures |= of_segments(scene, by_level[level], level, layers, {threshold, PAPER_THRESHOLD})
    figures |= of_segments(scene, averaged, "all", layers, [threshold])
    figures[("area",)] = [float(group.mask.float().mean()) for group in scene.groups]
    return figures


def table_rows(means: Means, best: Settings) -> dict[str, dict[str, float]]:
    """Figures by row and column."""
    rows = {
        name: {f"pointing, {kind}s": means[("pointing", kind, key)] for kind in KINDS}
        | {f"mIoU, {kind}s": means[("mIoU", kind, key, cut(kind))] for kind in KINDS}
        for name, key, cut in (
            ("DAAM-style average", "DAAM", lambda kind: DAAM_CUT),
            ("words: best layers and noise level", "chosen", lambda kind: best[kind][2]),
        )
    }
    level, layers, threshold = best["segments"]
    for name, at, cut_at, sharpened in (
        ("SelfSegment without `sharpen`", level, threshold, False),
        ("SelfSegment", level, threshold, True),
        ("SelfSegment, mean of all noise levels", "all", threshold, True),
        ("SelfSegment, the paper's label_threshold", level, PAPER_THRESHOLD, True),
    ):
        rows[name] = {"mIoU, nouns": means[("segments", at, layers, cut_at, sharpened)]}
    return rows


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the record."""
    tuning, test = (range(2), range(1000, 1002)) if options.quick else (range(100), range(1000, 1300))
    levels = (0.1, 0.4) if options.quick else LEVELS
    sprites = Sprites.load(options.cache)
    with torch.inference_mode():
        demo = LoadDemoModel.execute().args
        best = chosen(pooled(tried(*x) for x in probed(demo, sprites, tuning, levels)))
        print("chosen (noise level, layers, threshold):", best, flush=True)
        means = pooled(measured(*x, best) for x in probed(demo, sprites, test, levels))
    return {
        "scenes": {"to choose with": len(tuning), "to measure": len(test)},
        "noise levels": levels,
        "chosen": best,
        "mean area of a mask": means[("area",)],
        "rows": table_rows(means, best),
        "note": __doc__.strip().split("\n\n")[-1].replace("\n", " "),
    }


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    header = list(rows["DAAM-style average"])
    cells = [
        [name, *(f"{row[key]:.2f}" if key in row else "" for key in header)] for name, row in rows.items()
    ]
    return record.table(["", *header], cells)


def main() -> None:
    parser = record.parser(__doc__, "2 scenes to choose with and 2 to measure, two noise levels")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where the drawings are kept (made by npm)")
    options = parser.parse_args()
    figures = run(options)
    print(table(figures["rows"]))
    print(f"A random pixel lies on a word's subjects in {figures['mean area of a mask']:.0%}.")
    print(figures["note"])
    print(f"written: {record.write('maps', figures, options).name}")


if __name__ == "__main__":
    main()
