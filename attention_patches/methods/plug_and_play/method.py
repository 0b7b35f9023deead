"""Plug-and-Play: a prompt for a picture of one's own, which keeps that picture's layout.

Tumanyan, Geyer, Bagon, Dekel, "Plug-and-Play Diffusion Features for Text-Driven Image-to-Image Translation",
CVPR 2023, section 4, algorithm 1. The guide is the picture, as the noisy states z_t of its inversion; at each
step they go through the model as well, and the run takes over

    f_t        what the ResBlock of output 4 adds to its shortcut (its spatial features), for t above tau_f
    q_t, k_t   queries and keys of the decoder's self-attention, and with them its map, for t above tau_A

in all its rows, positive and negative alike. Values stay the run's own: they bring what the words say. The
run begins at the guide's own noise, z_T.

Differences from the authors' two code bases. Both sample or load the guide step by step in the batch; here
the states of its inversion are let through just before the run needs them, at any number of steps, and that
pass ends at the last place that is needed. The first takes the guide's unconditional features for the
negative and its conditional ones for the positive, which is what happens here without a prompt of the guide's
own; the second takes those under one prompt, an empty one, for both, as here with one. Ends are parts of the
noise schedule: 0.8 and 0.5 are its steps 0 to 39 and 0 to 24 of 50; the first counts one step more. Of SDXL
the authors say nothing: there the layers are those of Ctrl-X (Lin et al., NeurIPS 2024), which takes the
block's output behind the addition, and into the positive alone; here it is as above. From Ctrl-X as well is
a guide without an inversion: the picture with other noise at each step.

Against a guide that stays too much what it is, the first code base pushes away from the guide's own prompt:
in place of the negative's prediction e_n it takes a e_n + (1 - a) e_guide, where a falls in equal steps from
alpha to 0; here it falls with the schedule. alpha is 0.75 for guides that a model has made, and 1 for photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...attention import memory
from ...contract.batch import Batch
from ...contract.method import Method, Part
from ...contract.schedule import PercentRange
from ...guests.guide import Guide
from ...guests.kept_rows import KeptRows
from ...inversion.followed import Followed
from ...inversion.inversion import Inversion
from .guided import Guided

PLUGGED = "Plug-and-Play"  # the authors' layers


@dataclass(frozen=True, kw_only=True)
class PlugAndPlay(Method):
    """The layout of `guide` for all images, see the module's docstring.

    Takes queries and keys in `layers` until `attention_until`, and residuals of the blocks `features` (by
    their ordinal in the map of residuals) until `feature_until`, parts of the noise schedule. The guide holds
    one picture, or one for each image. `guide_prompt` is a conditioning of the host for the guide alone.
    `away_from` is one that says what the guide is; it stands in for a part of the negative, of which
    `away_alpha` is left at pure noise, and less and less after it.
    `remark` goes to the report. Raises ValueError for ends outside 0..1.
    """

    label: ClassVar[str] = "PlugAndPlay"
    guide: Guide
    layers: frozenset[int]
    features: frozenset[int]
    feature_until: float = 0.8
    attention_until: float = 0.5
    guide_prompt: object = None
    away_from: object = None
    away_alpha: float = 1.0
    remark: str = ""

    def __post_init__(self) -> None:
        for name in ("feature_until", "attention_until", "away_alpha"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value:g}; it must lie between 0 and 1")

    @property
    def off(self) -> bool:
        nothing = not (self.features and self.feature_until) and not (self.layers and self.attention_until)
        return super().off or (nothing and self.away_from is None)

    def start(self, batch: Batch) -> str | None:
        size = tuple(self.guide.picture.shape[-2:])
        if size != batch.latent:
            raise ValueError(
                f"guide has {size[1]} x {size[0]} latent cells (width x height), and the latent to sample "
                f"{batch.latent[1]} x {batch.latent[0]}. Connect this node's own LATENT to the sampler, or "
                "scale the picture before you invert it."
            )
        if self.guide.images not in (1, batch.images):
            raise ValueError(
                f"guide holds {self.guide.images} pictures, and the latent batch to sample {batch.images} "
                f"images: possible is 1 guide for all, or {batch.images}, one for each. Connect this node's "
                "own LATENT to the sampler; LatentFromBatch takes one picture out of a batch to invert."
            )
        return None

    def memory(self, batch: Batch) -> int:
        return memory.kept_keys(batch, self.layers) if self.attention_until else 0

    def begin(self, batch: Batch) -> Sequence[Part]:
        prompts = max((rows for role in batch.conditionings.values() for rows in role), default=1)
        guided = Guided(
            guide=self.guide,
            layers=self.layers,
            features=self.features,
            attention_during=PercentRange(0.0, self.attention_until),
            feature_during=PercentRange(0.0, self.feature_until),
            during=self.during,
            kept=KeptRows(for_all=self.guide_prompt is not None),
            guide_prompt=self.guide_prompt,
            away_from=self.away_from,
            away_alpha=self.away_alpha,
            prompts=prompts,
            remark=self.remark,
        )
        return (guided, Followed(self.guide)) if isinstance(self.guide, Inversion) else (guided,)
