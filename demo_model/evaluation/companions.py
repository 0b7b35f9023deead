"""Do the demo model's companions do what they are for? Rates, (hits, trials) each.

control: pictures sampled with the edges of rendered scenes keep their structure: for each subject of the
scene the judge finds one whose box overlaps its own by more than half. lora, embedding: pictures whose prompt
has their word show the toy. The judge knows no toys, so its features at the surest subject are compared with
their means over renders of the toy and of each noun; the nearest mean is what is shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..judge import Judge, overlap
from ..training.companion_training import SIDE, edges
from ..training.companions import COMPANIONS
from ..world import SUBJECTS, Picture, Sprites, caption, render, sample_scene
from ..world.toys import TOYS, Toy, toy_caption, toy_scene, toy_sprites
from .generate import generate
from .score import Rate

SEED = 777_000  # training paints other pictures


def rate_companions(
    demo: Any, judge: Judge, folder: Path, cache: Path, sprites: Sprites, number: int, each: int = 8
) -> dict[str, Rate]:
    """Of those whose file is in `folder`, over so many pictures; a look is the mean of `each` renders."""
    found = {}
    for name, companion in COMPANIONS.items():
        path = folder / companion.file
        if path.is_file() and name == "control":
            found["structure kept"] = structure_kept(demo, judge, path, sprites, number)
        elif path.is_file():
            toy = TOYS[name]
            with_toy = _with_lora(demo, path) if name == "lora" else _with_embedding(demo, folder)
            means = class_means(judge, toy, toy_sprites(cache, toy), sprites, each)
            found[f"toy shown by the {name}"] = toy_shown(with_toy, judge, toy, means, number)
    return found


def structure_kept(demo: Any, judge: Judge, path: Path, sprites: Sprites, number: int) -> Rate:
    """Of the subjects of rendered scenes, with the ControlNet in this file."""
    import comfy.controlnet

    control, hits = comfy.controlnet.load_controlnet(str(path)), []
    rng = np.random.default_rng(SEED)
    for seed in range(number):
        scene = sample_scene(rng, SIDE, SIDE, 1 + seed % 2)
        picture = render(scene, sprites)
        hint = edges(_image(picture).movedim(-1, 1))
        extra = {"control": control.copy().set_cond_hint(hint), "control_apply_to_uncond": True}
        (made,) = generate(demo, [caption(scene, rng)], [seed], extra=extra)
        boxes = [one.box for one in judge(made[None])[0].subjects]
        hits += [any(overlap(box, b) > 0.5 for b in boxes) for box in picture.boxes() if box is not None]
    return sum(hits), len(hits)


def toy_shown(demo: Any, judge: Judge, toy: Toy, means: Tensor, number: int) -> Rate:
    """Of pictures whose prompts have the toy's word, those that look most like the first of the means."""
    rng = np.random.default_rng(SEED)
    scenes = [toy_scene(rng, toy, SIDE) for _ in range(number)]
    made = torch.stack(list(generate(demo, [toy_caption(s, toy) for s in scenes], range(number))))
    nearest = (F.normalize(looks(judge, made), dim=-1) @ means.T).argmax(1)
    return int((nearest == 0).sum()), number


def class_means(judge: Judge, toy: Toy, painted: Sprites, sprites: Sprites, each: int) -> Tensor:
    """(1 + nouns, features): mean directions of the toy's look, and of each noun's."""
    rng = np.random.default_rng(SEED + 1)
    rows = [[render(toy_scene(rng, toy, SIDE), painted) for _ in range(each)]]
    for noun in SUBJECTS:
        scenes = [sample_scene(rng, SIDE, SIDE, 1) for _ in range(each)]
        named = [replace(s, subjects=(replace(s.subjects[0], noun=noun),)) for s in scenes]
        rows.append([render(scene, sprites) for scene in named])
    found = [looks(judge, torch.cat([_image(picture) for picture in row])).mean(0) for row in rows]
    return F.normalize(torch.stack(found), dim=-1)


@torch.inference_mode()
def looks(judge: Judge, images: Tensor) -> Tensor:
    """(B, features): what the judge sees in pictures (B, H, W, 3) where a subject is likeliest."""
    net = judge.detector
    seen = F.silu(net.norm(net.body(net.stem(images.float().movedim(-1, 1) * 2 - 1))))
    centre = net(images.float().movedim(-1, 1))[0]["centre"].flatten(1).argmax(1)
    found: Tensor = seen.flatten(2)[torch.arange(len(images)), :, centre]
    return found


def _image(picture: Picture) -> Tensor:
    return torch.from_numpy(picture.image)[None].float() / 255


def _with_lora(demo: Any, path: Path) -> Any:
    import comfy.sd
    import comfy.utils

    lora = comfy.utils.load_torch_file(str(path))
    model, clip = comfy.sd.load_lora_for_models(demo.model, demo.clip, lora, 1.0, 0.0)
    return replace(demo, model=model, clip=clip)


def _with_embedding(demo: Any, folder: Path) -> Any:
    clip = demo.clip.clone()
    clip.tokenizer.clip_l.embedding_directory = str(folder)
    return replace(demo, clip=clip)


def lines(rates: dict[str, Rate]) -> Sequence[str]:
    """For people."""
    return [f"{name}: {hits} of {trials}" for name, (hits, trials) in rates.items()]
