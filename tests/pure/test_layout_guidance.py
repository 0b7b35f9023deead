"""Layout Guidance without a model: its loss, its layers, its shifts and what it tells."""

from dataclasses import dataclass, replace

import pytest
import torch
from attention_control.attention_patches.attention.attention_map import attention_map, by_token
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import WHOLE_PICTURE, Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.objective import Slope
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.layout.shifting import Progress
from attention_control.attention_patches.methods.layout_guidance import (
    LayoutGuidance,
    Misplacement,
    misplaced,
)

from .batches import batch

GRID = (4, 6)
SUBJECTS = (
    Subject("red cat", (1, 2), ((0.0, 0.0, 0.5, 1.0),)),
    Subject("dog", (4,), ((0.5, 0.5, 1.0, 1.0),)),
)
LAYOUT = Layout((SUBJECTS,))


def site(rows=None, ordinal=4, kind="cross"):
    return Site(
        family="U-Net",
        kind=kind,
        layer=Layer(ordinal, 7, "middle", 0, 0),
        grid=GRID,
        image_tokens=slice(0, 0),
        text_tokens=slice(0, 9),
        heads=3,
        percent=0.0,
        sigma=2.0,
        rows=rows or Rows((0,), 2, (Text("positive", 0, 9),)),
    )


def maps(seed=0, keys=9):
    logits = torch.randn(2, 3, 24, keys, dtype=torch.float64, generator=torch.manual_seed(seed))
    return (3 * logits).softmax(-1)


def papers_loss(map_):
    """Of one image and layer (H, N, T), with the authors' loops."""
    total = 0.0
    for subject in SUBJECTS:
        x0, y0, x1, y1 = subject.boxes[0]
        for token in subject.token_positions:
            squares = 0.0
            for head in map_:
                picture = head[:, token].reshape(GRID)
                box = picture[round(y0 * 4) : round(y1 * 4), round(x0 * 6) : round(x1 * 6)].sum()
                squares += (1 - box / picture.sum()) ** 2
            total += squares / len(map_) / len(subject.token_positions)
    return total / len(SUBJECTS)


def test_the_loss_is_the_papers():
    """Per head, squared, then averaged over heads, tokens and objects; in float64, with loops."""
    for map_ in maps():
        loss = misplaced(map_, zip(SUBJECTS, LAYOUT.masks(GRID, 0).double(), strict=True))
        assert torch.allclose(loss, papers_loss(map_), rtol=1e-12)
        assert not torch.allclose(loss, papers_loss(map_.mean(0, keepdim=True)), rtol=1e-3)


def test_the_objective_averages_layers_and_keeps_images_apart():
    """Queries and keys in, a loss for each row out, the mean of the layers' losses."""
    objective = Misplacement(
        cross_layers=frozenset({4, 5}), layout=LAYOUT, progress=Progress(LAYOUT, lambda line: None)
    )
    generator = torch.manual_seed(1)
    calls = {
        (n, "cross"): QKV(*(torch.randn(2, 3, m, 8, generator=generator).double() for m in (24, 9, 9)))
        for n in (4, 5)
    }
    measured = {place: objective.measure(site(ordinal=place[0]), qkv) for place, qkv in calls.items()}
    losses = objective.loss(measured, 2)
    for image in (0, 1):
        expected = sum(papers_loss(attention_map(qkv)[image]) for qkv in calls.values()) / 2
        assert torch.allclose(losses[image], expected, rtol=1e-10)


def test_a_repeated_text_is_summed():
    """The host repeats a text to the length of another; its copies share the attention."""
    map_ = maps(keys=9)
    doubled = torch.cat([map_ * 0.25, map_ * 0.75], dim=-1)
    assert torch.allclose(by_token(doubled, 9), map_)
    assert torch.equal(by_token(map_, 9), map_)
    added = torch.cat([doubled, map_[..., :2]], dim=-1)  # by another patch
    assert torch.allclose(by_token(added, 9), map_)


@dataclass
class At:
    """A denoiser at a percent of the schedule."""

    percent: float

    def within(self, range_):
        return range_.start <= self.percent < range_.end


@pytest.mark.parametrize(("losses", "shifts"), [([0.9, 0.1], 2), ([0.3] * 9, 5), ([0.1], 0)])
def test_a_step_that_begins_at_the_target_is_left_alone(losses, shifts):
    """Else each look shifts, the one that reaches the target too, five at most."""

    class Model(At):
        sigma = 2.0

        def slope(self, latents, part, objective):
            return Slope(torch.tensor([losses.pop(0)]), torch.ones_like(latents))

    latents = torch.zeros(1, 4, 2, 2)
    method = LayoutGuidance(layout=LAYOUT, layers=frozenset({4}))
    (part,) = method.begin(batch())
    assert part.shift(latents, Model(0.1))
    assert latents.unique().tolist() == [-shifts * 30 * 2.0**2]


@pytest.mark.parametrize(
    ("until", "total", "guided"), [(0.2, 50, 10), (0.3, 50, 15), (0.0, 9, 0), (1.0, 9, 9)]
)
def test_guided_steps(until, total, guided):
    """The steps up to a percent of the schedule: on an even one as many as the paper counts."""
    done = [Effort(until).done(At(step / total)) for step in range(total)]
    assert [value is not None for value in done] == [True] * guided + [False] * (total - guided)
    assert done[:1] == [0.0] or not guided


def test_off():
    """Without boxes, steps, iterations or strength there is nothing to do."""
    patch = LayoutGuidance(layout=LAYOUT)
    assert not patch.off
    for change in (
        {"layout": Layout(((),))},
        {"effort": Effort(0.0)},
        {"effort": Effort(0.2, iterations=0)},
        {"loss_scale": 0.0},
    ):
        assert replace(patch, **change).off


def test_what_it_tells():
    """A line a step, and in the end how much attention came into the boxes."""
    lines = []
    progress = Progress(LAYOUT, lines.append)
    outside = torch.zeros(1, 3, 24, 9)
    outside.unflatten(2, GRID)[:, :, 0, 3:] = 1.0  # right of the cat, above the dog
    centre = torch.ones(1, 3, 24, 9)
    progress.look(site(), outside, WHOLE_PICTURE)
    progress.step(2.0, [torch.tensor([0.9]), torch.tensor([0.5])])
    progress.look(site(), outside, WHOLE_PICTURE)
    progress.step(1.0, [torch.tensor([0.5])])
    progress.look(site(), centre, WHOLE_PICTURE)
    assert lines == ["Guided step 1: loss 0.90 -> 0.50", "Guided step 2: loss 0.50 -> 0.50"]
    assert progress.guided() == "Guided 2 steps with 3 looks, loss 0.90 -> 0.50."
    assert progress.places() == "Attention in its box: red cat 0 -> 50 %, dog 0 -> 25 %."
    once = Progress(LAYOUT, lines.append)
    once.step(2.0, [torch.tensor([0.5])])
    assert once.guided() == "Guided 1 step with 1 look, loss 0.50 -> 0.50."
    nothing = Progress(LAYOUT, lines.append)
    assert nothing.guided() == "No step was guided: the run has none before guidance_until."
    nothing.step(2.0, [])
    assert "was not in use" in nothing.guided() and nothing.places() is None
