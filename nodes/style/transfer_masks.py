"""Where latent AdaIN works: the masks that the user gave, or the subject's, or the whole pictures."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.methods.cross_image.latent_adain import Masks, everywhere, fitted, paired
from ...attention_patches.text.lists import phrases_of
from ..host.walks.latents import as_latent
from ..inputs.pictures_and_masks import read_masks
from .inversion_pair import InversionPair
from .subject_masks import subject_masks

Mode = Literal["masked", "whole", "off"]
Which = Literal["structure", "appearance"]


@dataclass(frozen=True)
class MaskInputs:
    """What a node was given: MASKs (M, H, W) or None, and where one is missing words for the subjects."""

    mode: Mode
    structure: Tensor | None
    appearance: Tensor | None
    subject: str
    clip: Any

    def choose(self, pair: InversionPair) -> tuple[Masks, str]:
        """The masks on the grids of the latents, and a remark for the report.

        Raises ValueError for numbers of masks that do not fit, or a subject without a text encoder.
        """
        pictures = pair.structure.images
        whole = Masks(everywhere(pictures, pair.structure.size), everywhere(pictures, pair.appearance.size))
        if self.mode == "whole" or not (self.given or self._words):
            why = "" if self.mode == "whole" else ", as neither masks nor a subject are given"
            return whole, f"AdaIN over the whole pictures{why}."
        masks = paired(self._mask("structure", pair), self._mask("appearance", pair))
        return masks, _remark(masks, self._source)

    @property
    def given(self) -> bool:
        return self.structure is not None or self.appearance is not None

    @property
    def _source(self) -> str:
        if self.structure is not None and self.appearance is not None:
            return "the given masks"
        by_subject = f"self-segmentation of {', '.join(self._words)!r}" if self._words else ""
        if not self.given:
            return by_subject
        missing = "structure" if self.structure is None else "appearance"
        return f"the given mask, and for the {missing} {by_subject or 'the whole picture'}"

    def _mask(self, which: Which, pair: InversionPair) -> Tensor:
        inversion: Inversion = getattr(pair, which)
        given: Tensor | None = getattr(self, which)
        size, pictures = inversion.size, pair.structure.images
        if given is not None:
            masks = read_masks(given, f"{which}_mask")
            try:
                return fitted(masks, size, pictures)
            except ValueError as error:
                raise ValueError(f"{which}_mask: {error}") from None
        if not self._words:
            return everywhere(pictures, size)
        if self.clip is None:
            raise ValueError("subject: words need `clip` to be read; connect the model's CLIP, or give masks")
        latents = as_latent(pair.model, inversion.picture)
        word = self._words[0] if which == "structure" else self._words[-1]
        found = subject_masks(pair.model, self.clip, latents, word)
        return found.expand(pictures, -1, -1)

    @property
    def _words(self) -> list[str]:
        """Of the structure's subject and of the appearance's, or one for both, or none."""
        return phrases_of(self.subject)


def _remark(masks: Masks, source: str) -> str:
    shares = [f"{100 * mask.float().mean():.0f} %" for mask in (masks.structure, masks.appearance)]
    if len(masks.fallbacks) == len(masks.structure):
        return f"AdaIN over the whole pictures, as one of the masks is empty, by {source}."
    line = f"AdaIN inside {source}: {shares[0]} of the structure, {shares[1]} of the appearance."
    if not masks.fallbacks:
        return line
    images = ", ".join(map(str, masks.fallbacks))
    return f"{line} Image {images}: over the whole pictures, as one of the masks is empty there."
