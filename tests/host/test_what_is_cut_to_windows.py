"""All that belongs to a place of the picture is cut to the window: where two windows stand side by side, each
is the picture that one makes of its half."""

import copy

import comfy.sample
import pytest
import torch
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.nodes.host.run.install import install
from nodes import ConditioningSetArea, ConditioningSetMask, ControlNetApplyAdvanced

from .layout_runs import noise, run
from .specimen import model
from .tiny import assert_same_image, conditioning
from .tiny.extras import tiny_controlnet

HEIGHT, WIDTH = 6, 8  # of a window, in cells
HALVES = [slice(0, WIDTH), slice(WIDTH, 2 * WIDTH)]
HINT = torch.rand(1, HEIGHT * 8, 2 * WIDTH * 8, 3, generator=torch.Generator().manual_seed(1))
MASK = torch.rand(1, HEIGHT, 2 * WIDTH, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.2


def texts(shape="sd15"):
    return [conditioning(model(shape), seed=seed) for seed in (1, 2, 3)]


def halves_are_pictures(shape, of_all, of_half, images=1, on=None):
    """Runs of the whole and of each half under these (positive, negative), from the same noise."""
    plain = model(shape) if on is None else on
    start = noise(images, (HEIGHT, 2 * WIDTH))
    patched = install(plain, MultiDiffusion(window=(HEIGHT, WIDTH), stride=WIDTH, per_call=2))
    whole = run(patched, *of_all, start, steps=2)
    for columns in HALVES:
        alone = run(plain, *of_half(columns), start[..., columns].contiguous(), steps=2)
        assert_same_image(whole[..., columns], alone)


def pixels(columns):
    return slice(columns.start * 8, columns.stop * 8)


@pytest.mark.parametrize("chained", [False, True])
def test_hints_of_controlnets(chained):
    """In each window the ControlNet sees its part, also where several windows share a call."""
    positive, negative, _ = texts()
    control = tiny_controlnet(model("sd15"))

    def under(hint):
        out = ControlNetApplyAdvanced().apply_controlnet(positive, negative, control, hint, 0.4, 0.0, 1.0)
        return (
            ControlNetApplyAdvanced().apply_controlnet(*out, control, hint.flip(2), 0.3, 0.0, 0.6)
            if chained
            else out
        )

    if chained:  # what is turned round has its halves turned round
        flipped = HINT.flip(2)

        def of_half(columns):
            out = ControlNetApplyAdvanced().apply_controlnet(
                positive, negative, control, HINT[:, :, pixels(columns)], 0.4, 0.0, 1.0
            )
            return ControlNetApplyAdvanced().apply_controlnet(
                *out, control, flipped[:, :, pixels(columns)], 0.3, 0.0, 0.6
            )
    else:

        def of_half(columns):
            return under(HINT[:, :, pixels(columns)])

    halves_are_pictures("sd15", under(HINT), of_half, images=2)
    assert control.cond_hint is None


def test_a_hint_of_another_size():
    """Is stretched over the whole picture."""
    positive, negative, _ = texts()
    control = tiny_controlnet(model("sd15"))
    small = HINT[:, ::8, ::8]

    def under(hint):
        return ControlNetApplyAdvanced().apply_controlnet(positive, negative, control, hint, 0.4, 0.0, 1.0)

    large = small.repeat_interleave(8, 1).repeat_interleave(8, 2)
    halves_are_pictures("sd15", under(small), lambda columns: under(large[:, :, pixels(columns)]))


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_masks_of_prompts(strength):
    """Two prompts that are weighed cell by cell."""
    first, negative, second = texts()

    def under(mask):
        (one,) = ConditioningSetMask().append(first, mask, "default", strength)
        (two,) = ConditioningSetMask().append(second, 1 - mask, "default", 1.0)
        return one + two, negative

    halves_are_pictures("sd15", under(MASK), lambda columns: under(MASK[..., columns]), images=2)


def test_prompts_that_hold_for_the_rest():
    """The host's `default` conditionings hold where no other does."""
    first, negative, second = texts()
    default = [[text, {**more, "default": True}] for text, more in second]

    def under(mask):
        (one,) = ConditioningSetMask().append(first, mask, "default", 1.0)
        return one + default, negative

    halves_are_pictures("sd15", under(MASK), lambda columns: under(MASK[..., columns]))


def test_areas_of_prompts():
    """Each half has a prompt of its own, in an area as large as it."""
    first, negative, second = texts()
    areas = []
    for text, columns in ((first, HALVES[0]), (second, HALVES[1])):
        areas += ConditioningSetArea().append(text, WIDTH * 8, HEIGHT * 8, columns.start * 8, 0, 1.0)[0]
    halves_are_pictures(
        "sd15", (areas, negative), lambda columns: ([second, first][columns.start == 0], negative)
    )


def test_an_area_across_windows():
    """Where it reaches into a window it is an area of that one."""
    first, negative, second = texts()
    (across,) = ConditioningSetArea().append(second, 64, 32, 32, 16, 1.0)  # cells 4 to 12 of 16

    def of_half(columns):
        left = 4 if columns.start == 0 else 0
        mask = torch.zeros(1, HEIGHT, 2 * WIDTH)
        mask[:, 2:6, 4:12] = weights
        (inside,) = ConditioningSetArea().append(second, 32, 32, left * 8, 16, 1.0)
        (inside,) = ConditioningSetMask().append(inside, mask[..., columns], "default", 1.0)
        return first + inside, negative

    ramp = torch.tensor(
        [0.5, 1.0]
    )  # the host's: a quarter of the side, where an area ends within the picture
    rows = torch.cat([torch.ones(1), torch.ones(3)])
    rows[0] = 1.0
    weights = rows[:, None] * torch.cat([ramp, torch.ones(4), ramp.flip(0)])
    halves_are_pictures("sd15", (first + across, negative), of_half)


@pytest.mark.parametrize("told", [{}, {"width": 512, "height": 256, "crop_w": 16, "crop_h": 8}], ids=str)
def test_sizes_that_sdxl_is_told(told):
    """A window is a crop of the whole picture: its corner moves, and the target is its size."""
    positive, negative, _ = texts("sdxl")

    def with_sizes(prompt, sizes):
        return [[text, {**more, **sizes}] for text, more in prompt]

    def of_half(columns):
        sizes = {
            "width": 2 * WIDTH * 8,
            "height": HEIGHT * 8,
            **told,
            "crop_w": told.get("crop_w", 0) + columns.start * 8,
            "target_width": WIDTH * 8,
            "target_height": HEIGHT * 8,
        }
        return with_sizes(positive, sizes), with_sizes(negative, sizes)

    both = with_sizes(positive, told), with_sizes(negative, told)
    halves_are_pictures("sdxl", both, of_half)


def test_latents_beside_the_picture():
    """What an inpainting model gets beside the latents, here in the place of some of them."""
    positive, negative, _ = texts()
    beside = torch.randn(1, 4, HEIGHT, 2 * WIDTH, generator=torch.Generator().manual_seed(4))
    added = model("sd15").clone()

    def adding(apply_model, args):
        c = dict(args["c"])
        return apply_model(args["input"] + 0.5 * c.pop("c_concat"), args["timestep"], **c)

    added.set_model_unet_function_wrapper(adding)

    def under(latents):
        return [[[text, {**more, "noise_concat": latents}] for text, more in p] for p in (positive, negative)]

    halves_are_pictures(
        "sd15", under(beside), lambda columns: under(beside[..., columns]), images=2, on=added
    )


def test_noise_masks():
    """Keep the user's latent outside, cell by cell, as in a run of each half."""
    positive, negative, _ = texts()
    start, latent = noise(1, (HEIGHT, 2 * WIDTH)), noise(1, (HEIGHT, 2 * WIDTH)).flip(-1)

    def inpainted(patched, columns):
        own = [x[..., columns].contiguous() for x in (start, latent, MASK.round())]
        how = {"noise_mask": own.pop(), "disable_pbar": True, "seed": 0}
        with torch.inference_mode():
            return comfy.sample.sample(
                patched, own[0], 2, 4.0, "dpmpp_2m", "normal", positive, negative, own[1], **how
            )

    patched = install(model("sd15"), MultiDiffusion(window=(HEIGHT, WIDTH), stride=WIDTH))
    whole = inpainted(patched, slice(None))
    for columns in HALVES:
        assert_same_image(whole[..., columns], inpainted(model("sd15"), columns))


def test_gligen_is_refused():
    """Its boxes hold for the whole picture."""
    positive, negative, _ = texts()
    boxed = [[text, {**more, "gligen": ("position", None, [])}] for text, more in positive]
    patched = install(model("sd15"), MultiDiffusion(window=(HEIGHT, WIDTH), stride=WIDTH))
    with pytest.raises(ValueError, match="positive has GLIGEN boxes"):
        run(patched, boxed, negative, noise(1, (HEIGHT, 2 * WIDTH)))
    assert copy.copy(boxed) == boxed
