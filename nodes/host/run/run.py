"""One sampling run: fresh state, our places in this run's own model options, a report at the end."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comfy.model_sampling import CONST
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ....attention_patches.contract.batch import Batch
from ....attention_patches.contract.method import Method, OneNoise, Reporter
from ....attention_patches.contract.report import RunReport, Tally
from ....attention_patches.contract.schedule import Schedule
from ....attention_patches.contract.views import ViewingPart
from ..calls.apply_model import ApplyModel
from ..calls.guest_prompts import GuestPrompts
from ..calls.inside.model_call import enter
from ..calls.predict_noise import PredictNoise
from ..calls.sampler_state import SamplerState, is_masked
from ..facts.eager import Eager, is_compiled
from ..facts.region_texts import merged_texts
from ..facts.run_facts import RunFacts, Working
from ..facts.samplers import remembered
from ..facts.texts import own_names, texts_of
from ..families.family import Family
from ..frames import of_one_frame
from ..views.cut_conditionings import CutConditionings
from ..views.region_controls import with_own_controls
from ..views.viewed import Viewing
from .lent import Lent
from .numbers_of_images import numbers_of
from .on_the_node import OnTheNode
from .one_noise import with_one_noise
from .paced import Paced

KEY = "attention_control"
NOT_A_NUMBER = (
    "The run ended in latents that are not a number (NaN), so there is nothing to tell of it. Another "
    "precision, or a repaired checkpoint, may help."
)


@dataclass(frozen=True, eq=False)
class Enrolled:
    """A method that was put on the MODEL, in one run, and the node that it is from."""

    method: Method
    tally: Tally
    node: OnTheNode

    @property
    def works(self) -> bool:
        """Whether the method has something to do in the run."""
        return not self.tally.off and self.tally.nothing_to_do is None


@dataclass(eq=False)
class Run:
    """What lives while one guider samples, and dies with it."""

    family: Family
    batch: Batch  # with the texts as they are before the host fits them to the run
    enrolled: Sequence[Enrolled]  # in the order of their nodes
    prompts: GuestPrompts
    report: RunReport
    working: list[Working] = field(default_factory=list)
    lent: list[Lent] = field(default_factory=list)
    state: SamplerState = field(default_factory=SamplerState)
    drawing: list[Paced] = field(default_factory=list)  # of each method that works

    def attach(self, model_options: dict[str, Any]) -> None:
        """Take our places in the options of this run, which the host made for it and drops after it."""
        options = model_options["transformer_options"]
        patches = options["patches"] = dict(options.get("patches", {}))
        for name, mark in self.family.marks(enter).items():
            patches[name] = [*patches.get(name, []), mark]
        for place, wrapper in (
            (WrappersMP.PREPARE_SAMPLING, self.prepare),
            (WrappersMP.SAMPLER_SAMPLE, self.sample),
        ):
            add_wrapper_with_key(place, KEY, self._lend(wrapper), model_options, is_model_options=True)

    def _lend(self, wrapper: Callable[..., Any]) -> Lent:
        self.lent.append(Lent(wrapper))
        return self.lent[-1]

    def release(self) -> None:
        """The run is over, well or not: what stands in its options leads to nothing of it."""
        for lent in self.lent:
            lent.of = None
        self.working.clear()
        self.drawing.clear()

    def prepare(self, executor: Any, model: Any, noise_shape: Sequence[int], *rest: Any, **named: Any) -> Any:
        """Wrapper round the loading of the models: the host makes room for what the methods need as well."""
        working = [one.method for one in self.enrolled if one.works]
        batch, shape = self.batch, list(noise_shape)
        calls = [call for method in working if (call := method.largest_call(batch)) is not None]
        if calls and not any(method.guides for method in working):  # guidance looks at the whole picture
            (views, size), *_ = calls
            shape = [views * shape[0], shape[1], *size]
            sizes = self.family.layer_sizes(size)
            batch = replace(batch, images=views * batch.images, latent=size, layer_sizes=sizes)
        wanted = sum(method.memory(batch) for method in working)
        image = model.model.memory_required([1, *shape[1:]])
        # of the shape the host only reads how much memory it takes, twice for two conditionings
        more = math.ceil(wanted / max(2 * image, 1))
        return executor(model, [shape[0] + more, *shape[1:]], *rest, **named)

    def sample(self, executor: Any, guider: Any, sigmas: Tensor, extra: Any, *rest: Any, **named: Any) -> Any:
        """Wrapper round the sampler, behind the host's last copies of the conditionings: the methods
        begin."""
        sigmas = sigmas.clone()  # UniPC writes into them, and they may lie in a node's output
        self.report.steps = max(len(sigmas) - 1, 0)
        guider.conds = with_own_controls(own_names(guider.conds))
        levels = tuple(float(sigma) for sigma in sigmas[:-1])
        noise = named.get("noise", rest[1])
        numbers = numbers_of(noise, extra.get("seed"))
        facts = self.begin(guider, levels, noise, numbers, remembered(executor.class_obj))
        for one in self.working:
            one.tally.due = frozenset(s for s in levels if facts.schedule.within(s, one.method.during))
        masked = is_masked(rest, named)
        executor = self._sampler(executor, noise, sigmas, extra.get("seed"), masked)
        self.state.left_out = facts.left_out() if masked and not noise.any() else None
        calls = PredictNoise(facts, self.prompts, self.state)
        passes = ApplyModel(facts)
        # the guider looks for the first in its own options, the model for the other in those of a call
        wrappers: list[tuple[str, Callable[..., Any]]] = [
            (WrappersMP.PREDICT_NOISE, calls.predict_noise),
            (WrappersMP.APPLY_MODEL, passes.apply_model),
        ]
        if viewing := [
            (one, part) for one in self.working for part in one.parts if isinstance(part, ViewingPart)
        ]:
            views = Viewing(facts, viewing, CutConditionings.of_run(guider, facts.latent))
            wrappers.append((WrappersMP.CALC_COND_BATCH, views.calc_cond_batch))
        for place, wrapper in wrappers:
            lent = self._lend(wrapper)
            for options in (guider.model_options, extra["model_options"]):
                add_wrapper_with_key(place, KEY, lent, options, is_model_options=True)
        return self.state.sample(executor, guider, sigmas, extra, *rest, **named)

    def begin(
        self,
        guider: Any,
        levels: tuple[float, ...] = (),
        noise: Tensor | None = None,
        numbers: tuple[int, ...] = (),
        remembered: int = 0,
    ) -> RunFacts:
        """The methods with something to do begin; gives what stays the same from here on."""
        model = guider.model_patcher
        texts = merged_texts(texts_of(guider.conds, self.batch.latent, self.family))
        noise = None if noise is None else of_one_frame(noise)
        batch = replace(
            self.batch,
            texts=tuple(texts.values()),
            levels=levels,
            noise=noise,
            numbers=numbers,
            remembered=remembered,
        )
        for one in self.enrolled:
            if one.works:
                draw = Paced(one.node.draw)
                self.drawing.append(draw)
                parts = one.method.begin(replace(batch, tell=one.node.tell, draw=draw))
                self.working.append(Working(one.method, parts, one.tally))
        return RunFacts(
            family=self.family,
            layers=batch.layers,
            residuals=batch.residuals,
            schedule=Schedule.of(model.get_model_object("model_sampling").percent_to_sigma),
            images=batch.images,
            latent=batch.latent,
            texts=texts,
            working=self.working,
            report=self.report,
            flow=isinstance(model.get_model_object("model_sampling"), CONST),
            eager=Eager(is_compiled(model)),
        )

    def _sampler(self, executor: Any, noise: Tensor, sigmas: Tensor, seed: int | None, masked: bool) -> Any:
        """The sampler, told to draw the same noise for all images if a part wants it so."""
        wanting = [part for one in self.working for part in one.parts if isinstance(part, OneNoise)]
        if not wanting:
            return executor
        executor, differs = with_one_noise(executor, noise, sigmas, seed, masked)
        if differs is not None:
            for part in wanting:
                part.noise_differs(differs.reason, certain=differs.certain)
        return executor

    def finish(self, latents: Tensor) -> None:
        """The run has ended well."""
        sound = bool(latents.isfinite().all())
        latents = of_one_frame(latents)
        self.report.close()
        for one in self.enrolled if sound else ():
            if one.tally.nothing_to_do is not None:
                one.method.missed(latents, one.tally.nothing_to_do)
        for drawing in self.drawing if sound else ():
            drawing.finish()
        for working in self.working:
            reporters = [part for part in working.parts if isinstance(part, Reporter)] if sound else []
            remarks = [remark for part in reporters if (remark := part.finish(latents))]
            if self.state.remark and working.tally.shifts > 1:
                remarks.append(self.state.remark)
            working.tally.remark = " ".join(remarks) if sound else NOT_A_NUMBER
            working.tally.unsound = not sound
