"""Shape variations: one picture, and others in which one object has another shape.

Patashnik, Garibi, Azuri, Averbuch-Elor, Cohen-Or, "Localizing Object-level Shape Variations with
Text-to-Image Diffusion Models", ICCV 2023. P(w) is the prompt with the object's word, P(w') the same with a
proxy word in its place. All images start at the same noise; image 0 has P(w), each of the others its own w'.
Prompt mixing ("Mix-and-Match"), in the cross-attention of the positive prompts:

    K = K of P(w)                       always, so the layout is the original's
    V = V of P(w')                      between two ends: the shape is formed
    V = V of P(w)                       before them (layout) and behind them (details)

Values of another number of tokens are paired with the keys by their place, as in the authors' code.
Differences from it: times are percents of the noise schedule, theirs are numbers of steps (7, 17 and 35 of
the 51 calls for 50 steps of PNDM). The rows of one conditioning hold P(w) and every P(w'), so the original's
keys and values are those of row 0, and all stays on the fused kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from ...attention import memory
from ...contract.batch import NOT_THIS_PROMPT, Batch
from ...contract.call.site import Prompt
from ...contract.method import Method, Part
from ...contract.schedule import PercentRange
from .background import Background
from .blending_calls import BlendingCalls
from .finding import Finding, Named
from .keeping import MOST_CELLS, Keeping, Kept, WordCells, small_layers
from .mixing import Mixing

SHAPES = PercentRange(0.14, 0.34)  # the authors' 7th to 17th of 50 steps

TOO_FINE = (
    f"Nothing else of the original was kept: at this size no layer has {MOST_CELLS} cells or fewer, in which "
    "objects and background are found."
)


@dataclass(frozen=True, kw_only=True)
class ShapeVariations(Method):
    """See the module's docstring. `images` is how many prompts there are, the original's among them; in
    `shapes` values are the proxies'. `kept` are objects that keep their shapes. `named` says what is to be
    found in the images, if the original's background is blended in at `blend_at`. `same` are images whose
    prompt is the original's: they are it to the bit, as none of their maps is edited. `prompt` are the node's
    prompts together; None stands for every positive text. `note` is said in the report."""

    label: ClassVar[str] = "ShapeVariations"
    layers: frozenset[int]
    images: int
    shapes: PercentRange = SHAPES
    kept: Kept | None = None
    named: Named | None = None
    blend_at: float = 0.7
    same: frozenset[int] = frozenset()
    prompt: Prompt | None = None
    note: str = ""

    @property
    def off(self) -> bool:
        return super().off or not self.layers

    def start(self, batch: Batch) -> str | None:
        batch.check_prompts(self.label, self.images, f"the original and {self.images - 1} proxies")
        return None if any(text.of(self.prompt) for text in batch.texts) else NOT_THIS_PROMPT

    def begin(self, batch: Batch) -> Sequence[Part]:
        mixing = Mixing(layers=self.layers, shapes=self.shapes, prompt=self.prompt)
        keeping, background = self._keeping(batch), self._background(batch)
        more = " ".join(filter(None, [TOO_FINE if self._too_fine(batch) else "", self.note]))
        told = Told([mixing, *keeping[1:], *background[1:]], more)
        return [mixing, *keeping, *background, told]

    def _too_fine(self, batch: Batch) -> bool:
        """Whether something is to be kept of the original, and no layer is small enough to find it in."""
        return bool(self.kept or self.named) and not self.shapes.empty and not self._small(batch)

    def _keeping(self, batch: Batch) -> list[Any]:
        if self.kept is None or self.shapes.empty or not self._small(batch):
            return []  # without shapes all images are the original
        places = WordCells(spec=self.kept, grids=self._small(batch), prompt=self.prompt)
        return [places, Keeping(places=places, same=self.same)]

    def _background(self, batch: Batch) -> list[Any]:
        if self.named is None or self.shapes.empty or not self._small(batch):
            return []
        finding = Finding(spec=self.named, grids=self._small(batch), prompt=self.prompt)
        background = Background(
            finding=finding,
            at=self.blend_at,
            latent=batch.latent,
            calls=BlendingCalls(levels=batch.levels, further=batch.remembered),
            tell=batch.tell,
            draw=batch.draw,
        )
        return [finding, background]

    def _small(self, batch: Batch) -> dict[int, tuple[int, int]]:
        return small_layers({n: size.grid for n, size in batch.layer_sizes.items()}, self.layers)

    def memory(self, batch: Batch) -> int:
        if self.shapes.empty or not (self.kept or self.named):
            return 0
        small, tokens = self._small(batch), max(batch.text_tokens("positive"), default=0)
        sizes = [batch.layer_sizes[n] for n in small]
        words = sum(size.heads * size.tokens * tokens for size in sizes) if self.kept else 0
        looks = batch.images * max((size.tokens for size in sizes), default=0) ** 2 if self.named else 0
        return memory.maps(batch, small) + (words + looks) * memory.NUMBER

    @property
    def looking(self) -> "ShapeVariations":
        return replace(self, kept=None, named=None) if self.kept or self.named else self


@dataclass
class Told:
    """What is said at the end of a run. All images get the original's noise between the steps."""

    parts: Sequence[Mixing | Keeping | Background]
    more: str = ""
    drift: str | None = None

    def noise_differs(self, reason: str, *, certain: bool) -> None:
        drift = "drift" if certain else "may drift"
        self.drift = f"The variations {drift} from the original: {reason}, and they need the original's."

    def finish(self, latents: Tensor) -> str | None:
        return " ".join(filter(None, (*(part.describe() for part in self.parts), self.more, self.drift)))
