"""One call that the sampler makes, and the passes that are made beside it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import comfy.samplers
from torch import Tensor

from ....attention_patches.contract.attention_part import AttentionPart
from ....attention_patches.contract.call.site import Text
from ....attention_patches.contract.denoiser import Stop, Visitor
from ....attention_patches.contract.objective import Objective, Slope
from ..facts.run_facts import RunFacts, Working
from ..frames import as_video, of_one_frame
from .guest_prompts import GuestPrompts
from .masked_model import masked_state
from .passes import Pass, own_pass, travelling
from .pushed_prompts import looks_at_negative
from .slopes import LossScale, SlopePass

OF_THE_GUIDER = {
    "multigpu_clones",
    "disable_cfg1_optimization",
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
}
"""Options of the guider that speak of predicted pictures, or of further devices."""


@dataclass(eq=False)
class SamplerCall:
    """One call of the guider, on latents that guidance may shift in place."""

    facts: RunFacts
    prompts: GuestPrompts  # for guests of another size
    scale: LossScale
    executor: Any
    latents: Tensor
    timestep: Tensor
    options: dict[str, Any]
    seed: int | None

    def __post_init__(self) -> None:
        self.further: dict[Any, Text] = {}  # texts that the run does not have by itself
        self.sigma = float(self.timestep[0])
        self.percent = self.facts.schedule.percent(self.sigma)

    def own(self, latents: Tensor) -> Tensor:
        """The guider on the run's own latents."""
        return self._guide(self._with_further(own_pass(self.facts, self.sigma)), latents)

    def _with_further(self, pass_: Pass) -> Pass:
        return replace(pass_, texts={**pass_.texts, **self.further}) if self.further else pass_

    @contextmanager
    def pushing(self, prompt: object, weight: float) -> Iterator[bool]:
        """While open, the guider's negative is in so large a part this prompt."""
        guider = self.executor.class_obj
        own, named = guider.conds, self.further
        looks = bool(own.get("negative")) and looks_at_negative(guider, self.options)
        if not looks or weight <= 0:
            yield looks
            return
        guider.conds, further = self.prompts.pushed(
            guider.inner_model, own, prompt, weight, self.latents, self.timestep, self.seed
        )
        self.further = {**named, **further}
        try:
            yield True
        finally:
            guider.conds, self.further = own, named

    def _guide(self, pass_: Pass, latents: Tensor) -> Tensor:
        given = self.options
        if pass_.kind == "guests":  # these functions may remember what is expected, which means nothing there
            given = {key: of for key, of in given.items() if key != "sampler_pre_cfg_function"}
        with travelling(pass_, given) as options:
            out: Tensor = self.executor(self._video(latents), self._times(latents), options, self.seed)
        return of_one_frame(out)

    def _video(self, latents: Tensor) -> Tensor:
        """Latents in the host's own form."""
        return as_video(latents, self.latents)

    def _times(self, latents: Tensor) -> Tensor:
        same = len(self.timestep) == len(latents)
        return self.timestep if same else self.timestep[:1].expand(len(latents))

    def guests(
        self,
        latents: Tensor,
        owner: Working,
        part: Visitor,
        until: Collection[Stop] = (),
        prompt: object = None,
        whole: bool = False,
    ) -> Tensor:
        """Other latents under the run's prompts, or one of their own, seen by one part; gives the
        pictures expected there."""
        facts, guider = self.facts, self.executor.class_obj
        pass_ = Pass(
            "guests",
            self.sigma,
            len(latents),
            (latents.shape[-2], latents.shape[-1]),
            facts.texts,
            [Working(owner.method, [part], owner.tally)],
            until=frozenset(until),
        )
        if prompt is not None:
            entries, texts = self.prompts.of_guests(guider.inner_model, prompt, latents, self.seed)
            return self._under(entries, replace(pass_, texts=texts), latents)
        with self.prompts.fit(guider, latents, self.seed, whole) as fitted:
            return self._guide(
                self._with_further(pass_) if fitted is None else replace(pass_, texts=fitted), latents
            )

    def _under(self, entries: list[dict[str, Any]], pass_: Pass, latents: Tensor) -> Tensor:
        """What is made of latents under these of the host's entries alone, on the first device alone."""
        options = {key: value for key, value in self.options.items() if key not in OF_THE_GUIDER}
        with travelling(pass_, options) as own:
            # looked up now: packs that sample with a function of their own have put it there for this run
            out: Tensor = comfy.samplers.sampling_function(
                self.executor.class_obj.inner_model,
                self._video(latents),
                self._times(latents),
                None,
                entries,
                1.0,
                own,
                seed=self.seed,
            )
        return of_one_frame(out)

    def slope(
        self, latents: Tensor, owner: Working, part: AttentionPart | None, objective: Objective
    ) -> Slope | None:
        """A gradient under the objective's prompt alone, on the first device alone."""
        facts, guider = self.facts, self.executor.class_obj
        entries = self._positive(guider, objective)
        if not entries:
            return None
        making = SlopePass(facts.family, objective, part, self.scale)
        working = Working(owner.method, making.parts, owner.tally)
        pass_ = Pass("slope", self.sigma, facts.images, facts.latent, facts.texts, [working], making)
        gradient = self._under(entries, pass_, latents)
        state = masked_state(self.options)
        mask = None if state is None else state.mask
        return making.result(gradient if mask is None else gradient * of_one_frame(mask))

    def _positive(self, guider: Any, objective: Objective) -> list[dict[str, Any]]:
        """The guider's entries of the objective's prompt."""
        if not guider.conds.get("positive"):
            names = ", ".join(guider.conds)
            raise ValueError(
                f"the guider has no prompt called 'positive', but {names}; guidance follows the positive "
                "prompt. Use KSampler, SamplerCustom, CFGGuider or BasicGuider."
            )
        texts = self.facts.texts
        return [
            entry
            for entry in guider.conds["positive"]
            if (text := texts.get(entry.get("uuid"))) is not None and text.of(objective.prompt)
        ]
