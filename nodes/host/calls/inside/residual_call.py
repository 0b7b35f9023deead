"""One call of the model, followed from residual to residual."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .....attention_patches.contract.attention_part import StepAside
from .....attention_patches.contract.call.site import Rows
from .....attention_patches.contract.layers.layer import LayerPlace
from .....attention_patches.contract.report import Tally
from .....attention_patches.contract.residual import ResidualPart, ResidualSite
from ...facts.run_facts import RunFacts

COMPUTED_BY_ANOTHER = "another patch computes the block there itself"
Seeing = tuple[ResidualPart, Tally]


@dataclass(eq=False)
class ResidualCall:
    """Lets parts see what blocks add to their shortcuts; it lives as long as the call."""

    facts: RunFacts
    rows: Rows
    sigma: float
    seeing: Sequence[Seeing]
    site: ResidualSite | None = None
    wanted: Sequence[Seeing] = ()

    def wants(self, place: LayerPlace) -> bool:
        """Whether a part wants this block, which is about to be computed."""
        self.leave()
        layer = self.facts.residuals.find(*place)
        if layer is None:
            return False
        site = ResidualSite(layer, self.facts.schedule.percent(self.sigma), self.sigma, self.rows)
        self.site, self.wanted = site, [seeing for seeing in self.seeing if self._wants(seeing, site)]
        return bool(self.wanted)

    def _wants(self, seeing: Seeing, site: ResidualSite) -> bool:
        part, tally = seeing
        answer = part.wants_residual(site)
        if isinstance(answer, StepAside):
            tally.step_aside(answer.reason, f"{site.layer} (features)")
        return bool(answer)

    def __call__(self, h: Tensor) -> Tensor:
        """The block's residual (rows, C, h, w) through the parts, from the outermost one in."""
        site, wanted, self.wanted = self.site, self.wanted, ()
        if site is None:
            return h
        if h.shape[0] != self.rows.total:
            self._step_aside(wanted, f"another patch has made {h.shape[0]} rows of {self.rows.total}", site)
            return h
        for part, tally in wanted:
            tally.touch_residual(site)
            h = part.residual(site, h)
        return h

    def leave(self) -> None:
        """The block asked for last is over: if it never came to us, another patch has computed it."""
        if self.site is not None:
            self._step_aside(self.wanted, COMPUTED_BY_ANOTHER, self.site)
        self.site, self.wanted = None, ()

    def _step_aside(self, wanted: Sequence[Seeing], reason: str, site: ResidualSite) -> None:
        for tally in {id(tally): tally for _, tally in wanted}.values():
            tally.step_aside(reason, f"{site.layer} (features)")
