"""Prompts of unequal length: the rows of each text are read by its own length, however the host batches."""

from contextlib import nullcontext

import pytest
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import GUIDANCE_PRESET
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from . import guidance_methods, methods
from .layout_runs import LATENT, SHALLOW_WAYS, encoded, figures, noise, run
from .recorded import spied
from .shares import share
from .specimen import IMAGES, SHALLOW, fresh_model, model
from .tiny import assert_same_image, conditioning, sample, split_calls

LONG = {"prompt": "red " * 80 + "cat", "boxes": "0 0 64 64: cat"}
CHUNKS = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (1, 4), (2, 3)]  # of the positive and the negative text
METHODS = [
    pytest.param(method, chunks, id=f"{method.name}-{chunks}")
    for number, method in enumerate((*methods.OTHER_WAYS, *guidance_methods.METHODS))
    for chunks in (CHUNKS[1:] if method.name == "prompt to prompt" else [[(3, 1), (2, 3)][number % 2]])
]  # which edits by tokens, of whatever length


@pytest.mark.parametrize(
    ("way", "negative"),
    [
        pytest.param(way, negative, id=f"{way}-{len(negative) // 400 + 1}")
        for way, negative in zip(SHALLOW_WAYS, ["", "dull " * 160] * 2, strict=True)
    ],
)
def test_words_behind_the_first_chunk(clip, report, way, negative):
    """A word behind a shorter negative's end: the same picture and figures in one call and in two."""
    patched, positive = way(clip, **LONG)
    seen = []
    for calls in (nullcontext(), split_calls(patched, rows=1)):
        with calls:
            picture = run(patched, positive, encoded(clip, negative), noise(), steps=2)
        seen.append((picture, figures(report, way.label)))
    (together, told), (apart, expected) = seen
    assert_same_image(together, apart)
    assert told == expected != []


@pytest.mark.parametrize(("method", "chunks"), METHODS)
def test_texts_of_any_length_in_one_call_and_in_two(method, chunks):
    """The rows of a text are the same wherever they come, and however often the host repeats the text."""
    lengths = [77 * n for n in chunks]
    positive, negative = (
        conditioning(model(SHALLOW), rows, tokens=n, seed=rows)
        for rows, n in zip((IMAGES, 1), lengths, strict=True)
    )
    how = {"batch": IMAGES, "height": 6, "width": 10, "steps": 2}
    patched = method.on(model(SHALLOW))
    together = sample(patched, positive, negative, **how)
    with split_calls(patched, rows=IMAGES):
        assert_same_image(sample(patched, positive, negative, **how), together)


LEFT, RIGHT = (
    Subject("left", (2, 3), ((0.0, 0.0, 0.5, 0.5),)),
    Subject("right", (5,), ((0.5, 0.25, 1.0, 1.0),)),
)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_figures_speak_of_the_positive_prompt(chunks, report):
    """What is reported is what the host's attention was given in the rows of the positive prompt, also where
    the negative, which the host puts first, is shorter or longer."""
    base, calls = spied(fresh_model(SHALLOW))
    family = family_of(base)
    layers, sizes = family.layer_map(), family.layer_sizes(LATENT)
    patch = BoundedAttention(
        layers=layers.parse("all"), layout=Layout(((LEFT, RIGHT),), ends=(6,)), refine_from=1.0
    )
    positive, negative = (
        conditioning(base, tokens=77 * n, seed=seed) for seed, n in enumerate(chunks, start=1)
    )
    run(install(base, patch), positive, negative, noise())
    watched = [
        layer for layer in layers.layers if layer.ordinal in family.presets(LATENT)[GUIDANCE_PRESET].layers
    ]
    for subject, (told, _) in zip((LEFT, RIGHT), figures(report, "BoundedAttention"), strict=True):
        shares = [
            share(call, 0, subject, sizes[layer.ordinal].grid, tokens=77 * chunks[0])
            for layer in watched
            for call in calls
            if call.place == (layer.block, layer.number, layer.index) and call.k.shape[1] % 77 == 0
        ]
        assert told == pytest.approx(sum(shares) / len(shares), abs=1)
