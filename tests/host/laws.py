"""The laws of the design, each a function that fails with AssertionError for a method that breaks it."""

from functools import cache
from itertools import product
from typing import Any

import torch
from comfy.model_management import InterruptProcessingException
from torch import Tensor

from . import naive
from .full_size import FULL
from .inventory import Inventory, inventory
from .one_call import attention_call, naive_result, result
from .specimen import IMAGES, Specimen, blocks, model
from .tiny import assert_same_image, conditioning, prolonged, sample, split_calls
from .tiny.precision import nearly

SIZE = {"height": 6, "width": 10}
SMALL = {"height": 2, "width": 9}  # two cells where it is coarsest: one has no deviation
ODD = ({"height": 7, "width": 9}, {"height": 4, "width": 17})
SMALL_ODD = ({"height": 3, "width": 9},)


def prompts(shape: str, rows: int = IMAGES) -> tuple[Any, Any]:
    return conditioning(model(shape), rows, seed=1), conditioning(model(shape), seed=2)


def run(patched: Any, shape: str, **how: Any) -> Tensor:
    """Latents (IMAGES, 4, H, W)."""
    positive, negative = how.pop("prompts", None) or prompts(shape)
    return sample(
        patched, positive, negative, **{"batch": IMAGES, "steps": steps(shape), **size(shape), **how}
    )


def steps(shape: str) -> int:
    """Of a run; at full size one must do."""
    return 1 if shape == FULL else 2


CHANGES = {
    "cross image",
    "shape variations, until",
    "multidiffusion with regions",
}  # do something else in the second step of a run


def enough(method: Specimen) -> dict[str, int]:
    """How a run is asked for in which the method does all that it can do in a step."""
    return {} if method.remembers or method.name in CHANGES else {"steps": 1}


def size(shape: str) -> dict[str, int]:
    """Of the latents; at full size they are small, as the weights take the time."""
    return SMALL if shape == FULL else SIZE


@cache
def plain(shape: str, **how: Any) -> Tensor:
    """The images without a method, sampled once: later runs are held against it."""
    return run(model(shape), shape, **how)


SEED = 5


@cache
def drawn(shape: str) -> Tensor:
    """The generator's state behind a run without a method that began with it at SEED."""
    torch.manual_seed(SEED)
    run(model(shape), shape)
    return torch.get_rng_state()


_RESULTS: dict[tuple[str, type, str], Tensor] = {}


def works(method: Specimen, shape: str) -> Tensor:
    """The result of the method, sampled once; it differs from the plain images."""
    key = (method.name, method.method, shape)
    if key not in _RESULTS:
        out = run(method.on(model(shape)), shape)
        assert not torch.allclose(out, plain(shape), rtol=0.01), "the method does nothing"
        _RESULTS[key] = out
    return _RESULTS[key]


def off_is_off(method: Specimen, shape: str) -> None:
    """1. An empty range, or settings that ask for nothing, give the plain images to the bit."""
    works(method, shape)
    between_steps: dict[str, Any] = {"during": (0.4, 0.4)}
    for case in (between_steps, {"during": (1.0, 1.0)}, *method.off):
        how = {} if case is between_steps else enough(method)
        assert torch.equal(run(method.on(model(shape), **case), shape, **how), plain(shape, **how)), (
            f"{case} changes the images"
        )


def calls_do_not_matter(method: Specimen, shape: str) -> None:
    """2. One call or two, in any order, two positives, cfg 1: the same images."""
    patched = method.on(model(shape))
    expected = works(method, shape)
    positive, negative = prompts(shape)
    with split_calls(model(shape), rows=IMAGES):
        assert_same_image(run(patched, shape), expected)  # negative first
    assert_same_image(
        run(patched, shape, prompts=(positive, prolonged(negative))), expected
    )  # positive first
    assert_same_image(run(patched, shape, prompts=(positive + positive, negative)), expected)
    how = {"cfg": 1.0, **enough(method)}
    alone = run(patched, shape, **how)
    both = patched.clone()
    both.disable_model_cfg1_optimization()
    assert_same_image(alone, run(both, shape, **how))


def rows_do_not_leak(method: Specimen, shape: str) -> None:
    """3. An image changes with the images that may influence it, and with no other."""
    # ends with what the model said last: the start leaves no rounding
    last_answer = {"sampler": "dpmpp_2m", **enough(method)}
    before, alone = run(method.on(model(shape)), shape, **last_answer), plain(shape, **last_answer)
    assert not torch.allclose(before, alone, rtol=0.01), "the method does nothing"
    for changed in range(IMAGES):
        after = run(method.on(model(shape)), shape, latent=_other_start(changed, shape), **last_answer)
        for image, influences in enumerate(method.influences):
            same = torch.equal(after[image], before[image])
            assert same != (changed in influences), f"image {changed} and image {image}: same = {same}"
    for image in method.exact_rows:
        assert torch.equal(before[image], alone[image]), f"image {image} should stay as it is"


def _other_start(image: int, shape: str) -> Tensor:
    latent = torch.zeros(IMAGES, 4, *size(shape).values())
    latent[image] = 1.0
    return latent


def any_size(method: Specimen, shape: str) -> None:
    """4. Odd and elongated sizes, and a part of the layers, give what the naive version gives along another
    road through the host."""
    expected = naive.replace_attention(model(shape), method.kinds, method.chunk, blocks(model(shape)))
    for odd in SMALL_ODD if shape == FULL else ODD:
        once = {"steps": 1, **odd}
        assert_same_image(
            run(method.on(model(shape)), shape, **once), run(expected, shape, **once), tolerance=1e-3
        )
    if shape == FULL:
        return
    middle = naive.replace_attention(model(shape), method.kinds, method.chunk, [("middle", 0)])
    only_there = run(method.on(model(shape), layers="middle"), shape, steps=1)
    assert_same_image(only_there, run(middle, shape, steps=1), tolerance=1e-3)


def nothing_is_left(method: Specimen, shape: str) -> None:
    """5. After a run, a failed run and a cancelled run all is as before, and during a run no module, hook
    or host function is changed."""
    patched, how = method.on(model(shape)), enough(method)
    alone = plain(shape, **how)  # the host brings the model to its device
    before = inventory(model(shape)), inventory(patched)
    first = run(patched, shape, **how)
    assert not torch.allclose(first, alone, rtol=0.01), "the method does nothing"
    for interruption, place in INTERRUPTIONS:
        during = _interrupted(patched, shape, interruption, place, **how)
        assert [seen.code for seen in during] == [before[1].code] * len(during), "changed during a run"
        assert (inventory(model(shape)), inventory(patched)) == before, f"left behind by {interruption!r}"
    assert torch.equal(run(model(shape), shape, **how), alone), "the model samples otherwise afterwards"
    assert torch.equal(run(patched, shape, **how), first), "the method works otherwise afterwards"
    assert (inventory(model(shape)), inventory(patched)) == before, "left behind by a run"


INTERRUPTIONS: list[tuple[BaseException, str]] = [
    (RuntimeError("failed"), "after the model"),
    (InterruptProcessingException(), "inside the model"),
]


def _interrupted(
    patched: Any, shape: str, interruption: BaseException, place: str, **how: int
) -> list[Inventory]:
    """What is seen inside the model and after each call of it in a run in whose last step `interruption` is
    raised."""
    seen: list[Inventory] = []
    done: set[float] = set()  # noise levels
    last = how.get("steps", steps(shape))

    def inside(h: Tensor, options: dict[str, Any]) -> Tensor:
        if options["block"] == ("input", 0):
            seen.append(inventory(patched))
        if place == "inside the model" and len(done) == last - 1 and options["block"] == ("input", 3):
            raise interruption
        return h

    def after_step(args: dict[str, Any]) -> Any:
        done.add(float(args["sigma"][0]))
        seen.append(inventory(patched))
        if place == "after the model" and len(done) == last:
            raise interruption
        return args["denoised"]

    spied = patched.clone()
    spied.set_model_input_block_patch(inside)
    spied.set_model_sampler_post_cfg_function(after_step)
    try:
        run(spied, shape, **how)
    except (RuntimeError, InterruptProcessingException) as raised:
        assert raised is interruption
    assert len(done) == last - (place == "inside the model")
    return seen


def patches_compose(method: Specimen, shape: str) -> None:
    """6. Two of one kind with neighbouring ranges are one over the union, in either order."""
    whole = works(method, shape) if steps(shape) == 2 else run(method.on(model(shape)), shape, steps=2)
    early, late = ({"during": (0.0, 0.5)}, {"during": (0.5, 1.0)})
    for first, second in ((early, late), (late, early)):
        both = method.on(method.on(model(shape), **first), **second)
        assert torch.equal(run(both, shape, steps=2), whole), "not the union"
    one = run(method.on(model(shape), **early), shape, steps=2)
    assert not torch.equal(one, whole), "the ranges do nothing"


def equals_naive(method: Specimen, shape: str) -> None:
    """7. One attention call equals the naive version in float64."""
    for kind in method.kinds:
        qkv, site = attention_call(torch.float32, kind)
        out, expected = result(method, shape, qkv, site), naive_result(method, qkv, site)
        assert nearly(out.double(), expected, rtol=1e-4, atol=1e-5), (
            f"{kind}-attention is off by {(out - expected).abs().max()}"
        )


def same_seed_same_image(method: Specimen, shape: str) -> None:
    """8. Two runs give the same bits, and a patch draws nothing from the generators of others."""
    first, expected = works(method, shape), drawn(shape)
    torch.manual_seed(SEED)
    assert torch.equal(run(method.on(model(shape)), shape), first), "another picture"
    assert torch.equal(torch.get_rng_state(), expected), "random numbers were drawn"


def halves_equal_one(method: Specimen, shape: str) -> None:
    """8. Two halves of a run, one behind the other, are one run: time is the percent of the schedule."""
    patched = method.on(model(shape))
    whole = run(patched, shape, steps=3)  # the last level is next to none
    first = run(patched, shape, steps=3, between=(0, 1))
    assert_same_image(run(patched, shape, steps=3, between=(1, 3), latent=first), whole)


def keeps_precision(method: Specimen, shape: str) -> None:
    """9. Half precision in, the same out, and as near to float64 as that allows; masks are additive float
    and leave every query something to see."""
    for dtype, kind in product((torch.bfloat16, torch.float16), method.kinds):
        qkv, site = attention_call(dtype, kind, offset=20.0)
        out, expected = result(method, shape, qkv, site), naive_result(method, qkv, site)
        assert out.dtype == dtype, f"gave {out.dtype} for {dtype}"
        error = (out.double() - expected).abs().mean() / expected.std()
        assert error < 8 * torch.finfo(dtype).eps, (
            f"off by {error / torch.finfo(dtype).eps:.1f} eps of {dtype}"
        )


LAWS = [
    off_is_off,
    calls_do_not_matter,
    rows_do_not_leak,
    any_size,
    nothing_is_left,
    patches_compose,
    equals_naive,
    same_seed_same_image,
    halves_equal_one,
    keeps_precision,
]
NEEDS_NAIVE = {any_size, equals_naive, keeps_precision}
OF_THE_MODEL = {calls_do_not_matter, rows_do_not_leak, any_size}  # of what it is fed, and of its grids
OF_THE_KIND = {  # whatever the settings
    calls_do_not_matter,
    any_size,
    nothing_is_left,
    patches_compose,
    same_seed_same_image,
}
NOT_FOR_MEMORY = {patches_compose, halves_equal_one}  # what begins late has seen less
