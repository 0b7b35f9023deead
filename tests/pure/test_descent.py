"""Going down a slope: each image as the authors' loops would shift it alone."""

import pytest
import torch
from attention_control.attention_patches.contract.objective import Objective, Slope
from attention_control.attention_patches.layout.descent import Effort, descend

RATES = torch.tensor([0.1, 0.2, 0.05, 0.1])
START = torch.tensor([3.0, 0.9, 1.2, 0.3], dtype=torch.float64)  # far, near, near and slow, there


def loss(x):
    """(images, ...) -> (images,); steep enough that every shift shows."""
    return x.square().flatten(1).sum(1)


class Bowl:
    """A model whose loss is known, and how often it was asked for."""

    looks = 0

    def slope(self, latents, part, objective):
        self.looks += 1
        with torch.enable_grad():
            at = latents.clone().requires_grad_()
            losses = loss(at)
            (gradient,) = torch.autograd.grad(losses.sum(), at)
        return Slope(losses.detach(), gradient)


def authors(x, rate, iterations, target, before=float("inf")):
    """One image by the authors' loop, which asks what the loss was at the look before; `before` is that of
    the step before. Gives the latents and the losses that it saw."""
    seen = []
    for _ in range(iterations):
        if before <= target:
            break
        at = x.clone().requires_grad_()
        value = loss(at[None])[0]
        (gradient,) = torch.autograd.grad(value, at)
        x = x - rate * gradient
        before = float(value.detach())
        seen.append(before)
    return x, seen


def latents():
    return START[:, None, None, None].clone()


def descended(x, iterations, target, at_least_once):
    """Latents and losses (looks, images), and how many looks there were."""
    bowl, effort = Bowl(), Effort(until=1.0, iterations=iterations, target=target)
    losses = list(descend(x, bowl, None, Objective(), RATES, effort, at_least_once=at_least_once))
    return x, torch.stack(losses), bowl.looks


@pytest.mark.parametrize("iterations", [1, 2, 5])
@pytest.mark.parametrize("target", [0.0, 0.2, 1.0, 20.0])
def test_an_image_is_shifted_once_more_after_the_look_that_reaches_the_target(iterations, target):
    """And at least once; whatever the others of its batch do."""
    found, losses, looks = descended(latents(), iterations, target, at_least_once=True)
    alone = [authors(x, rate, iterations, target) for x, rate in zip(latents(), RATES, strict=True)]
    assert torch.allclose(found, torch.stack([x for x, _ in alone]), atol=1e-12)
    assert looks == len(losses) == max(len(seen) for _, seen in alone)
    for image, (_, seen) in enumerate(alone):
        assert losses[: len(seen), image].tolist() == pytest.approx(seen)


def test_an_image_that_is_there_may_be_left_alone():
    """Where a step that finds it at the target goes on from one that has reached it, as the authors of Layout
    Guidance have it."""
    found, losses, looks = descended(latents(), 5, 1.0, at_least_once=False)
    for image, (x, rate) in enumerate(zip(latents(), RATES, strict=True)):
        there = float(loss(x[None])) <= 1.0
        expected, _ = authors(x, rate, 5, 1.0, before=0.0 if there else float("inf"))
        assert torch.allclose(found[image], expected, atol=1e-12)
    assert looks == len(losses)
    calm = torch.zeros(2, 1, 1, 1)
    assert descended_calm(calm) == 1 and not calm.any()


def descended_calm(x):
    """How often one looks at latents that are there."""
    return len(list(descend(x, Bowl(), None, Objective(), 1.0, Effort(until=1.0), at_least_once=False)))


def test_no_slope_is_no_shift():
    """Where the prompt is not in use, or no layer could be measured."""

    class Nothing:
        def slope(self, latents, part, objective):
            return None

    x = latents()
    assert list(descend(x, Nothing(), None, Objective(), 1.0, Effort(until=1.0), at_least_once=True)) == []
    assert torch.equal(x, latents())
