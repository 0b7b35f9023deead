"""Cross-Image Attention: the structure of one picture in the appearance of another.

Alaluf, Garibi, Patashnik, Averbuch-Elor, Cohen-Or, "Cross-Image Attention for Zero-Shot Appearance Transfer",
SIGGRAPH 2024. The output starts at a noisy state of the structure's inversion. In self-attention of the
decoder its queries meet the keys and values of the appearance at the same noise level:

    A = softmax(Q_out K_app^T / sqrt(d))          cross-image attention
    A <- clip(beta (A - mean A) + mean A, 0, 1)   contrast, per head and query
    D = D_plain + g (D_swapped - D_plain)         appearance guidance; g falls linearly to max(g / 2, 1)

On every fifth of the earlier steps the keys and values are the structure's own, which keeps its shape. In the
authors' code attention is told the number of a step behind it, so it goes by the step before: with 100 steps,
of which 32 are skipped, their range from step 10 on swaps in 57 steps, from executed step 11 on, and steps
11, 16, ... 36 take the structure's keys. The same holds here; the guidance and AdaIN have no such lag.

Differences from the authors' code. It samples output, appearance and structure as one batch; we let the
stored states of the two pictures through the model as guests, just before the output needs their keys and
values. So the output is the only row of the run, the pictures may differ in size (the output has the
structure's, each picture keeps its own), and they stay exactly on their trajectories, where sampling them
anew drifts away whenever CFG or prompt are not those of the inversion. Passes whose result would not count
are left out: the plain one where g = 1, the swapped one outside the range. The authors' model also has FreeU
in its decoder; the host has a node for that. Latent AdaIN, the method's last part, is in `latent_adain`.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...attention import memory
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.batch import Batch
from ...contract.call.qkv import QKV
from ...contract.call.site import Site
from ...contract.denoiser import Denoiser, Stop
from ...contract.method import Method, Part
from ...guests.kept_rows import KeptRows
from ...inversion.followed import Followed
from ...inversion.inversion import Inversion
from .transfer_journal import Journal

IN_WINDOWS = "the model sees the picture in windows, and the other pictures are seen whole"
IN_TILES = "the model got a part of the picture whose place is not known, and parts of other pictures differ"
SWAPPED = "Cross-Image Attention"  # the authors' layers
REFRESHED = (40, 68)  # the structure's own keys come back in so many of so many executed steps, paper


def contrasted(map_: Tensor, keys: int, contrast: float) -> Tensor:
    """Probabilities (..., M) whose first `keys` columns are spread from their mean, and clipped to 0..1."""
    own = map_[..., :keys]
    mean = own.mean(-1, keepdim=True)
    spread = ((own - mean) * contrast + mean).clamp(0, 1)
    return spread if keys == map_.shape[-1] else torch.cat([spread, map_[..., keys:]], dim=-1)


def check_pair(structure: Inversion, appearance: Inversion) -> None:
    """Raises ValueError if the two cannot be sampled side by side."""
    one, other = structure.sigmas, appearance.sigmas
    if one.shape != other.shape or not torch.allclose(one, other, rtol=1e-4):
        raise ValueError(
            f"structure walked {len(one) - 1} steps from sigma {float(one[0]):.4g}, appearance "
            f"{len(other) - 1} from {float(other[0]):.4g}; both must have the same noise levels. Invert both "
            "pictures with the same scheduler and steps."
        )
    if appearance.images not in (1, structure.images):
        raise ValueError(
            f"appearance holds {appearance.images} pictures and structure {structure.images}: possible is 1 "
            f"appearance for all, or {structure.images}, one for each."
        )


@dataclass(frozen=True, kw_only=True)
class CrossImage(Method):
    """Appearance transfer to the pictures of `structure`, see the module's docstring.

    The run starts at step `first` of the inversions. `contrast` is beta, 1 for none. `swap_guidance` is g,
    1 or more. `refresh_every` 0 never takes the structure's own keys. `remark` goes to the report.
    Raises ValueError for inversions that do not fit each other.
    """

    label: ClassVar[str] = "CrossImageAttention"
    structure: Inversion
    appearance: Inversion
    layers: frozenset[int]
    first: int = 0
    contrast: float = 1.67
    swap_guidance: float = 3.5
    refresh_every: int = 5
    remark: str = ""

    def __post_init__(self) -> None:
        check_pair(self.structure, self.appearance)

    @property
    def off(self) -> bool:
        return super().off or not self.layers

    @property
    def executed(self) -> int:
        return self.structure.steps - self.first

    def start(self, batch: Batch) -> str | None:
        expected = (self.structure.images, *self.structure.size)
        given = (batch.images, *batch.latent)
        if given != expected:
            raise ValueError(
                f"latent holds {_latents(given)}, but structure has {_latents(expected)}. Connect this "
                "node's own LATENT output to the sampler's latent image."
            )
        return None

    def memory(self, batch: Batch) -> int:
        kept = memory.kept_keys(batch, self.layers)
        return kept if self.contrast == 1.0 else kept + memory.maps(batch, self.layers)

    def begin(self, batch: Batch) -> Sequence[Part]:
        prompts = max((rows for role in batch.conditionings.values() for rows in role), default=1)
        last: frozenset[Stop] = frozenset({(max(self.layers), "self")} if self.layers else ())
        return Transfer(spec=self, prompts=prompts, last=last), Followed(self.structure)

    def step(self, sigma: float) -> int:
        """The executed step, from 0, whose noise level is nearest."""
        levels = self.structure.sigmas[:-1].log()
        return max(int((levels - math.log(sigma)).abs().argmin()) - self.first, 0)

    def refreshes(self, step: int) -> bool:
        """Whether the output sees the structure's own keys in this step instead of the appearance's: if it is
        the turn of the step before."""
        told = max(step - 1, 0)
        some, of = REFRESHED
        early = told * of < some * self.executed
        return self.refresh_every > 0 and told % self.refresh_every == 0 and early

    def guidance(self, step: int) -> float:
        last = max(self.swap_guidance / 2, 1.0)
        return self.swap_guidance + (last - self.swap_guidance) * step / max(self.executed - 1, 1)


def _latents(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} latent(s) of {shape[1]} x {shape[2]} cells"


@dataclass(kw_only=True)
class Transfer:
    """A CrossImage at work in one run."""

    order: ClassVar[Order] = "swap"
    spec: CrossImage
    prompts: int = 1  # in one conditioning; several are one for each structure
    last: frozenset[Stop] = frozenset()  # where keys are needed last
    kept: KeptRows = field(default_factory=KeptRows)
    journal: Journal = field(default_factory=Journal)

    def denoise(self, latents: Tensor, model: Denoiser) -> Tensor:
        self.journal.begin(model.given, self.spec.structure, model.sigma, self.spec.first)
        if not model.within(self.spec.during):
            return model.rest(latents)
        step = self.spec.step(model.sigma)
        with self._guests(step, latents, model):
            swapped = model.rest(latents)
        strength = self.spec.guidance(step)
        if strength == 1.0:
            return swapped
        plain = model.rest(latents)
        return plain + strength * (swapped - plain)

    @contextmanager
    def _guests(self, step: int, latents: Tensor, model: Denoiser) -> Iterator[None]:
        """While open, the output attends to the picture whose turn it is."""
        own = self.spec.refreshes(step)
        source = self.spec.structure if own else self.spec.appearance
        self.journal.see(model.sigma, own)
        states = source.at(model.sigma).to(latents)
        if self.prompts > 1:  # a single appearance is seen under each of them
            states = states.expand(len(latents), -1, -1, -1)
        with self.kept.gathering():
            model.guests(states, self, until=self.last)
        with self.kept.giving():
            yield

    def wants(self, site: Site) -> bool | StepAside:
        if not (self.kept.busy and site.kind == "self" and site.layer.ordinal in self.spec.layers):
            return False
        if any(window is None for window in site.rows.windows):
            return StepAside(IN_TILES)
        if site.rows.viewed:
            return StepAside(IN_WINDOWS)
        return True

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        if self.kept.gathers:
            self.journal.hear(site.rows.texts)
            self.kept.keep(site.layer.ordinal, site.rows, qkv.k, qkv.v)
            return attend(qkv)
        try:
            swapped = qkv.swap(*self.kept.give(site.layer.ordinal, site.rows, qkv.k.device))
        except (KeyError, ValueError) as error:
            self.journal.left_alone[str(error.args[0])] += 1
            return attend(qkv)
        if self.spec.contrast != 1.0:
            keys = swapped.k.shape[2]
            swapped = swapped.edit_map(lambda map_, _: contrasted(map_, keys, self.spec.contrast))
        return attend(swapped)

    def finish(self, latents: Tensor) -> str | None:
        return " ".join([*self.journal.lines(self.spec.structure.cfg), self.spec.remark]).strip()
