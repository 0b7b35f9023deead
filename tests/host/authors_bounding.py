"""Bounded Attention's guided steps as the authors' code takes them, on the model itself: float64, one
picture, latents in their own scale, gradients of a plain graph, attention in the host's replace slots."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from . import naive
from .naive_bounds import Subjects, cells

CROSS_WEIGHT, SELF_WEIGHT = 1.5, 0.5


@dataclass
class Authors:
    """`subjects` of (tokens, box), tokens that name nothing, the end token, and the (block, number) where the
    loss looks. `shifts` holds how often each guided step shifted the latents."""

    subjects: Subjects
    fillers: Sequence[int]
    end: int
    places: Sequence[tuple[str, int]]
    target: float
    iterations: int
    optimized: bool = False
    masses: dict[str, list[Tensor]] = field(default_factory=dict)
    shifts: list[int] = field(default_factory=list)
    kept: dict[Any, Tensor] = field(default_factory=dict)  # what is closed

    def closed(self, where: naive.Where, keys: int) -> Tensor:
        """(N, keys) bool, pixel by pixel: what may not be looked at."""
        places = [cells(box, where.grid) for _, box in self.subjects]
        count = where.grid[0] * where.grid[1]
        background = set(range(count)) - set().union(*places)
        closed = torch.zeros(count, keys, dtype=torch.bool)
        if where.kind == "self":
            for cell in set(range(count)) - background:
                for key in set(range(count)) - background:
                    closed[cell, key] = not any(cell in place and key in place for place in places)
            return closed
        if not where.positive:
            return closed
        for tokens in (*(tokens for tokens, _ in self.subjects), self.fillers):
            closed[:, list(tokens)] = True
        for (tokens, _), place in zip(self.subjects, places, strict=True):
            open_ = place | background if self.optimized else place
            for token in tokens:
                closed[sorted(open_), token] = False
        if not self.optimized:
            closed[sorted(background), self.end] = True
        return closed

    def attention(self, looks: bool) -> Any:
        """In place of the host's; with `looks` for the layers of the loss."""

        def attend(q: Tensor, k: Tensor, v: Tensor, where: naive.Where) -> Tensor:
            how = (where, self.optimized)
            if how not in self.kept:
                self.kept[how] = self.closed(where, k.shape[2])
            closed = self.kept[how]
            logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
            map_ = logits.masked_fill(closed, -1e30).softmax(-1)
            if self.optimized and looks:
                self.save(map_[0], where)
            return map_ @ v

        return attend

    def save(self, map_: Tensor, where: naive.Where) -> None:
        """F and B of each subject, sums over heads, cells and what they look at."""
        places = [sorted(cells(box, where.grid)) for _, box in self.subjects]
        background = sorted(set(range(map_.shape[1])) - set().union(*map(set, places)))
        found = []
        for place, (tokens, _) in zip(places, self.subjects, strict=True):
            seen = map_[:, :, place if where.kind == "self" else [*tokens, self.end]]
            found.append(torch.stack([seen[:, place].sum(), seen[:, background].sum()]))
        self.masses.setdefault(where.kind, []).append(torch.stack(found))

    def loss(self) -> Tensor:
        """Of what was saved since it was last asked for."""
        total = torch.zeros((), dtype=torch.float64)
        for kind, weight in (("cross", CROSS_WEIGHT), ("self", SELF_WEIGHT)):
            front, back = torch.stack(self.masses.pop(kind)).mean(0).unbind(-1)
            total = total + weight * (1 - front / (front + len(self.subjects) * back)).square().sum()
        return total

    def update(self, predict: Any, latents: Tensor, step_size: float) -> Tensor:
        """One guided step: the loss at the look before decides about the next."""
        self.optimized, before = True, float("inf")
        self.shifts.append(0)
        for _ in range(self.iterations):
            if before < self.target:
                break
            with torch.enable_grad():
                at = latents.clone().requires_grad_()
                predict(at)
                value = self.loss()
                (gradient,) = torch.autograd.grad(value, at)
            latents = latents - step_size * gradient
            before = float(value.detach()) / len(self.subjects)
            self.shifts[-1] += 1
        self.optimized = False
        return latents


def sampled(
    model: Any,
    authors: Authors,
    positive: Tensor,
    negative: Tensor,
    noise: Tensor,
    sigmas: Tensor,
    step_sizes: Sequence[float],
    cfg: float,
) -> Tensor:
    """Latents (1, C, h, w) that Euler's method makes of noise; steps are guided as long as there are step
    sizes for them. `model` is a MODEL in float64, texts are (1, 77, C)."""
    everywhere = [(block, n) for block in ("input", "middle", "output") for n in range(12)]
    patched = naive.replace_attention(model, ("self", "cross"), authors.attention(looks=False), everywhere)
    patched = naive.replace_attention(
        patched, ("self", "cross"), authors.attention(looks=True), authors.places
    )
    options = patched.model_options["transformer_options"]
    with torch.inference_mode(False), torch.no_grad():
        network, texts = trainable(model.model), [text.double().clone() for text in (positive, negative)]

        def denoised(x: Tensor, sigma: Tensor, chunk: int) -> Tensor:
            given = {**options, "cond_or_uncond": [chunk], "sigmas": sigma[None]}
            out: Tensor = network.apply_model(
                x, sigma[None], c_crossattn=texts[chunk], transformer_options=given
            )
            return out

        x = noise.double().clone() * sigmas[0].double()
        for i, (sigma, after) in enumerate(zip(sigmas[:-1].double(), sigmas[1:].double(), strict=True)):
            if i < len(step_sizes):
                scale = (1 + sigma**2).sqrt()  # theirs are x / scale
                look = lambda z, s=sigma, by=scale: denoised(z * by, s, 0)  # noqa: E731
                x = authors.update(look, x / scale, step_sizes[i]) * scale
            with_prompt, without = denoised(x, sigma, 0), denoised(x, sigma, 1)
            expected = without + cfg * (with_prompt - without)
            x = x + (x - expected) / sigma * (after - sigma)
    return x


def trainable(model: Any) -> Any:
    """The model with weights that autograd takes; those of the host's are made in inference mode."""
    for module in model.diffusion_model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = torch.nn.Parameter(weight.clone(), requires_grad=False)
    return model
