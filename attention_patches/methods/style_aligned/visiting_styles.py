"""References on their way through the model beside a run, and what they leave for its attention."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...contract.call.qkv import QKV
from ...contract.call.rotary import Rotary
from ...contract.call.site import Site
from ...contract.denoiser import Denoiser, Stop, Visitor
from ...guests.kept_rows import KeptRows
from ...numerics.adain import mean_and_std
from .style_reference import StyleReference


@dataclass(frozen=True)
class Styles:
    """What an attention call is given of the R references, for each of its C chunks."""

    keys: Sequence[Tensor]  # R of (C, H, M_r, d)
    values: Sequence[Tensor]
    means: tuple[Tensor, Tensor]  # of queries and of keys before rotation, (C, R, H, d) in float32
    deviations: tuple[Tensor, Tensor]
    rotaries: Sequence[Rotary | None]  # how each has been rotated


@dataclass(eq=False)
class SameSize:
    """References whose latents are of one size, by their numbers; they go in one pass."""

    numbers: list[int]
    kept: KeptRows = field(default_factory=lambda: KeptRows(repeats=True))
    rotary: Rotary | None = None  # of the pass through the model that was made last


@dataclass(eq=False)
class VisitingStyles:
    """Belongs to one run."""

    references: tuple[StyleReference, ...]
    groups: list[SameSize] = field(init=False)
    inside: SameSize | None = None  # whose pass it is
    seen: set[float] = field(default_factory=set)  # noise levels

    def __post_init__(self) -> None:
        by_size: dict[tuple[int, int], SameSize] = {}
        for number, reference in enumerate(self.references):
            by_size.setdefault(reference.size, SameSize([])).numbers.append(number)
        self.groups = list(by_size.values())

    @property
    def gives(self) -> bool:
        return all(group.kept.busy and not group.kept.gathers for group in self.groups)

    @contextmanager
    def through(self, like: Tensor, model: Denoiser, part: Visitor, last: Stop) -> Iterator[None]:
        """Let all of them through up to this place, seen by a part; while open, they give."""
        self.seen.add(model.sigma)
        for group in self.groups:
            states = [self.references[number].inversion.at(model.sigma) for number in group.numbers]
            self.inside = group
            try:
                with group.kept.gathering():
                    model.guests(torch.cat(states).to(like), part, until={last}, whole=True)
            finally:
                self.inside = None
        with ExitStack() as giving:
            for group in self.groups:
                giving.enter_context(group.kept.giving())
            yield

    def keep(self, site: Site, qkv: QKV) -> None:
        """In a pass of references: remember what they look like here."""
        assert self.inside is not None
        self.inside.rotary = site.rotary
        q, k = (x if site.rotary is None else site.rotary.unrotated(x) for x in (qkv.q, qkv.k))
        statistics = (*mean_and_std(q), *mean_and_std(k))
        self.inside.kept.keep(site.layer.ordinal, site.rows, qkv.k, qkv.v, *statistics)

    def styles(self, site: Site, device: torch.device) -> Styles:
        """What they have left for a call of the run. Raises KeyError if they did not pass here."""
        found: dict[int, tuple[Tensor, ...]] = {}
        for group in self.groups:
            by_kind = zip(*group.kept.of_chunks(site.layer.ordinal, site.rows, device), strict=True)
            kinds = [torch.stack(chunks, 1) for chunks in by_kind]  # (references, C, H, M or 1, d)
            found |= {number: tuple(x[i] for x in kinds) for i, number in enumerate(group.numbers)}
        keys, values, *statistics = zip(*(found[number] for number in sorted(found)), strict=True)
        mean_q, std_q, mean_k, std_k = (torch.stack(x, 1).squeeze(-2) for x in statistics)
        rotaries = {number: group.rotary for group in self.groups for number in group.numbers}
        in_order = [rotaries[number] for number in sorted(rotaries)]
        return Styles(keys, values, (mean_q, mean_k), (std_q, std_k), in_order)
