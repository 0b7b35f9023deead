"""The tables of what the methods cost, as Markdown, each from its file of figures."""

from typing import Any

from measure.pages.record import source, table


def overhead(record: dict[str, Any]) -> str:
    runs = record["runs"]
    names = [
        f"{run['model']}, {run['latent'][0]} x {run['latent'][-1] * 8} px, {run['steps']} step"
        f"{'s' if run['steps'] > 1 else ''}"
        for run in runs
    ]
    header = ["", *(f"{name}: {what}" for name in names for what in ("time", "peak memory"))]
    rows = [
        [variant, *(multiple(run[what].get(variant)) for run in runs for what in ("time", "memory"))]
        for variant in runs[0]["time"]
    ]
    over = ", ".join(
        f"{run['over the floor']:.2f}x on {run['model']} ({run['latent'][-1] * 8} px)"
        for run in runs
        if run["latent"][0] > 1 and run["over the floor"] is not None
    )
    text = (
        "A sampling run over the unpatched run, in turn in one process, median of the rounds. "
        "The floor is the host's own attention given each row's keys twice, without the pack: "
        f"StyleAligned takes {over} of it."
    )
    return f"{text}\n\n{table(header, rows)}\n\n{source(record, 'overhead.py')}"


def multiple(value: float | None) -> str:
    """Of a variant that not every model was measured with."""
    return "" if value is None else f"{value:.2f}x"


def _rounds(run: dict[str, Any]) -> str:
    return f"{run['rounds']} round{'s' if run['rounds'] > 1 else ''}"


def editing_cost(record: dict[str, Any]) -> str:
    runs = record["runs"]
    run, *_ = runs
    rows = [
        [name]
        + [
            cell
            for x in runs
            for cell in (multiple(x["time"][name]), f"{x['extra megabytes'][name]:+.0f} MB")
        ]
        for name in run["time"]
    ]
    sizes = " and ".join(f"{one['latent'][-1] * 8}" for one in runs)
    text = (
        f"A source and three edits on a {run['model']} of full size at {sizes} px, over four "
        "plain images: one step at pure noise, where everything is edited that ever is, at CFG 5; "
        f"{_rounds(run)} behind one that warms up. The blend and Shape Variations find their places "
        "in that step as well. Plug-and-Play has one guide under a prompt of its own."
    )
    made_by = source(record, "editing_cost.py")
    return f"{text}\n\n{table(['', *['time of a step', 'peak memory'] * len(runs)], rows)}\n\n{made_by}"


def cross_image_cost(record: dict[str, Any]) -> str:
    (run,) = record["runs"]
    rows = [
        [name, f"{run['time'][name]:.1f}x", f"{run['extra megabytes'][name]:+.0f} MB"] for name in run["time"]
    ]
    text = (
        f"Appearance transfer, {run['model']} of full size at {run['latent'][-1] * 8} px: a step over one "
        f"of a plain run ({run['seconds of a plain step']:.0f} s), and peak memory of tensors beyond its "
        f"{run['megabytes of a plain run']:.0f} MB, weights not counted; {_rounds(run)}. A step of "
        f"inversion took {run['seconds of a step of inversion']:.0f} s."
    )
    made_by = source(record, "cross_image_cost.py")
    return f"{text}\n\n{table(['', 'time of a step', 'peak memory'], rows)}\n\n{made_by}"


def guidance_cost(record: dict[str, Any]) -> str:
    def cells(name: str, figure: dict[str, Any]) -> list[str]:
        ratios = (f"{figure[key]:.0%}" for key in ("time ratio", "memory ratio"))
        return [name, *ratios, *(f"{figure[key]:.0f} MB" for key in ("megabytes", "naive megabytes"))]

    height, width = record["latent"]
    rows = [cells(f"{name}, measured", figure) for name, figure in record["measured"].items()]
    rows += [cells(f"{name}, predicted", figure) for name, figure in record["predicted"].items()]
    text = (
        "One gradient of a guidance over the naive one, which keeps all activations of the whole U-Net for "
        f"both prompts. Measured on a random SD1.5 of full size in float32, latents of {height} x {width}, "
        f"median of {record['rounds']} rounds in one process. Predicted from operations and saved numbers, "
        "counted layer by layer; what was measured lets you judge that:"
    )
    sums = "\n".join(f"- {name}: {figure['arithmetic']}." for name, figure in record["predicted"].items())
    header = ["", "time", "memory", "ours", "naive"]
    return f"{text}\n\n{table(header, rows)}\n\n{sums}\n\n{source(record, 'guidance_cost.py')}"


def transformer_costs(record: dict[str, Any]) -> str:
    text_tokens, tokens = record["tokens"]
    rows = [
        [name, multiple(time), multiple(record["over the floor"].get(name)), record["calls"][name]]
        for name, time in record["time"].items()
    ]
    text = (
        "A double and a single block of Flux.1 at full width with random weights, "
        f"{record['images']} images of {round(tokens**0.5) * 16} px beside {text_tokens} tokens of text: a "
        "step over the unpatched one, and over the method's own floor, the host's attention asked for the "
        "same arithmetic by a few lines "
        f"without the pack; {_rounds(record)} behind one that warms up. The recorder of all layers keeps "
        "every map of the two blocks; that of words only those of the text."
    )
    header = ["", "time", "over its floor", "calls of the model"]
    return f"{text}\n\n{table(header, rows)}\n\n{source(record, 'transformer_costs.py')}"


def live_cost(record: dict[str, Any]) -> str:
    rows = [
        [name, f"{cost['time']:.3f}x", f"{cost['drawing']:.1%}", f"{cost['pictures a run']:.1f}"]
        for name, cost in record["costs"].items()
    ]
    images, side = record["latent"][0], record["latent"][-1] * 8
    text = (
        f"Runs of Pocket Diffusion ({images} x {side} px, {record['steps']} steps) with pictures on the node "
        f"over those without, in turn, median of {_rounds(record)}. Its steps are the shortest, so beside "
        "those of larger models pictures take less. However fast the steps, no more are drawn than 2 % of "
        "the time allow. Drawing is clocked by itself; the ratio scatters by a tenth where other "
        "work runs on the machine."
    )
    header = ["shown", "time", "share of drawing", "pictures a run"]
    return f"{text}\n\n{table(header, rows)}\n\n{source(record, 'live_cost.py')}"


def panorama_cost(record: dict[str, Any]) -> str:
    rows = [
        [
            run["model"],
            "{1} x {0}".format(*run["pixels"]),
            run["windows"],
            run["windows in a call"],
            multiple(run["time over the floor"]),
            f"{run['megabytes']:.1f} MB",
            f"{run['megabytes of a plain batch']:.1f} MB",
        ]
        for run in record["runs"]
    ]
    text = (
        "A run through windows half a window apart. The floor is as many windows as there are times one "
        "window of a plain batch as large as a call, in turn in one process, median of "
        f"{_rounds(record)}. Peak memory of tensors, weights not counted, beside that of such a batch."
    )
    header = ["", "pixels", "windows", "in a call", "time over the floor", "peak memory", "of a plain batch"]
    return f"{text}\n\n{table(header, rows)}\n\n{source(record, 'panorama_cost.py')}"
