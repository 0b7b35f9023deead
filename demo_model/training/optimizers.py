"""Muon for weight matrices and AdamW for the rest, behind one object that saves and resumes."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .precision import has_bfloat16
from .together import Together

ALONE = Together()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised by Newton-Schulz iterations (Jordan et al. 2024).

    Weights of equal shape are stacked, so that one batched product serves them all, and processes that
    train together divide the stack among them.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, together: Together = ALONE
    ) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum})
        self.together = together

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                by_shape.setdefault((update.shape[0], update.shape[1]), []).append((p, update))
            for (rows, columns), pairs in by_shape.items():
                stacked = torch.stack([update for _, update in pairs])
                updates = self.together.divide(orthogonalise, stacked)
                scale = max(1.0, rows / columns) ** 0.5
                for (p, _), update in zip(pairs, updates, strict=True):
                    p.add_(update.view_as(p), alpha=-group["lr"] * scale)


def orthogonalise(x: Tensor, steps: int = 5) -> Tensor:
    """(n, rows, columns) -> the same with singular values near 1; in bfloat16, if the device has it."""
    dtype, transposed = x.dtype, x.shape[1] > x.shape[2]
    x = x.mT if transposed else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if has_bfloat16(x.device) else x
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if transposed else x).to(dtype)


class Optimizer:
    """Muon on hidden matrices, AdamW on the rest; `scale` is the learning rates' share of their peaks."""

    def __init__(
        self,
        matrices: list[nn.Parameter],
        rest: list[nn.Parameter],
        muon: float,
        adamw: float,
        together: Together = ALONE,
    ) -> None:
        self.peaks = (muon, adamw)
        self.parts: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=muon, together=together),
            torch.optim.AdamW(rest, lr=adamw, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def step(self, scale: float) -> None:
        for part, peak in zip(self.parts, self.peaks, strict=True):
            part.param_groups[0]["lr"] = peak * scale
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def split(
    module: nn.Module, first_and_last: tuple[str, ...]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices for Muon, the rest): embeddings, biases, norms and the named layers belong to the rest."""
    matrices, rest = [], []
    for name, p in module.named_parameters():
        if not p.requires_grad:
            continue
        hidden = p.ndim >= 2 and "embedding" not in name and not name.startswith(first_and_last)
        (matrices if hidden else rest).append(p)
    return matrices, rest


class Average:
    """Exponential moving average of parameters, with a warm-up so that early values are forgotten."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        parameters = dict(module.named_parameters())
        names = list(self.values)
        torch._foreach_lerp_([self.values[n] for n in names], [parameters[n].detach() for n in names], weight)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.values = state["steps"], state["values"]


def initialise(module: nn.Module) -> None:
    """The host's layers leave their memory as it is: fill every weight, biases with zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(part.weight, a=5**0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=0.02)
