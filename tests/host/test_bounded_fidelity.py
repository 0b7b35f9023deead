"""Bounded Attention beside the authors' code, as it goes: masks, losses, shifts and samples of a run."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .authors_bounding import Authors, sampled
from .tiny import assert_same_image, conditioning, tiny_model

BOXES = ((0.0, 0.0, 0.5, 0.75), (0.5, 0.25, 1.0, 1.0))
SUBJECTS = [((1, 2), BOXES[0]), ((2, 4), BOXES[1])]
CFG, SIZE = 4.0, 8
STEP_SIZES = (18.0, 5.0)
GUIDED, LOOKS = 3, 3


@pytest.mark.parametrize(("target", "shifts"), [(0.05, [3, 3, 3]), (0.19, [3, 2, 1])])
def test_a_guided_run_is_the_authors(target, shifts):
    """The first 4 of 50 steps of DDIM, 3 of them guided: shifts go on once after the look that reaches the
    target, there is one in every guided step, and they grow shorter from step to step."""
    model = tiny_model("sd15", dtype=torch.float64, layout="shallow")
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    layout = Layout((tuple(Subject("", tokens, (box,)) for tokens, box in SUBJECTS),), (3,), (6,))
    layers = family_of(model).layer_map()
    guidance = BoundedGuidance(
        effort=Effort(until=GUIDED / 50, iterations=LOOKS, target=target),
        step_sizes=STEP_SIZES,
        layers=layers.parse("middle, output 1"),
    )
    method = BoundedAttention(layers=layers.parse("all"), layout=layout, guidance=guidance, refine_from=1.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 50)[:5]
    noise = torch.randn(1, 4, SIZE, SIZE, generator=torch.manual_seed(0))
    with torch.inference_mode():
        ours = comfy.sample.sample_custom(
            install(model, method),
            noise,
            CFG,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            *prompts,
            torch.zeros_like(noise),
            disable_pbar=True,
        )
    authors = Authors(SUBJECTS, (3,), 6, [("middle", 0), ("output", 1)], target, LOOKS)
    start, end = STEP_SIZES
    step_sizes = [start + (end - start) / GUIDED * i for i in range(GUIDED)]
    texts = [entries[0][0] for entries in prompts]
    theirs = sampled(model, authors, *texts, noise, sigmas, step_sizes, CFG)
    assert authors.shifts == shifts
    theirs = model.get_model_object("latent_format").process_out(theirs)
    assert_same_image(ours.double(), theirs, tolerance=1e-3)
