"""One sampling run: fresh state, our places in this run's own model options, a report at the end."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch import Tensor

from ....attention_patches.contract.layers import LayerMap
from ....attention_patches.contract.method import Batch, Patch
from ....attention_patches.contract.report import RunReport, Tally
from ....attention_patches.contract.schedule import progress
from ....attention_patches.contract.site import Rows, Text
from ..families import unet
from .guest_prompts import GuestPrompts
from .guider_call import GuiderCalls
from .model_call import KEY, ModelCall, mark_cross, mark_self


class Run:
    """What lives while one guider samples, and dies with it."""

    def __init__(
        self,
        model: Any,
        layers: LayerMap,
        patches: Sequence[Patch],
        tell: Sequence[Callable[[str], None]],
        batch: Batch,
        sigmas: Sequence[float],
        texts: Mapping[Any, Text],
        prompts: GuestPrompts,
    ) -> None:
        self.layers = layers
        self.sigmas = sigmas
        model_sampling = model.get_model_object("model_sampling")
        self.percent_to_sigma = cache(lambda percent: float(model_sampling.percent_to_sigma(percent)))
        self.compiled = _is_compiled(model)
        self.time = lambda sigma: _time(model_sampling, sigma)
        self.batch = batch
        tallies = [Tally(patch.label, len(layers.layers), off=patch.off) for patch in patches]
        self.report = RunReport(tallies)
        self.working: list[tuple[Patch, Tally]] = []
        for patch, tally, show in zip(patches, tallies, tell, strict=True):
            if not patch.off:
                tally.nothing_to_do = patch.start(batch)
                if tally.nothing_to_do is None:
                    self.working.append((patch.begin(replace(batch, tell=show)), tally))
        working = [patch for patch, _ in self.working]
        done = partial(progress, sigmas=sigmas)
        self.calls = GuiderCalls(working, self.within, done, texts, batch.images, prompts)

    def within(self, patch: Patch, sigma: float) -> bool:
        """Whether this noise level lies in the patch's range."""
        return patch.during.contains(sigma, self.percent_to_sigma)

    def finish(self, latents: Tensor) -> None:
        """The run has ended well."""
        for patch, tally in self.working:
            tally.remark = patch.finish(latents)

    def attach(self, model_options: dict[str, Any]) -> None:
        """Take our places in the options of this run, which the host made for it and drops after it."""
        options = model_options["transformer_options"]
        patches = options["patches"] = dict(options.get("patches", {}))
        for name, mark in (("attn1_patch", mark_self), ("attn2_patch", mark_cross)):
            patches[name] = [*patches.get(name, []), mark]
        for place, wrapper in (
            (WrappersMP.APPLY_MODEL, self.apply_model),
            (WrappersMP.PREDICT_NOISE, self.calls.predict_noise),
            (WrappersMP.SAMPLER_SAMPLE, self.calls.state.sample),
        ):
            add_wrapper_with_key(place, KEY, wrapper, model_options, is_model_options=True)

    def apply_model(
        self,
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Any = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Wrap one forward pass of the model: which rows, which sigma, which patches."""
        options = transformer_options or {}
        call = self._begin(x, float(t[0]), options)
        control = self.calls.control(control, call.rows, [patch for patch, _ in self.working])
        if self.calls.slope is not None:
            with self._uncompiled():
                return self.calls.slope(
                    executor, call, x, t, c_concat, c_crossattn, control, options, **kwargs
                )
        if not call.active:
            untouched: Tensor = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
            return untouched
        with ExitStack() as scopes:
            for patch, tally in call.active:
                if scope := patch.around(call.rows):
                    scopes.enter_context(scope)
                    tally.touch_scope(call.rows, call.sigma)
            scopes.enter_context(self._uncompiled())
            ours = {KEY: call, "optimized_attention_override": call.override}
            out: Tensor = executor(x, t, c_concat, c_crossattn, control, {**options, **ours}, **kwargs)
        call.leave()
        return out

    def _uncompiled(self) -> AbstractContextManager[Any]:
        """A compiled model was traced without our patches; the host tells it to ignore changed options."""
        return torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()

    def _begin(self, x: Tensor, sigma: float, options: dict[str, Any]) -> ModelCall:
        sources = tuple(options.get("cond_or_uncond", (0,)))
        texts = self.calls.texts(options.get("uuids", ()), len(sources))
        rows = Rows(sources, self.calls.images, texts)
        active = [
            (patch, tally)
            for patch, tally in self.working
            if self.within(patch, sigma) and (self.calls.host is None or self.calls.host is patch)
        ]
        if slope := self.calls.slope:
            active = slope.active(self.working)
        self.report.sigmas.add(sigma)
        if active and (reason := self._no_whole_batch(x.shape[0], rows, options)):
            self.report.step_aside(reason, "all layers")
            active = []
        # the override is looked up here: only now the host has merged in what conditionings carry
        inner = options.get("optimized_attention_override")
        done = progress(sigma, self.sigmas)
        return ModelCall(self.layers, self.report, rows, sigma, self.time(sigma), done, active, inner)

    def _no_whole_batch(self, given: int, rows: Rows, options: dict[str, Any]) -> str | None:
        if options.get("context_window") is not None:
            return "context windows cut the batch or the picture"
        if given != rows.total:
            return f"the model got {given / len(rows.sources):g} of {rows.images} images in one call"
        return None


def start_run(
    guider: Any,
    patches: Sequence[Patch],
    tell: Sequence[Callable[[str], None]],
    noise: Tensor,
    sigmas: Tensor,
) -> Run:
    """Let the run that this guider is about to make go through the patches; `tell` shows a line for each."""
    model, latent, texts = guider.model_patcher, (noise.shape[-2], noise.shape[-1]), _texts(guider.conds)
    layers = unet.layer_map(model)
    batch = Batch(
        images=noise.shape[0],
        steps=max(len(sigmas) - 1, 0),
        latent=latent,
        conditionings=_conditioning_rows(guider.conds),
        text_tokens={role: [t.tokens for t in texts.values() if t.role == role] for role in guider.conds},
        layers=layers,
        sizes=unet.layer_sizes(model, latent),
    )
    prompts = GuestPrompts(guider.conds, latent)
    run = Run(model, layers, patches, tell, batch, sigmas.tolist(), texts, prompts)
    run.attach(guider.model_options)
    return run


def _is_compiled(model: Any) -> bool:
    """Whether the host's compile wrapper, or a compiled module put in as an object patch, is on the model."""
    return bool(model.get_wrappers(WrappersMP.APPLY_MODEL, COMPILE_KEY)) or any(
        hasattr(value, "_orig_mod") for value in model.object_patches.values()
    )


def _time(model_sampling: Any, sigma: float) -> float:
    """Noise level in 0..1: the timestep if the model has steps, else an angle of sigma."""
    steps = getattr(model_sampling, "num_timesteps", None)
    if steps is None:
        return math.atan(sigma) * 2 / math.pi
    return float(model_sampling.timestep(torch.tensor(sigma))) / steps


def _texts(conds: dict[str, list[dict[str, Any]] | None]) -> dict[Any, Text]:
    """What each conditioning is, by the identity that the host gives it for one run."""
    return {
        entry["uuid"]: Text(role, number, entry["cross_attn"].shape[1])
        for role, entries in conds.items()
        for number, entry in enumerate(entries or ())
        if isinstance(entry.get("cross_attn"), Tensor) and "uuid" in entry
    }


def _conditioning_rows(conds: dict[str, list[dict[str, Any]] | None]) -> dict[str, list[int]]:
    """Rows of every tensor of each conditioning, by the guider's name for it (positive, negative, ...)."""
    return {
        name: [
            entry[key].shape[0]
            for entry in entries or ()
            for key in ("cross_attn", "pooled_output")
            if isinstance(entry.get(key), Tensor)
        ]
        for name, entries in conds.items()
    }
