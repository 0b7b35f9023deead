"""Bounded Attention at work in one run: bounds, guidance, and the search for outlines together."""

from dataclasses import dataclass

from torch import Tensor

from ...contract.attention_part import Attend, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Site
from ...contract.denoiser import Denoiser
from ...contract.schedule import PercentRange
from ...layout.shifting import Progress
from .bounds import Bounds
from .guidance import Guide
from .search import Search

IN_A_PART = "the prompt has a part of the picture, and outlines are found in the whole one: boxes stay"


@dataclass(kw_only=True)
class Bounding(Bounds):
    """Belongs to one run."""

    during: PercentRange
    search: Search
    guide: Guide | None
    progress: Progress

    def wants(self, site: Site) -> bool | StepAside:
        found = self.search.looks_at(site)
        wanted = super().wants(site) or found or self.progress.watches(site)
        if wanted and found and self._in_a_part(site):
            return StepAside(IN_A_PART, partly=True)
        return wanted

    def _in_a_part(self, site: Site) -> bool:
        """Whether the prompt has a part of the picture only, in this call."""
        windows = [window for text, _, window in site.rows.by_text if self._is_own(text)]
        return bool(windows) and not any(window is not None and window.whole for window in windows)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.progress.watch(site, qkv)
        bounded = self.bounded(site, qkv) if self.bounds(site) else qkv
        if self.search.looks_at(site) and not qkv.swapped:
            self._gather(site, bounded)
        return attend(bounded)

    def _gather(self, site: Site, qkv: QKV) -> None:
        """What the subjects look at, from the rows of the prompt where it has the whole picture."""
        for text, rows, window in site.rows.by_text:
            if window is not None and window.whole and self._is_own(text) and site.grid == self.search.grid:
                self.search.add(site, qkv, text, rows, self.outlines)

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        """Find the subjects anew if it is time, and let the guidance shift the latents."""
        if not model.within(self.during):
            return False
        if self.search.goes_on and model.within(PercentRange(self.search.start, 1.0)):
            self._refine_if_due(model.percent)
        return self.guide is not None and self.guide.shift(latents, model)

    def _refine_if_due(self, percent: float) -> None:
        """At the first call of the sampler behind each due time."""
        due = self.search.due(percent)
        if due is None:
            return
        found = [self._refine(image) for image in range(self.search.images)]
        if any(found):
            self.search.rounds[due] = percent
            self.kept.clear()
            if self.guide is not None:
                self.guide.bounds.kept.clear()

    def _refine(self, image: int) -> bool:
        return self.search.refine(self.outlines, image)

    def finish(self, latents: Tensor) -> str | None:
        guided = None if self.guide is None else self.progress.guided()
        told = [guided, self.progress.places(), *self.search.told(self.outlines)]
        return " ".join(filter(None, told)) or None
