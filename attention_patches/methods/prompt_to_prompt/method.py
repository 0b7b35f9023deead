"""Prompt-to-Prompt: a source picture and edits of it, each with a prompt of its own, in one batch.

Hertz, Mokady, Tenenbaum, Aberman, Pritch, Cohen-Or, "Prompt-to-Prompt Image Editing with Cross Attention
Control", ICLR 2023. All images start at the same noise; image 0 has the source prompt. With A the attention
maps of the positive prompts, j a token of the edit, and a_j the tokens of the source that it is aligned to:

    cross:  A_edit[:, j] <- c_j sum_i m_ij A_source[:, i]   until the token's percent of the schedule;
            A_edit[:, j] <- c_j A_edit[:, j]                for tokens that the source lacks
    self:   A_edit <- A_source                              until `self_until`, on grids of few tokens

m is the alignment (word swap, refinement), c the reweighting, 1 for most tokens; nothing is renormalised.
Differences from the authors' code: times are percents of the noise schedule, theirs are numbers of steps
(51 calls for 50 steps of PNDM). Self-attention is the source's by copied queries and keys, which gives the
same map on a fused kernel. Reweighting alone multiplies the edit's own map, theirs the source's, which for
equal prompts is the same. What differs in the alignment and in the blend is said in `alignment.py` and
`blend.py`.

Where text and picture share one softmax maps of words are no one's to exchange, as each token of a language
model has the whole text in it. There the edits take the source's layout by the queries and keys of its
picture's tokens alone, and keep their own values and texts (Shin, Hwang, Kim, Kim, Park, "Exploring
Multimodal Diffusion Transformers for Enhanced Prompt-based Image Editing", ICCV 2025, arXiv 2508.07519: all
blocks, the first 20 % of the steps; their edits have nothing in `taken`). Their copied keys are seen by the
queries of text as well; here these stay as they are.

With `picture`, an inversion of a given picture, the source is that picture during the whole run (Ju et al.,
"Direct Inversion", ICLR 2024), and its own noisy states are what its maps are made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from ...attention import memory
from ...contract.batch import NOT_THIS_PROMPT, Batch
from ...contract.call.site import Prompt, Text
from ...contract.method import Method, Part
from ...inversion.followed import Followed
from ...inversion.inversion import Inversion
from ...inversion.pinned import size_in_words
from ...maps.recorders.recorder import WORDS
from .blend import Blend, Blending, blended_layers
from .control import Control
from .edits import Edit
from .mask_store import MaskStore
from .source_picture import SourcePicture


@dataclass(frozen=True, kw_only=True)
class PromptToPrompt(Method):
    """See the module's docstring. `edits` are those of images 1, 2, ...; `self_max_tokens` is the largest
    grid whose self-attention is the source's. `prompt` are the node's prompts together; None stands for
    every positive text. The blend's masks go into `store`; `note` is said in the report."""

    label: ClassVar[str] = "PromptToPrompt"
    layers: frozenset[int]
    edits: tuple[Edit, ...]
    self_until: float = 0.4
    self_max_tokens: int = 256
    blend: Blend | None = None
    prompt: Prompt | None = None
    picture: Inversion | None = None
    store: MaskStore | None = None
    shows_masks: bool = True
    note: str = ""

    @property
    def off(self) -> bool:
        controls = bool(self.layers) and (self.self_until > 0 or not all(e.idle for e in self.edits))
        return super().off or not (controls or self.blend or self.picture)

    @property
    def images(self) -> int:
        return 1 + len(self.edits)

    @property
    def looking(self) -> "PromptToPrompt":
        return replace(self, blend=None, picture=None) if self.blend or self.picture else self

    def missed(self, latents: Tensor, reason: str) -> None:
        if self.store is not None:
            self.store.missed.add(latents, reason)

    def memory(self, batch: Batch) -> int:
        return memory.maps(batch, self.layers, max(batch.text_tokens("positive"), default=None))

    def start(self, batch: Batch) -> str | None:
        batch.check_prompts(self.label, self.images, f"the source and {len(self.edits)} edits")
        self._check_picture(batch.latent, batch.cell)
        own = [text for text in batch.texts if text.of(self.prompt)]
        self._check_lengths(own)
        return None if own else NOT_THIS_PROMPT

    def _check_picture(self, latent: tuple[int, int], cell: int) -> None:
        if self.picture is None:
            return
        size = self.picture.size
        if size != latent:
            raise ValueError(
                f"inversion is {size_in_words(size, cell)}, and the latent to sample is "
                f"{size_in_words(latent, cell)}. Connect the node's own LATENT output to the "
                "sampler's latent image."
            )

    def _check_lengths(self, own: Sequence[Text]) -> None:
        aligned = max((len(edit.taken) for edit in self.edits), default=0)
        for text in own:
            if text.tokens < aligned:
                raise ValueError(
                    f"The positive conditioning has {text.tokens} tokens, and PromptToPrompt has aligned "
                    f"{aligned}. Connect the node's own CONDITIONING to the sampler."
                )

    def begin(self, batch: Batch) -> Sequence[Part]:
        control = Control(
            layers=self.layers,
            edits=self.edits,
            self_until=self.self_until,
            self_max_tokens=self.self_max_tokens,
            prompt=self.prompt,
        )
        parts: list[Part] = [control]
        if self.picture is not None:
            parts += [SourcePicture(self.picture, 0), Followed(self.picture)]
        return [*parts, *self._blending(batch), Told(control, self.note)]

    def _blending(self, batch: Batch) -> list[Part]:
        if self.blend is None:
            return []
        best = batch.presets.get(WORDS)
        layers = blended_layers(batch.layer_sizes, batch.latent[0]) if best is None else best.layers
        grid = batch.layer_sizes[min(layers)].grid
        blending = Blending(
            spec=self.blend,
            layers=layers,
            grid=grid,
            latent=batch.latent,
            prompt=self.prompt,
            picture=self.picture,
            tell=batch.tell,
            store=self.store,
        )
        return [replace(blending, draw=batch.draw) if self.shows_masks else blending]


@dataclass
class Told:
    """What is said at the end of a run. All images get the source's noise between the steps."""

    control: Control
    note: str
    drift: str | None = None

    def noise_differs(self, reason: str, *, certain: bool) -> None:
        drift = "drift" if certain else "may drift"
        self.drift = f"The edits {drift} from the source: {reason}, and edits need the source's."

    def finish(self, latents: Tensor) -> str | None:
        return " ".join(filter(None, (self.control.describe(), self.drift, self.note)))
