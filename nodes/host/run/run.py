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
from ..calls.eager import Eager, is_compiled
from ..calls.facts import RunFacts, Working
from ..calls.frames import of_one_frame
from ..calls.guest_prompts import GuestPrompts
from ..calls.inside.model_call import enter
from ..calls.predict_noise import PredictNoise
from ..calls.sampler_state import SamplerState
from ..calls.texts import conditioning_rows, own_names, texts_of
from ..families import family_of
from ..families.family import Family
from ..views.cut_conditionings import CutConditionings
from ..views.region_prompts import (
    check_guidance,
    check_patches,
    check_viewed,
    merged_texts,
    region_entries,
)
from ..views.viewed import Viewing
from .lent import Lent
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

    def prepare(self, executor: Any, model: Any, noise_shape: Sequence[int], *rest: Any, **named: Any) -> Any:
        """Wrapper round the loading of the models: the host makes room for what the methods need as well."""
        working = [one.method for one in self.enrolled if _works(one)]
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
        self.report.steps = max(len(sigmas) - 1, 0)
        guider.conds = own_names(guider.conds)
        levels = tuple(float(sigma) for sigma in sigmas[:-1])
        noise = named.get("noise", rest[1])
        facts = self.begin(guider, levels, noise)
        for one in self.working:
            one.tally.due = frozenset(s for s in levels if facts.schedule.within(s, one.method.during))
        executor = self._sampler(executor, noise, sigmas, extra.get("seed"))
        state = SamplerState()
        calls = PredictNoise(facts, self.prompts, state)
        passes = ApplyModel(facts)
        # the guider looks for the first in its own options, the model for the other in those of a call
        wrappers: list[tuple[str, Callable[..., Any]]] = [
            (WrappersMP.PREDICT_NOISE, calls.predict_noise),
            (WrappersMP.APPLY_MODEL, passes.apply_model),
        ]
        if viewing := [
            (one, part) for one in self.working for part in one.parts if isinstance(part, ViewingPart)
        ]:
            views = Viewing(facts, viewing, guider.conds, CutConditionings.of_run(guider, facts.latent))
            wrappers.append((WrappersMP.CALC_COND_BATCH, views.calc_cond_batch))
        for place, wrapper in wrappers:
            lent = self._lend(wrapper)
            for options in (guider.model_options, extra["model_options"]):
                add_wrapper_with_key(place, KEY, lent, options, is_model_options=True)
        return state.sample(executor, guider, sigmas, extra, *rest, **named)

    def begin(self, guider: Any, levels: tuple[float, ...] = (), noise: Tensor | None = None) -> RunFacts:
        """The methods with something to do begin; gives what stays the same from here on."""
        model = guider.model_patcher
        texts = merged_texts(texts_of(guider.conds, self.batch.latent))
        noise = None if noise is None else of_one_frame(noise)
        batch = replace(self.batch, texts=tuple(texts.values()), levels=levels, noise=noise)
        for one in self.enrolled:
            if _works(one):
                draw = Paced(one.node.draw)
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

    def _sampler(self, executor: Any, noise: Tensor, sigmas: Tensor, seed: int | None) -> Any:
        """The sampler, told to draw the same noise for all images if a part wants it so."""
        wanting = [part for one in self.working for part in one.parts if isinstance(part, OneNoise)]
        if not wanting:
            return executor
        executor, reason = with_one_noise(executor, noise, sigmas, seed)
        if reason is not None:
            for part in wanting:
                part.noise_differs(reason)
        return executor

    def finish(self, latents: Tensor) -> None:
        """The run has ended well."""
        sound = bool(latents.isfinite().all())
        latents = of_one_frame(latents)
        self.report.close()
        for working in self.working:
            reporters = [part for part in working.parts if isinstance(part, Reporter)] if sound else []
            remarks = [remark for part in reporters if (remark := part.finish(latents))]
            working.tally.remark = " ".join(remarks) if sound else NOT_A_NUMBER
            working.tally.unsound = not sound


def _works(one: Enrolled) -> bool:
    return not one.tally.off and one.tally.nothing_to_do is None


def _window(methods: Sequence[Method], batch: Batch) -> tuple[int, int] | None:
    """Of the first of the methods that looks at the picture through windows smaller than it."""
    calls = [
        call for method in methods if not method.off and (call := method.largest_call(batch)) is not None
    ]
    return next((size for _, size in calls if size != batch.latent), None)


def start_run(guider: Any, methods: Sequence[Method], nodes: Sequence[OnTheNode], noise: Tensor) -> Run:
    """Let the run that this guider is about to make go through the methods, each from a node.

    Raises ValueError for settings that do not fit the run.
    """
    family, latent = family_of(guider.model_patcher), (noise.shape[-2], noise.shape[-1])
    if noise.ndim == 5 and noise.shape[2] != 1:
        raise ValueError(
            f"latent_image holds {noise.shape[2]} frames, and attention control works on pictures of one. "
            "Use an empty latent of length 1."
        )
    layers = family.layer_map()
    batch = Batch(
        images=noise.shape[0],
        latent=latent,
        layers=layers,
        layer_sizes=family.layer_sizes(latent),
        residuals=family.residual_map(),
        checkpoints=family.checkpoints,
        presets=family.presets(latent),
        conditionings=conditioning_rows(guider.conds),
        texts=tuple(texts_of(guider.conds, latent).values()),
        tell=lambda line: None,
        cell=guider.model_patcher.get_model_object("latent_format").spacial_downscale_ratio,
    )
    batch = replace(batch, window=_window(methods, batch))
    tallies = [Tally(method.label, len(layers.layers), off=method.off) for method in methods]
    for method, tally in zip(methods, tallies, strict=True):
        if not method.off:
            tally.nothing_to_do = method.start(batch)
    enrolled = [Enrolled(*one) for one in zip(methods, tallies, nodes, strict=True)]
    for one in enrolled:
        if _works(one) and one.method.largest_call(batch) is not None:
            check_viewed(guider.conds)
            check_guidance(guider.model_options)
            check_patches(guider.model_options["transformer_options"])
            guider.conds.update(region_entries(one.method.region_prompts))
    run = Run(family, batch, enrolled, GuestPrompts(guider.conds, latent), RunReport(tallies))
    run.attach(guider.model_options)
    return run
