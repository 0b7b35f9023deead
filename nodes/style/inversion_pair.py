"""Two inversions of one model that are sampled side by side."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.cross_image.method import SWAPPED, check_pair
from ..host.exchange import handed_on
from ..host.families import family_of
from ..host.walks.latents import as_latent
from ..host.walks.model_identity import require_model

PAPER = "paper"  # in place of layers


@dataclass(frozen=True)
class InversionPair:
    """Raises ValueError if one of the two is another model's, or they do not fit each other."""

    model: Any
    structure: Inversion
    appearance: Inversion

    def __post_init__(self) -> None:
        self.remarks()
        check_pair(self.structure, self.appearance)

    def remarks(self) -> list[str]:
        """What the report should say about the two, each a sentence."""
        return [
            f"The {name}: {remark}."
            for name in ("structure", "appearance")
            if (remark := self._check(name, getattr(self, name)))
        ]

    def _check(self, name: str, inversion: Inversion) -> str | None:
        try:
            return require_model(inversion, self.model)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def begin(self, percent: float) -> int:
        """The step at which a run begins that leaves out the noisier part of the schedule."""
        first, steps = self.step(percent), self.structure.steps
        if first >= steps:
            raise ValueError(
                f"begin_percent is {percent:g}, and none of the inversion's {steps} steps comes after it. "
                "Begin earlier, or invert with more steps."
            )
        return first

    def step(self, percent: float) -> int:
        """The first step of the inversions at this fraction of the noise schedule or after it."""
        sigma = float(self.model.get_model_object("model_sampling").percent_to_sigma(percent))
        return self.structure.first_step(sigma)

    def layers(self, text: str) -> frozenset[int]:
        """Ordinals of the layers that `text` names; the paper's, for this model, are called so."""
        if text.strip() != PAPER:
            return family_of(self.model).layer_map().parse(text)
        return family_of(self.model).presets(self.structure.size)[SWAPPED].layers

    def latents(self, step: int) -> Tensor:
        """The structure's state before a step, as a LATENT holds it."""
        return handed_on(as_latent(self.model, self.structure.beginning(step)))
