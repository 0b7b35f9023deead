"""One sentence on each result, for the README; the tables are behind the links."""

from collections.abc import Callable
from typing import Any

from measure.editing.tables import over_all
from measure.pages import tables_of_quality
from measure.pages.record import origin

Record = dict[str, Any]


def style_alignment(record: Record) -> str:
    plain, aligned = (record["variants"][name] for name in ("plain batch", "StyleAligned"))
    return (
        f"{_percent(aligned['same style'])} of the pairs of pictures in a batch have the same style "
        f"(plain batch: {_percent(plain['same style'])}), and {_percent(aligned['subject'])} of the pictures "
        f"show the subject asked for (plain: {_percent(plain['subject'])})."
    )


def style_of_a_picture(record: Record) -> str:
    plain, ours = (record["variants"][name] for name in ("plain batch", "shift 0"))
    return (
        f"{_percent(ours['same style'])} of the new pictures have the style of the given one (plain: "
        f"{_percent(plain['same style'])}), and {_percent(ours['subject'])} show the subject asked for "
        f"(plain: {_percent(plain['subject'])})."
    )


def layout(record: Record) -> str:
    ways = ("Bounded Attention", "Layout Guidance", "host: areas", "plain")
    bounded, guided, areas, plain = (
        _percent(record["all"][way]["subject and colour in box"]) for way in ways
    )
    return (
        f"of the boxes, two to five in a picture, {bounded} hold the right subject in the right colour with "
        f"Bounded Attention, {guided} with Layout Guidance, {areas} with ComfyUI's own areas, and {plain} "
        "with the plain prompt."
    )


def appearance(record: Record) -> str:
    paper, gentle = (record["variants"][name] for name in ("Cross-Image", "swap and AdaIN"))
    return (
        f"with `contrast` and `swap_guidance` at 1 the colours go {_percent(gentle['colours moved'])} of the "
        "way to those of the appearance, and a judge still sees the structure's subject in "
        f"{_percent(gentle['subject'])} of the pictures; with the paper's, which are for larger models, "
        f"{_percent(paper['colours moved'])} and {_percent(paper['subject'])}."
    )


def independent(record: Record) -> str:
    far = {
        (which, way): found["texture distance"][0]
        for which in ("style", "appearance")
        for way, found in record[which].items()
    }
    shared = far["style", "StyleAligned"] / far["style", "plain batch"]
    moved = far["appearance", "Cross-Image"] / far["appearance", "reconstruction"]
    return (
        f"by features learnt from photographs the textures of a batch lie {_percent(shared)} as far apart "
        f"with StyleAligned as without, and those of Cross-Image's pictures {_percent(moved)} as far from "
        "the appearance's as the structure's own."
    )


def editing(record: Record) -> str:
    ways = over_all(record["kinds"])
    plain, host, ours, blended = (
        {name: f"{own[name]:.0f} dB" if name == "PSNR" else _percent(own[name]) for name in own}
        for own in (ways[name] for name in ("plain, same seed", "img2img", "P2P", "P2P, blend"))
    )
    return (
        f"of six kinds of edits {ours['edit']} are made with Prompt-to-Prompt and its defaults, and all else "
        f"is as it was in {ours['rest']} (the same seed alone: {plain['edit']} and {plain['rest']}; img2img: "
        f"{host['edit']} and {host['rest']}); outside of what is to change the PSNR is {ours['PSNR']}, with "
        f"the blend {blended['PSNR']} (img2img: {host['PSNR']})."
    )


def shapes(record: Record) -> str:
    paper, early = (record["ways"][way] for way in ("the paper's times", "0.05 to 0.6"))
    number = record["sources"]
    return (
        f"of {3 * number} variations of {number} pictures an object has another shape in "
        f"{_percent(paper['shape changed'])} with the paper's times, and in "
        f"{_percent(early['shape changed'])} with 0.05 to 0.6; its class is kept in "
        f"{_percent(paper['class kept'])} and {_percent(early['class kept'])}, and outside of it the PSNR is "
        f"{paper['background PSNR']:.0f} and {early['background PSNR']:.0f} dB."
    )


def panorama(record: Record) -> str:
    finest, halves = record["ways"]["stride 1/8 (paper)"], record["ways"]["stride 1/2"]
    shared, sides = record["one style"], record["two styles"]
    return (
        f"brightness jumps {finest['seams']:.2f} times as far across the edges of windows as elsewhere at "
        f"the paper's stride, {halves['seams']:.2f} times at half a window; in a batch of panoramas "
        f"{_percent(shared['full']['style of the first'])} of the windows have the first one's style with "
        f"StyleAligned ({_percent(shared['MultiDiffusion alone']['style of the first'])} without), and "
        f"{_percent(sides['full']['sides right'])} of the sides follow the picture that was given for them "
        f"({_percent(sides['no references']['sides right'])} without pictures)."
    )


def maps(record: Record) -> str:
    words, masks = (record["rows"][name] for name in ("DAAM-style average", "SelfSegment"))
    return (
        f"the highest point of a colour word's map lies on its subject in "
        f"{_percent(words['pointing, colours'])} of the cases (a random pixel: "
        f"{_percent(record['mean area of a mask'])}), and `SelfSegment`'s masks overlap the true ones with a "
        f"mean IoU of {masks['mIoU, nouns']:.2f}; its earlier weights were trained for nouns."
    )


def diagnosis(record: Record) -> str:
    own, asked, given = (
        record["rows"][name]
        for name in ("sampled, by attention", "sampled, model asked", "scenes, model asked")
    )
    return (
        "of sampled pictures `PromptDiagnosis` finds missing subjects with an F1 of "
        f"{own['neglect, F1']:.2f} ({asked['neglect, F1']:.2f} if the model is asked too) and colours of "
        f"another subject with {own['leak, F1']:.2f} ({asked['leak, F1']:.2f}): a hint, no proof; of "
        "rendered scenes, the model asked, "
        f"with {given['neglect, F1']:.2f} and {given['leak, F1']:.2f}."
    )


def inversion(record: Record) -> str:
    figures = {
        row["method"]: row["latent PSNR, dB"]
        for row in record["rows"]
        if (row["steps"], row["cfg"]) == (50, 1)
    }
    ddim, exact = (
        "over 100" if figures[method] > 100 else f"{figures[method]:.0f}"
        for method in ("ddim", "edit friendly ddpm")
    )
    return (
        f"50 steps at CFG 1 lead from a picture to noise and back with a PSNR of {ddim} dB (DDIM) or "
        f"{exact} dB (edit friendly DDPM)."
    )


def editing_cost(record: Record) -> str:
    run = record["runs"][0]
    size = run["latent"][-1] * 8
    edits, blend, plugged, shapes = (f"{run['time'][name]:.2f}" for name in list(run["time"])[1:])
    return (
        f"a step in which all is edited takes {edits} times as long for a source and three edits as for four "
        f"plain images on an SD1.5 of full size ({size} px), {blend} times with the blend; Plug-and-Play "
        f"{plugged} and Shape Variations {shapes} times."
    )


def overhead(record: Record) -> str:
    small, large = record["runs"][0]["time"], record["runs"][1]["time"]
    size = "{} x {} px".format(record["runs"][1]["latent"][0], record["runs"][1]["latent"][-1] * 8)
    aligned, recorder = "StyleAligned", "recorder, cross- and self-attention"
    return (
        f"StyleAligned takes {small[aligned]:.2f} times as long as an unpatched run of the demo model, "
        f"recording all attention {small[recorder]:.2f} times; on an SD1.5 of full size ({size}) they take "
        f"{large[aligned]:.2f} and {large[recorder]:.2f} times as long."
    )


def cross_image_cost(record: Record) -> str:
    (run,) = record["runs"]
    defaults = "with guidance, contrast, AdaIN (the defaults)"
    return (
        f"a step with the defaults takes {run['time'][defaults]:.1f} times as long as a plain step on an "
        f"SD1.5 of full size, and {run['extra megabytes'][defaults]:.0f} MB more memory."
    )


def guidance_cost(record: Record) -> str:
    shares = [
        f"{_percent(figure['time ratio'])} of the time and {_percent(figure['memory ratio'])} of the memory "
        f"({name})"
        for name, figure in record["measured"].items()
    ]
    return f"one gradient on an SD1.5 of full size takes {', or '.join(shares)} of the naive way."


def live_cost(record: Record) -> str:
    boxes, words = (f"{cost['drawing']:.1%}".replace("%", " %") for cost in record["costs"].values())
    return (
        "of a run of the demo model, whose steps are the shortest, Layout Guidance spends "
        f"{boxes} on drawing its boxes meanwhile, and the recorder {words} on its words."
    )


def panorama_cost(record: Record) -> str:
    most = {
        name: max(run["time over the floor"] for run in record["runs"] if run["model"] == name)
        for name in ("random SD1.5", "Pocket Diffusion")
    }
    return (
        f"a run through windows takes at most {most['random SD1.5']:.2f} times as long as its windows by "
        f"themselves on an SD1.5 of full size, and {most['Pocket Diffusion']:.2f} times on the demo model, "
        "whose calls are short."
    )


def transformer_costs(record: Record) -> str:
    over = record["over the floor"]
    return (
        f"on blocks of Flux.1 at full width StyleAligned takes {over['StyleAligned']:.2f} times as long as "
        f"the host's attention with the reference's keys, masks {over['masks']:.2f} times as long as a bias, "
        f"and recording all attention {over['recorder']:.2f} times as long as a softmax beside it."
    )


# By result: the heading of its table in this folder's README, and the sentence.
SENTENCES: dict[str, tuple[str, Callable[[Record], str]]] = {
    "style_alignment": ("One style for a batch", style_alignment),
    "style_of_a_picture": ("The style of a picture", style_of_a_picture),
    "layout": ("Subjects in boxes", layout),
    "appearance": ("Appearance of another picture", appearance),
    "independent": ("Under another judge", independent),
    "editing": ("Edits by words", editing),
    "shapes": ("Shapes of one object", shapes),
    "panorama": ("Wide pictures", panorama),
    "maps": ("Maps and segments", maps),
    "diagnosis": ("Why a prompt failed", diagnosis),
    "inversion": ("Inversion", inversion),
    "overhead": ("Cost of a patch", overhead),
    "editing_cost": ("Cost of edits", editing_cost),
    "cross_image_cost": ("Cost of appearance transfer", cross_image_cost),
    "guidance_cost": ("Cost of guidance", guidance_cost),
    "panorama_cost": ("Cost of windows", panorama_cost),
    "transformer_costs": ("Cost on transformers", transformer_costs),
    "live_cost": ("Cost of pictures on nodes", live_cost),
}


def sentences(records: dict[str, Record]) -> str:
    """A list of what was found; each line links to its table and names the kind of machine and the date."""
    return "\n".join(
        f"- [{heading}](benchmarks/README.md#{heading.lower().replace(' ', '-')}): {say(records[name])} "
        f"({origin(records[name], drawn=hasattr(tables_of_quality, name))})"
        for name, (heading, say) in SENTENCES.items()
    )


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
