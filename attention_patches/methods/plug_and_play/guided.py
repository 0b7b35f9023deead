"""Plug-and-Play at work: what a guide leaves on its way through the model, put in place of the run's own."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Rows, Site
from ...contract.denoiser import Denoiser, Stop
from ...contract.residual import ResidualSite
from ...contract.schedule import PercentRange
from ...guests.guide import Guide
from ...guests.kept_rows import NOT_THERE, KeptRows

IN_TILES = "the model got a part of the picture whose place is not known, and the guide is seen whole"
IN_WINDOWS = "the model sees the picture in windows, and the guide is seen whole"
IN_AREAS = "the model got a part of the picture, and under guide_prompt the guide is seen whole"
ANOTHER_SHAPE = "another patch has changed its size since the guide passed"


@dataclass(kw_only=True)
class Guided:
    """Belongs to one run; see `PlugAndPlay` for what the fields mean."""

    order: ClassVar[Order] = "edit"  # the guide's keys are the same places as the run's own
    guide: Guide
    layers: frozenset[int]
    features: frozenset[int]
    attention_during: PercentRange
    feature_during: PercentRange
    during: PercentRange
    kept: KeptRows  # for all chunks if the guide has a prompt of its own
    guide_prompt: object = None
    away_from: object = None
    away_alpha: float = 1.0
    pushes: bool = False  # whether there was a negative prompt
    prompts: int = 1  # in one conditioning; several are one for each image
    remark: str = ""
    now: frozenset[Stop] = frozenset()  # what is taken in this call of the sampler
    taken: dict[str, set[float]] = field(default_factory=lambda: {"features": set(), "attention": set()})
    left_alone: Counter[str] = field(default_factory=Counter)  # places by reason

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        self.now = self._wanted(model)
        if self.away_from is None or not model.within(self.during):
            return self._injected(latents, model)
        with model.pushing(self.away_from, 1 - self.away_alpha * (1 - model.percent)) as pushes:
            self.pushes |= pushes
            return self._injected(latents, model)

    def _injected(self, latents: Tensor, model: Denoiser) -> Tensor:
        if not self.now:
            return model.rest(latents)
        states = self.guide.at(model.sigma).to(latents)
        if self.prompts > 1 and not self.kept.for_all:  # one guide is seen under each of them
            states = states.expand(len(latents), -1, -1, -1)
        with self.kept.gathering():
            model.guests(states, self, until=self.now, prompt=self.guide_prompt)
        with self.kept.giving():
            return model.rest(latents)

    def _wanted(self, model: Denoiser) -> frozenset[Stop]:
        wanted: set[Stop] = set()
        if model.within(self.during) and model.within(self.feature_during):
            wanted |= {(ordinal, "residual") for ordinal in self.features}
        if model.within(self.during) and model.within(self.attention_during):
            wanted |= {(ordinal, "self") for ordinal in self.layers}
        return frozenset(wanted)

    def wants(self, site: Site) -> bool | StepAside:
        return self._open((site.layer.ordinal, site.kind), site.rows)

    def wants_residual(self, site: ResidualSite) -> bool | StepAside:
        return self._open((site.layer.ordinal, "residual"), site.rows)

    def _open(self, place: Stop, rows: Rows) -> bool | StepAside:
        if not (self.kept.busy and place in self.now):
            return False
        if any(window is None for window in rows.windows):
            return StepAside(IN_TILES)
        if rows.viewed:
            return StepAside(IN_WINDOWS)
        if self.kept.for_all and not all(window.whole for window in rows.windows_or_whole):
            return StepAside(IN_AREAS)
        return True

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        place = (site.layer.ordinal, site.kind)
        queries, keys = self._exchange("attention", place, site.sigma, site.rows, qkv.q, qkv.k)
        return attend(replace(qkv, q=queries, k=keys))

    def residual(self, site: ResidualSite, h: Tensor) -> Tensor:
        place: Stop = (site.layer.ordinal, "residual")
        (features,) = self._exchange("features", place, site.sigma, site.rows, h)
        return features

    def _exchange(self, what: str, place: Stop, sigma: float, rows: Rows, *own: Tensor) -> tuple[Tensor, ...]:
        """The guide's tensors for the rows of a call; the own ones where there are none, and while the guide
        itself passes."""
        if self.kept.gathers:
            self.kept.keep(place, rows, *own)
            return own
        try:
            given = self.kept.give(place, rows, own[0].device)
        except KeyError:
            self.left_alone[NOT_THERE] += 1
            return own
        if any(one.shape != other.shape for one, other in zip(given, own, strict=True)):
            self.left_alone[ANOTHER_SHAPE] += 1
            return own
        self.taken[what].add(sigma)
        return given

    def finish(self, latents: Tensor) -> str | None:
        return " ".join([*self._lines(), self.remark]).strip()

    def _lines(self) -> Iterator[str]:
        features, attention = (len(self.taken[kind]) for kind in ("features", "attention"))
        yield (
            f"The guide gave features at {features} noise levels, and queries and keys at {attention}, seen "
            f"under {'a prompt of its own' if self.kept.for_all else 'the prompts of the run'}."
        )
        if self.away_from is not None and not self.pushes:
            yield (
                "Nothing was pushed away: the run has no negative prompt, does not look at it (cfg 1), or "
                "has another model look at it."
            )
        for reason, places in self.left_alone.items():
            yield f"Left alone {places} times: {reason}."
