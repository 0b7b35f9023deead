"""Does PromptDiagnosis see what went wrong? Against the demo model's judge, and against true scenes.

Sampled: prompts of two to four different subjects in as many colours, recorded while they are sampled; the
judge says what the pictures show. Scenes: rendered pictures of two subjects, probed under words that are true
of them, exchange their colours, name one subject more, name a wrong one for the second, or leave it out; the
truth is the scene itself. A noun is neglected if it is not seen in the picture, and found so if the diagnosis
calls it neglected or fused; a colour leaks if another of the prompt's nouns has it, and is found so if it is
bound to another. F1 over all nouns and all colours, by attention alone and with the model asked as well. The
bounds (`present`, and with the model `least_gain`) are chosen for each way on other seeds than those
reported.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measure.setting import host

host.start()

import comfy.sample  # noqa: E402  the host is found only now
import torch  # noqa: E402
from attention_control.attention_patches.maps.diagnosis.diagnosis import PromptDiagnosis  # noqa: E402
from attention_control.attention_patches.maps.diagnosis.findings import Diagnosis  # noqa: E402
from attention_control.attention_patches.maps.diagnosis.questions import Questions  # noqa: E402
from attention_control.attention_patches.maps.recorded import AttentionMaps, MapStore  # noqa: E402
from attention_control.attention_patches.text.named_things import named_things  # noqa: E402
from attention_control.demo_model.judge import Judge  # noqa: E402
from attention_control.demo_model.world import Sprites  # noqa: E402
from attention_control.nodes.demo.load_demo_model_node import LoadDemoModel  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from attention_control.nodes.host.text.clip_tokens import prompt_tokens  # noqa: E402
from attention_control.nodes.host.text.prompt_batch import encode_rows  # noqa: E402
from attention_control.nodes.host.walks.asked import errors_under  # noqa: E402
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe  # noqa: E402
from attention_control.nodes.inspect.recording_inputs import make_recorder  # noqa: E402
from comfy_api.latest import io  # noqa: E402
from measure.attention.diagnosis_prompts import SIZE, Told, prompt, scene  # noqa: E402
from measure.pages import record  # noqa: E402
from measure.setting.models import empty_latents  # noqa: E402

TUNING, TESTING = 7001, 9001  # seeds
BOUNDS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
GAINS = (0.1, 0.15, 0.2, 0.25, 0.3)
ATTENTION, ASKED = "by attention", "model asked"
BATCH, STEPS, CFG, LEVEL = 10, 20, 3.0, 0.15
Colours = dict[str, set[str]]
"""The colours in which each noun is seen."""
Bounds = tuple[float, float]
"""`present` and `least_gain`."""
Case = tuple[Told, Colours, dict[str, dict[Bounds, Diagnosis]]]


def read(
    demo: Any, told: Told, maps: AttentionMaps, image: int, given: bool
) -> dict[str, dict[Bounds, Diagnosis]]:
    """The diagnosis of one image in both ways with each of the bounds; what is below one counts as not
    there."""
    model, clip, _ = demo
    tokens = prompt_tokens(clip, told.text)
    things = named_things(tokens)
    looked = PromptDiagnosis().look(maps, things, image)
    assert maps.latents is not None
    questions = Questions.about(tokens, things)
    errors = errors_under(model, clip, questions.texts, maps.latents[image : image + 1], image)
    answers = questions.read(errors[:, 0], given)
    bounds = [(present, gain) for present in BOUNDS for gain in GAINS]
    methods = {each: PromptDiagnosis(present=each[0], least_gain=each[1]) for each in bounds}
    return {
        ATTENTION: {each: method.read(things, *looked) for each, method in methods.items()},
        ASKED: {each: method.read(things, *looked, answers) for each, method in methods.items()},
    }


def sampled(demo: Any, judge: Judge, seed: int, count: int, steps: int) -> Iterator[Case]:
    """Pictures of prompts, and what the judge sees."""
    model, clip, vae = demo
    for first in range(0, count, BATCH):
        told = [prompt(seed, number) for number in range(first, min(first + BATCH, count))]
        recorder = make_recorder(MapStore(), model, "both", "all", 1024, "mean", False, 4096)
        empty = empty_latents(model, len(told), SIZE // 8, SIZE // 8)
        noise = comfy.sample.prepare_noise(empty, seed + first)
        samples = comfy.sample.sample(
            install(model, recorder),
            noise,
            steps,
            CFG,
            "euler_ancestral",
            "normal",
            encode_rows(clip, [each.text for each in told]),
            encode_rows(clip, [""]),
            empty,
            disable_pbar=True,
            seed=seed + first,
        )
        pictures = vae.decode(samples)
        maps = recorder.store.read(pictures)
        for image, (each, verdict) in enumerate(zip(told, judge(pictures), strict=True)):
            seen: Colours = {}
            for subject in verdict.subjects:
                seen.setdefault(subject.noun, set()).add(subject.colour)
            yield each, seen, read(demo, each, maps, image, given=False)


def scenes(demo: Any, sprites: Sprites, seed: int, count: int) -> Iterator[Case]:
    """True scenes, probed."""
    model, clip, vae = demo
    probe = AttentionProbe.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "probe"}})
    for first in range(0, count, BATCH):
        shown = [scene(sprites, seed, number) for number in range(first, min(first + BATCH, count))]
        positive = encode_rows(clip, [each.told.text for each in shown])
        latent = {"samples": vae.encode(torch.stack([each.image for each in shown]))}
        maps = probe.execute(model, positive, latent, LEVEL, first, "both", "all").args[0].read()
        for image, each in enumerate(shown):
            yield each.told, each.colours, read(demo, each.told, maps, image, given=True)


def counts(cases: Sequence[Case], way: str, bounds: Bounds) -> Counter[tuple[str, bool, bool]]:
    """How often (what, true, found)."""
    found: Counter[tuple[str, bool, bool]] = Counter()
    for told, seen, diagnoses in cases:
        nouns = [noun for _, noun in told.pairs]
        for number, (colour, noun) in enumerate(told.pairs):
            thing = diagnoses[way][bounds].things[number]
            others = [other for other in nouns if other != noun]
            leaks = any(colour in seen.get(other, ()) for other in others)
            away = thing.attributes[0].bound not in (None, number)
            found["neglect", noun not in seen, thing.state != "present"] += 1
            found["leak", leaks, away] += 1
    return found


def f1(found: Counter[tuple[str, bool, bool]], what: str) -> float:
    """Of precision and recall; 0 where there was nothing to find and nothing found."""
    both = found[what, True, True]
    return 2 * both / max(2 * both + found[what, False, True] + found[what, True, False], 1)


def measured(tuning: Sequence[Case], testing: Sequence[Case], way: str) -> dict[str, float | None]:
    """The figures with the bounds that give the best F1 of neglect and leaks together on other cases."""

    def fit(bounds: Bounds) -> float:
        found = counts(tuning, way, bounds)
        return f1(found, "neglect") + f1(found, "leak")

    bounds = max(tuning[0][2][way], key=fit)
    found = counts(testing, way, bounds)
    row: dict[str, float | None] = {"present": bounds[0], "least gain": bounds[1] if way == ASKED else None}
    for what in ("neglect", "leak"):
        wrong = found[what, True, False] + found[what, True, True]
        row[f"{what}, F1"] = f1(found, what)
        row[f"{what}, in truth"] = wrong / max(sum(n for key, n in found.items() if key[0] == what), 1)
    return row


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the record."""
    count, steps = (3, 1) if options.quick else (options.pictures, STEPS)
    drawn = 1 if options.quick else count
    rows = {}
    with torch.inference_mode():
        demo, judge = LoadDemoModel.execute().args, Judge.load()
        ways: dict[str, Callable[[int], list[Case]]] = {
            "sampled": lambda seed: list(sampled(demo, judge, seed, drawn, steps))
        }
        if options.scenes:
            sprites = Sprites.load(options.cache)
            ways["scenes"] = lambda seed: list(scenes(demo, sprites, seed, count))
        for name, way in ways.items():
            tuning = way(TUNING)
            testing = tuning if options.quick else way(TESTING)
            for how in (ATTENTION, ASKED):
                rows[f"{name}, {how}"] = measured(tuning, testing, how)
                print(name, how, rows[f"{name}, {how}"], flush=True)
    return {
        "pictures": {"to choose with": count, "to measure": count},
        "noise level of the probe": LEVEL,
        "rows": rows,
    }


def main() -> None:
    parser = record.parser(__doc__, "a picture of one step and 3 scenes, the bound chosen on the same")
    cache = Path.home() / ".cache" / "attention-control" / "demo_model"
    parser.add_argument("--cache", type=Path, default=cache, help="where the drawings are kept (made by npm)")
    parser.add_argument("--pictures", type=int, default=60, help="to choose with, and as many to measure")
    parser.add_argument("--no-scenes", dest="scenes", action="store_false", help="sampled pictures alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = run(options)
    rows = [
        [name, *("" if value is None else f"{value:.3g}" for value in row.values())]
        for name, row in figures["rows"].items()
    ]
    print(record.table(["", *next(iter(figures["rows"].values()))], rows))
    print(f"written: {record.write('diagnosis', figures, options).name}")


if __name__ == "__main__":
    main()
