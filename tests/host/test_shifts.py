"""A part that shifts the latents before a call of the model: every sampler goes on from the shifted ones."""

from dataclasses import dataclass, field
from functools import cache

import comfy.k_diffusion.sampling as host
import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.contract.denoiser import Denoiser
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.layout.shifting import Progress
from attention_control.attention_patches.methods.bounded_attention.bounds import Bounds, Outlines
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.bounded_attention.spill import Spill
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance, Misplacement
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from torch import Tensor

from .just import Just
from .slopes import Asker
from .tiny import assert_same_image, conditioning, tiny_model
from .tiny.transformers import painted, transformer

STEPS, SHAPE = 4, (2, 4, 6, 10)
# those that draw their noise on a GPU are the same loops
LOOPS = sorted(name for name in comfy.samplers.SAMPLER_NAMES if not name.endswith("_gpu"))


@dataclass(kw_only=True)
class Shift:
    """Takes `by` times sigma off the latents in the first half of the schedule, at each call or at the first
    one only."""

    by: Tensor
    once: bool = False
    done: list[float] = field(default_factory=list)

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        if model.percent >= 0.5 or (self.once and self.done):
            return False
        latents -= self.by * model.sigma
        self.done.append(model.sigma)
        return True


@cache
def model():
    return tiny_model("sd15", layout="flat")


def levels(patcher):
    return comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), "normal", STEPS)


def start():
    return torch.randn(SHAPE, generator=torch.manual_seed(3))


def direction():
    return 0.3 * torch.randn(SHAPE, generator=torch.manual_seed(4))


def run(patcher, sampler, noise, mask=None, picture=None):
    """Latents; `sampler` is a name or a function of the host's kind."""
    if not callable(sampler):
        made = comfy.samplers.sampler_object(sampler)
    else:
        made = comfy.samplers.KSAMPLER(sampler)
    prompts = conditioning(patcher, 2, seed=1), conditioning(patcher, seed=2)
    picture = torch.zeros(SHAPE) if picture is None else picture
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher, noise, 3.0, made, levels(patcher), *prompts, picture, noise_mask=mask, seed=5
        )


def scaled(noise_like):
    """What is one unit of noise at the first level, in units of its sigma: the host starts a bit higher."""
    first = float(levels(model())[0])
    return noise_like * first / (1 + first**2) ** 0.5


@pytest.mark.parametrize("name", LOOPS)
def test_a_first_shift_is_another_start(name):
    """Shifting at the first call is starting there, for all of the host's samplers, deterministic or not."""
    shift = Shift(by=direction(), once=True)
    out = run(install(model(), Just([shift])), name, start())
    expected = run(model(), name, start() - scaled(direction()))
    assert_same_image(out, expected, tolerance=2e-3)
    assert len(shift.done) == 1


def shifted(x, sigmas, i):
    """The shift before a call at the i-th level, in the first half of the schedule."""
    return x - direction() * sigmas[i] if i / STEPS < 0.5 else x


def euler(model, x, sigmas, extra_args, **_):
    for i in range(STEPS):
        x = shifted(x, sigmas, i)
        denoised = model(x, sigmas[i].expand(2), **extra_args)
        x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
    return x


def euler_ancestral(model, x, sigmas, extra_args, **_):
    noise = host.default_noise_sampler(x, seed=extra_args["seed"])
    for i in range(STEPS):
        x = shifted(x, sigmas, i)
        denoised = model(x, sigmas[i].expand(2), **extra_args)
        up = (sigmas[i + 1] ** 2 * (1 - sigmas[i + 1] ** 2 / sigmas[i] ** 2)) ** 0.5
        down = (sigmas[i + 1] ** 2 - up**2) ** 0.5
        x = x + (x - denoised) / sigmas[i] * (down - sigmas[i])
        if sigmas[i + 1] > 0:
            x = x + noise(sigmas[i], sigmas[i + 1]) * up
    return x


def dpmpp_2m(model, x, sigmas, extra_args, **_):
    before, t = None, -sigmas.log()
    for i in range(STEPS):
        x = shifted(x, sigmas, i)
        denoised = model(x, sigmas[i].expand(2), **extra_args)
        h, blend = t[i + 1] - t[i], denoised
        if before is not None and sigmas[i + 1] > 0:
            r = (t[i] - t[i - 1]) / h
            blend = (1 + 1 / (2 * r)) * denoised - before / (2 * r)
        x = sigmas[i + 1] / sigmas[i] * x - (-h).expm1() * blend
        before = denoised
    return x


def heun(model, x, sigmas, extra_args, **_):
    for i in range(STEPS):
        x = shifted(x, sigmas, i)
        slope = (x - model(x, sigmas[i].expand(2), **extra_args)) / sigmas[i]
        step = sigmas[i + 1] - sigmas[i]
        if sigmas[i + 1] > 0:
            tried = shifted(x + slope * step, sigmas, i + 1)  # every call in the range is shifted
            there = (tried - model(tried, sigmas[i + 1].expand(2), **extra_args)) / sigmas[i + 1]
            slope = (slope + there) / 2
        x = x + slope * step
    return x


@pytest.mark.parametrize("loop", [euler, euler_ancestral, dpmpp_2m, heun])
def test_shifts_in_every_step(loop):
    """The host's sampler with the part is the sampler's own loop with the shift written into it."""
    out = run(install(model(), Just([Shift(by=direction())])), loop.__name__, start())
    assert_same_image(out, run(model(), loop, start()), tolerance=2e-3)
    assert not torch.allclose(out, run(model(), loop.__name__, start()), rtol=0.01)


@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2m", "uni_pc"])
def test_a_noise_mask(name):
    """Repainting a part: the sampler goes on from the shifted latents, and the rest of the picture stays."""
    mask = torch.zeros(1, 1, 6, 10)
    mask[..., :5] = 1.0
    picture, by = torch.randn(SHAPE, generator=torch.manual_seed(6)), direction() * mask
    out = run(install(model(), Just([Shift(by=by, once=True)])), name, start(), mask, picture)
    expected = run(model(), name, start() - scaled(by), mask, picture)
    plain = run(model(), name, start(), mask, picture)
    assert_same_image(out, expected, tolerance=5e-3)
    assert not torch.allclose(out[..., :5], plain[..., :5], rtol=0.01)
    assert_same_image(out[..., 5:], picture[..., 5:], tolerance=0.05)  # UniPC leaves a trace of noise


LEFT = Subject("left", (2, 3), ((0.0, 0.0, 0.6, 0.7),))
RIGHT = Subject("right", (5,), ((0.5, 0.3, 1.0, 1.0),))
LAYOUT = Layout(((LEFT, RIGHT), (RIGHT,)), fillers=(1, 4), ends=(6,))
FIRST_STEP = Effort(1 / STEPS, iterations=1, target=0.0)


def gradient(objective, controlled=None):
    """(images, 4, h, w) where the run begins."""
    asker = Asker(objective=objective, controlled=controlled)
    run(install(model(), Just([asker])), "euler", start())
    return asker.slopes[0].gradient


def begun(by):
    """The noise from which a run begins that much off in the host's latents."""
    return start() - by / (1 + float(levels(model())[0]) ** 2) ** 0.5


def test_layout_guidance_steps_as_the_paper_says():
    """By 30 sigma^2 times the gradient: as if begun there."""
    layers, progress = family_of(model()).layer_map().parse("middle"), Progress(LAYOUT, lambda line: None)
    measured = Misplacement(cross_layers=layers, layout=LAYOUT, progress=progress)
    by = 30 * float(levels(model())[0]) ** 2 * gradient(measured)
    method = LayoutGuidance(layout=LAYOUT, effort=FIRST_STEP, layers=layers)
    out = run(install(model(), method), "dpmpp_2m", start())
    assert_same_image(out, run(model(), "dpmpp_2m", begun(by)), tolerance=5e-3)
    assert not torch.allclose(out, run(model(), "dpmpp_2m", start()), rtol=0.01)


def test_bounded_attention_steps_as_the_paper_says():
    """By 8 (1 + sigma^2) times the gradient of the sum over subjects: as if begun there, under the masks."""
    layers = family_of(model()).layer_map().parse("middle")
    everywhere, outlines = family_of(model()).layer_map().parse("all"), Outlines(LAYOUT)
    measured = Spill(cross_layers=layers, self_layers=layers, layout=LAYOUT)
    bounds = Bounds(layers=everywhere, outlines=outlines, guiding=True)
    subjects = torch.tensor([2.0, 1.0])[:, None, None, None]
    by = 8 * (1 + float(levels(model())[0]) ** 2) * subjects * gradient(measured, bounds)

    def bounded(noise, guidance):
        method = BoundedAttention(layers=everywhere, layout=LAYOUT, refine_from=1.0, guidance=guidance)
        return run(install(model(), method), "dpmpp_2m", noise)

    out = bounded(start(), BoundedGuidance(effort=FIRST_STEP, layers=layers))
    assert_same_image(out, bounded(begun(by), None), tolerance=5e-3)
    assert not torch.allclose(out, bounded(start(), None), rtol=0.01)


@dataclass(kw_only=True)
class Third(Shift):
    """Takes it off at its third call."""

    calls: int = 0

    def shift(self, latents: Tensor, model: Denoiser) -> bool:
        self.calls += 1
        return self.calls == 3 and super().shift(latents, model)


@pytest.mark.parametrize("mask", [None, torch.ones(1, 1, 6, 10)], ids=["whole", "masked"])
@pytest.mark.parametrize("name", ["euler", "uni_pc_bh2"])
def test_a_shift_of_the_first_part_of_a_run_is_there_in_the_second(name, mask):
    """Two parts of a run, as KSamplerAdvanced makes them, are nearly one run, with a shift as without."""
    sampling, nothing = model().get_model_object("model_sampling"), torch.zeros(SHAPE)
    whole = comfy.samplers.calculate_sigmas(sampling, "normal", 8)

    def sampled(patcher, sigmas, noise, latents):
        prompts = conditioning(patcher, 2, seed=1), conditioning(patcher, seed=2)
        given = 3.0, comfy.samplers.sampler_object(name), sigmas, *prompts, latents
        with torch.inference_mode():
            return comfy.sample.sample_custom(patcher, noise, *given, noise_mask=mask, seed=5)

    apart = []
    for shifts in (False, True):
        patched, again = (
            install(model(), Just([Third(by=3 * direction())])) if shifts else model() for _ in range(2)
        )
        half = sampled(patched, whole[:5], start(), nothing)
        parts = sampled(model(), whole[4:], nothing, half)
        one = sampled(again, whole, start(), nothing)
        apart.append(float((one - parts).norm() / one.norm()))
    assert apart[1] <= apart[0] + 0.01


@pytest.mark.parametrize(
    ("name", "lost"), [("sa_solver", True), ("sa_solver_pece", True), ("dpmpp_sde", False)]
)
def test_samplers_that_lose_a_part_of_shifts_are_named(report, name, lost):
    """SA-Solver corrects its own latents, not those that the guider gets."""
    run(install(model(), Just([Shift(by=direction())])), name, start())
    assert ("a part of each shift is lost" in report("Just")[-1][1]) == lost


@pytest.mark.parametrize("kind", ["flux", "qwen-image"])
def test_a_shift_by_nothing_changes_nothing_of_a_flow(kind):
    """What UniPC does not know of shifts is given back behind it in a flow's scale, and as a video."""
    patched = install(transformer(kind), Just([Shift(by=torch.zeros(()))]))
    how = {"sampler": "uni_pc", "steps": 2, "batch": 1}
    with torch.inference_mode():
        assert_same_image(painted(patched, kind, **how), painted(transformer(kind), kind, **how))
