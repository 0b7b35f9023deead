"""The pictures that edits start from: sampled ones that show what was asked for, and rendered scenes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.sample
import torch
from attention_control.demo_model.judge import Judge, Verdict
from attention_control.demo_model.world import Sprites, render
from attention_control.nodes.host.text.prompt_batch import encode_rows
from torch import Tensor

from measure.editing.cases import ADD, COLOUR, SIZE, Case, Kind, aspects, case, seen
from measure.layout.prompts import Ask, Pixels, Wanted
from measure.layout.score import in_boxes
from measure.reading.subject_reader import SubjectReader
from measure.setting.models import empty_latents

CFG, SAMPLER, SCHEDULER = 3.0, "euler", "normal"
AT_ONCE = 2  # sources that are sampled and looked at


@dataclass(frozen=True)
class Source:
    """`latent` (1, channels, h, w) and its picture (SIZE, SIZE, 3); masks (SIZE, SIZE) bool of the subject
    that is edited, and of all; where each subject is."""

    latent: Tensor
    image: Tensor
    mask: Tensor
    subjects: Tensor
    ask: Ask


def noise_of(demo: Any, seed: int) -> Tensor:
    """(1, channels, h, w) as the host's samplers make it."""
    return comfy.sample.prepare_noise(empty_latents(demo[0], 1, SIZE // 8, SIZE // 8), seed)


def generated(
    demo: Any,
    judge: Judge,
    find: SubjectReader,
    kind: Kind,
    first: int,
    number: int,
    steps: int,
    whole: bool = True,
) -> Iterator[tuple[Case, Source]]:
    """Sources of a kind, from the case `first` on, that the judge reads as they were asked for, if not
    `whole` their subjects alone.

    The subject's mask is what the reader finds in the judge's box of it.
    """
    while number > 0:
        asked = [case(kind, first + one) for one in range(AT_ONCE)]
        first += AT_ONCE
        latents = sampled(demo, asked, steps)
        images = demo[2].decode(latents)
        for one, latent, image, verdict in zip(asked, latents, images, judge(images), strict=True):
            if number > 0 and (found := read(one, verdict, whole)) is not None:
                number -= 1
                known, ask = found
                everything = find(image[None])[0]
                yield known, Source(latent[None], image, everything & inside(ask), everything, ask)


def sampled(demo: Any, asked: list[Case], steps: int) -> Tensor:
    """Latents (B, 4, h, w), each as its seed and prompt give it."""
    model, clip, _ = demo
    noise = torch.cat([noise_of(demo, one.seed) for one in asked])
    samples: Tensor = comfy.sample.sample(
        model,
        noise,
        steps,
        CFG,
        SAMPLER,
        SCHEDULER,
        encode_rows(clip, [one.prompt for one in asked]),
        encode_rows(clip, [""]),
        torch.zeros_like(noise),
        disable_pbar=True,
        seed=0,
    )
    return samples


def read(asked: Case, verdict: Verdict, whole: bool) -> tuple[Case, Ask] | None:
    """The case, and where its subjects are; None if the picture does not show what was asked for. A colour
    that was not named is the picture's own, and none of the edits' ones."""
    looked = {found.noun: found for found in verdict.subjects}
    wanted = asked.scene.subjects
    if len(verdict.subjects) != len(wanted) or looked.keys() != {one.noun for one in wanted}:
        return None
    if asked.kind is ADD:
        asked = seen(asked, looked[wanted[0].noun].colour)
        if any(asked.scene.subjects[0].colour == look[COLOUR] for look in asked.wanted):
            return None
    boxes = [tuple(map(round, looked[one.noun].box)) for one in wanted]
    ask = places(asked, boxes)
    return (asked, ask) if looks(ask, verdict) == aspects(asked.scene) or not whole else None


def places(asked: Case, boxes: list[Any]) -> Ask:
    """Where the subjects of a source are."""
    wanted = (
        Wanted(one.noun, one.colour, one.noun, box)
        for one, box in zip(asked.scene.subjects, boxes, strict=True)
    )
    return Ask(asked.kind.name, asked.prompt, asked.scene.background, tuple(wanted))


def looks(ask: Ask, verdict: Verdict) -> dict[str, str]:
    """What a picture shows at the places of a source's subjects; nothing of one that is not there."""
    found = {"style": verdict.style, "background": verdict.background}
    for number, one in enumerate(in_boxes(ask, verdict)):
        if one is not None:
            found |= {f"noun {number}": one.noun, f"colour {number}": one.colour}
    return found


def inside(ask: Ask) -> Tensor:
    """The box of the first subject, (SIZE, SIZE) bool."""
    box: Pixels = ask.wanted[0].box
    left, top, right, bottom = (max(side, 0) for side in box)
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def rendered(demo: Any, asked: Case, sprites: Sprites) -> Source:
    """The scene itself as the autoencoder gives it back; masks and boxes are the true ones."""
    picture = render(asked.scene, sprites)
    image = torch.from_numpy(picture.image).float() / 255
    latent: Tensor = demo[2].encode(image[None])
    masks = torch.from_numpy(picture.masks > 0.5)
    return Source(latent, demo[2].decode(latent)[0], masks[0], masks.any(0), places(asked, picture.boxes()))
