"""StyleAligned: a batch of images in the style of one of them.

Hertz, Voynov, Fruchter, Cohen-Or, "Style Aligned Image Generation via Shared Attention", CVPR 2024,
section 3. In each self-attention, per chunk of conditioning, head and channel, with r the reference:

    Q_i <- AdaIN(Q_i, Q_r)    K_i <- AdaIN(K_i, K_r)
    out_i = softmax(Q_i [K_i ; s K_r]^T / sqrt(d) + [0 ; b]) [V_i ; V_r]

The unconditional rows follow the unconditional reference. Differences from the authors' code, all without
effect on the result but for rounding: the reference attends to its own keys once instead of twice, so its
tensors are those of a plain run (on the CPU the picture is the same to the bit); b is a bias of the host's
fused attention. Their `share_layer_norm` is left out: a LayerNorm works within a token, so sharing it changes
nothing.

In transformers whose positions are rotations (RoPE) K_r stands somewhere, and `placement` says where:

- beside: to the right of the picture, as if both were one wide picture (AlignedGen, NeurIPS 2025, ShiftPE).
  At equal places attention locks to coordinates and copies the reference.
- same place: where it stands.
- untwisted: where it stands, but channels of high frequency, which carry places, count less ("Untwisting
  RoPE", Mikaeili, Patashnik, Tagliasacchi, Cohen-Or, Mahdavi-Amiri, arXiv 2602.05013). Each pair of channels
  of K_r is weighed by its frequency, see `placement.py`; the numbers are those that a public port states for
  the paper.

AdaIN is computed before the rotation, so what comes is turned back first. Only the picture's queries share:
AlignedGen's code lets the text's see the shared keys too. AlignedGen shares in Flux's single blocks only,
with a score_scale of 1.1.

The style of a given picture (the paper's transfer from an input image): the reference's row follows the
states of the picture's inversion, and ControlNets leave it alone. The authors' `offset` is left out: for the
first five of 50 steps it shows the model a later state, with less noise in it than the model is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from ...attention import memory
from ...contract.attention_part import Attend, Order
from ...contract.batch import Batch
from ...contract.call.column_bias import ColumnBias
from ...contract.call.qkv import QKV
from ...contract.call.rotary import Rotary
from ...contract.call.site import Rows, Site
from ...contract.method import Method, Part
from ...inversion.inversion import Inversion
from ...numerics.adain import adain_to_one
from .group_norm import SharedGroupNorms
from .placement import Placement, placed
from .reference_picture import ReferencePicture
from .said import Said

Sharing = Literal["reference", "all images", "off"]
AdaIN = Literal["queries and keys", "queries", "keys", "off"]


@dataclass(frozen=True, kw_only=True)
class StyleAligned(Method):
    """Shared attention and AdaIN over the images of a batch, see the module's docstring.

    `sharing="all images"` lets every image attend to all of its chunk, without AdaIN, shift or scale
    (the paper's full attention sharing, section 5). `score_shift` is b, log-odds on the reference's keys,
    `score_scale` is s. `placement` is where the reference's keys stand, see the module's docstring; `remark`
    is said of it in the report. `share_group_norm` takes the statistics of every GroupNorm over image and
    reference.

    With `reference_picture`, an inversion of one picture, the reference is that picture during the whole run,
    also where the range ends earlier; `note` is said about it in the report.
    """

    label: ClassVar[str] = "StyleAligned"
    layers: frozenset[int]
    sharing: Sharing = "reference"
    adain: AdaIN = "queries and keys"
    reference: int = 0
    score_shift: float = 0.0
    score_scale: float = 1.0
    placement: Placement = "beside"
    remark: str | None = None
    share_group_norm: bool = False
    reference_picture: Inversion | None = None
    note: str | None = None

    @property
    def off(self) -> bool:
        return super().off or not (self.attends or self.share_group_norm)

    @property
    def attends(self) -> bool:
        """Whether it changes any attention."""
        return bool(self.layers) and (self.sharing != "off" or self.adain != "off")

    def start(self, batch: Batch) -> str | None:
        for name, rows in batch.conditionings.items():
            for count in rows:
                if count not in (1, batch.images):
                    raise ValueError(
                        f"The {name} conditioning has {count} rows (prompts) but the latent batch has "
                        f"{batch.images} images. Give it 1 row for all or {batch.images} rows, one for each; "
                        "EncodePromptBatch's `count` output is made to set the latent's batch size."
                    )
        if not 0 <= self.reference < batch.images:
            possible = f"0 to {batch.images - 1}" if batch.images > 1 else "only 0"
            raise ValueError(
                f"reference_index is {self.reference}, but the latent batch holds {batch.images} image(s), "
                f"counted from 0: possible is {possible}."
            )
        if pinned := self._pinned:
            pinned.check(batch)
        return "the batch holds a single image: a plain run" if batch.images == 1 else None

    @property
    def _pinned(self) -> ReferencePicture | None:
        if self.reference_picture is None:
            return None
        return ReferencePicture(self.reference_picture, self.reference, self.note)

    def memory(self, batch: Batch) -> int:
        if not self.attends or self.sharing == "off":
            return 0
        others = batch.images - 1 if self.sharing == "all images" else 1
        return memory.joined_keys(batch, self.layers, others)

    def begin(self, batch: Batch) -> Sequence[Part]:
        parts: list[Part] = [pinned] if (pinned := self._pinned) else []
        if self.share_group_norm:
            parts.append(SharedGroupNorms(self.reference))
        if self.attends:
            parts.append(Alignment(self))
        if self.attends and self.remark:
            parts.append(Said(self.remark))
        if (cut := self._cut(batch)) is not None:
            parts.append(Said(cut))
        return parts

    def _cut(self, batch: Batch) -> str | None:
        """What to say of images that were cut out of a larger batch: the others follow another reference.

        No batch has a number twice; images that start at one noise were made so on purpose.
        """
        numbers, reference = batch.numbers, self.reference
        if self.reference_picture is not None or numbers == tuple(range(len(numbers))):
            return None
        if len(set(numbers)) < len(numbers):
            return None
        if self.sharing != "all images" and numbers[reference] == reference:
            return None
        style = "one another" if self.sharing == "all images" else f"image {numbers[reference]} of it"
        return (
            f"These are images {', '.join(map(str, numbers))} of a larger batch, and follow {style}; images "
            "sampled apart from them do not. For one style in several runs or machines give each the same "
            "inversion as reference_picture."
        )


@dataclass(frozen=True)
class Alignment:
    """StyleAligned at work in attention calls; it remembers nothing."""

    order: ClassVar[Order] = "edit"
    spec: StyleAligned

    def wants(self, site: Site) -> bool:
        return site.kind == "self" and site.layer.ordinal in self.spec.layers

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        spec = self.spec
        if spec.sharing == "all images":
            return attend(share_all(qkv, site.rows))
        aligned = self.aligned(qkv, site)
        if spec.sharing == "off":
            return attend(aligned)
        # the reference's own keys are untouched by AdaIN, so qkv.k serves here
        keys, values = (site.rows.split(x)[:, spec.reference] for x in (qkv.k, qkv.v))
        keys = self.placed(keys, site)
        return attend(
            aligned.append(
                keys if spec.score_scale == 1.0 else keys * spec.score_scale,
                values,
                bias=ColumnBias.on_all(spec.score_shift, qkv.q) if spec.score_shift else None,
                rows=site.rows.all_but(spec.reference),
            )
        )

    def aligned(self, qkv: QKV, site: Site) -> QKV:
        """The call with the reference's statistics."""
        q, k = qkv.q, qkv.k
        if self.spec.adain in ("queries", "queries and keys"):
            q = align(q, site.rows, self.spec.reference, site.rotary)
        if self.spec.adain in ("keys", "queries and keys"):
            k = align(k, site.rows, self.spec.reference, site.rotary)
        return replace(qkv, q=q, k=k)

    def placed(self, keys: Tensor, site: Site) -> Tensor:
        """The reference's keys (C, H, N, d) where the other images see them."""
        return placed(keys, site.rotary, site.rotary, self.spec.placement, site.percent)


def align(x: Tensor, rows: Rows, reference: int, rotary: Rotary | None = None) -> Tensor:
    """AdaIN of every image of (B, H, N, d) to its chunk's reference, which stays as it is to the bit."""
    images = rows.split(x)
    if rotary is None:
        return adain_to_one(images, reference).flatten(0, 1)
    aligned = rotary.rotated(adain_to_one(rows.split(rotary.unrotated(x)), reference)).to(x.dtype)
    aligned[:, reference] = images[:, reference]
    return aligned.flatten(0, 1)


def share_all(qkv: QKV, rows: Rows) -> QKV:
    """Every image sees the keys and values of all images of its chunk."""
    for shift in range(1, rows.images):
        k, v = (rows.split(x).roll(shift, dims=1).flatten(0, 1) for x in (qkv.k, qkv.v))
        qkv = qkv.append(k, v)
    return qkv
