"""The laws are worth nothing if a broken method passes them: each is broken here, and must then fail."""

from dataclasses import dataclass

import pytest
import torch
from attention_control.attention_patches.contract.method import Method
from comfy.ldm.modules.attention import CrossAttention

from . import guidance_methods, laws, methods
from .broken import (
    bounded_attention,
    layout_guidance,
    multidiffusion,
    plug_and_play,
    prompt_to_prompt,
    shape_variations,
    style_aligned,
)
from .specimen import SHALLOW, Specimen

NAMED = {method.name: method for method in (*methods.METHODS, *guidance_methods.METHODS)}
ALIGNED, BOUNDED, GUIDED = NAMED["style aligned"], NAMED["bounded"], NAMED["layout guidance"]
PLUGGED = NAMED["plug and play"]
PROMPTED = NAMED["prompt to prompt"]
WINDOWED = NAMED["multidiffusion"]
MIXED = NAMED["shape variations"]
BOUNDED_BY_FINDS = NAMED["bounded by what is found"]


@dataclass(frozen=True)
class Mutation:
    """`complaint`: what the law says of it, so that it fails for the right reason. `shape`: of the model."""

    law: object
    broken: type[Method]
    complaint: str
    sound: Specimen = ALIGNED
    shape: str = SHALLOW


MUTATIONS = [
    Mutation(laws.off_is_off, style_aligned.IgnoresItsRange, "changes the images"),
    Mutation(laws.off_is_off, style_aligned.IgnoresOff, "changes the images"),
    Mutation(laws.calls_do_not_matter, style_aligned.HalvesTheBatch, "differs by"),
    Mutation(laws.calls_do_not_matter, style_aligned.TakesTheFirstRow, "differs by"),
    Mutation(laws.rows_do_not_leak, style_aligned.AlignsToTheMean, "same = False"),
    Mutation(laws.rows_do_not_leak, style_aligned.TakesTheFirstRow, "should stay|same ="),
    Mutation(laws.rows_do_not_leak, style_aligned.ChangesTheReference, "should stay as it is"),
    Mutation(laws.any_size, style_aligned.AssumesSquare, "differs by"),
    Mutation(laws.any_size, style_aligned.IgnoresLayers, "differs by"),
    Mutation(laws.nothing_is_left, style_aligned.LeavesAFunctionBehind, "changed during a run"),
    Mutation(laws.nothing_is_left, style_aligned.PatchesAModule, "changed during a run"),
    Mutation(laws.nothing_is_left, style_aligned.DoesNotCleanUp, "changed during a run|left behind"),
    Mutation(laws.nothing_is_left, style_aligned.Remembers, "otherwise afterwards"),
    Mutation(laws.patches_compose, style_aligned.IgnoresItsRange, "not the union"),
    Mutation(laws.patches_compose, style_aligned.StartsLate, "not the union"),
    Mutation(laws.equals_naive, style_aligned.BiasedVariance, "off by"),
    Mutation(laws.same_seed_same_image, style_aligned.RollsDice, "random numbers were drawn"),
    Mutation(laws.same_seed_same_image, style_aligned.Remembers, "another picture"),
    Mutation(laws.halves_equal_one, style_aligned.CountsSteps, "differs by"),
    Mutation(laws.halves_equal_one, bounded_attention.CountsSteps, "differs by", BOUNDED),
    Mutation(laws.halves_equal_one, layout_guidance.CountsSteps, "differs by", GUIDED),
    Mutation(laws.keeps_precision, style_aligned.ReturnsFloat, "gave torch.float32"),
    Mutation(laws.keeps_precision, style_aligned.BooleanMask, "must be float"),
    Mutation(laws.keeps_precision, style_aligned.BlindsAQuery, "a query sees nothing"),
    Mutation(laws.off_is_off, bounded_attention.IgnoresItsRange, "changes the images", BOUNDED),
    Mutation(laws.calls_do_not_matter, bounded_attention.LeavesOutTheFirstChunk, "differs by", BOUNDED),
    Mutation(
        laws.rows_do_not_leak, bounded_attention.SharesTheEvidence, "same = False", BOUNDED_BY_FINDS, "sd15"
    ),
    Mutation(laws.any_size, bounded_attention.SwapsHeightAndWidth, "differs by", BOUNDED),
    Mutation(laws.nothing_is_left, bounded_attention.Remembers, "otherwise afterwards", BOUNDED_BY_FINDS),
    Mutation(laws.patches_compose, bounded_attention.IgnoresItsRange, "ranges do nothing", BOUNDED),
    Mutation(laws.patches_compose, bounded_attention.StartsLate, "not the union", BOUNDED),
    Mutation(laws.equals_naive, bounded_attention.ShowsFillers, "cross-attention is off by", BOUNDED),
    Mutation(laws.equals_naive, bounded_attention.BoundsTheNegative, "cross-attention is off by", BOUNDED),
    Mutation(
        laws.same_seed_same_image,
        bounded_attention.ClustersByChance,
        "another picture|random numbers were drawn",
        BOUNDED_BY_FINDS,
    ),
    Mutation(laws.keeps_precision, bounded_attention.BooleanMask, "must be float", BOUNDED),
    Mutation(laws.keeps_precision, bounded_attention.BlindsTheBackground, "a query sees nothing", BOUNDED),
    Mutation(laws.off_is_off, layout_guidance.IgnoresItsRange, "changes the images", GUIDED),
    Mutation(laws.calls_do_not_matter, layout_guidance.CountsCalls, "differs by", GUIDED),
    Mutation(laws.rows_do_not_leak, layout_guidance.NormalisesOverTheBatch, "same = False", GUIDED),
    Mutation(laws.nothing_is_left, layout_guidance.Remembers, "otherwise afterwards", GUIDED),
    Mutation(laws.patches_compose, layout_guidance.IgnoresItsRange, "not the union", GUIDED),
    Mutation(laws.patches_compose, layout_guidance.StartsLate, "not the union", GUIDED),
    Mutation(laws.same_seed_same_image, layout_guidance.RollsDice, "another picture|random", GUIDED),
    Mutation(laws.off_is_off, prompt_to_prompt.IgnoresItsRange, "changes the images", PROMPTED),
    Mutation(laws.calls_do_not_matter, prompt_to_prompt.EditsTheFirstChunk, "differs by", PROMPTED),
    Mutation(laws.rows_do_not_leak, prompt_to_prompt.TakesTheLastEdit, "same =", PROMPTED),
    Mutation(laws.rows_do_not_leak, prompt_to_prompt.RewritesTheSource, "should stay as it is", PROMPTED),
    Mutation(laws.any_size, prompt_to_prompt.AssumesSquare, "differs by", PROMPTED),
    Mutation(laws.nothing_is_left, prompt_to_prompt.Remembers, "otherwise afterwards", PROMPTED),
    Mutation(laws.patches_compose, prompt_to_prompt.StartsLate, "not the union", PROMPTED),
    Mutation(laws.equals_naive, prompt_to_prompt.Renormalises, "cross-attention is off by", PROMPTED),
    Mutation(laws.same_seed_same_image, prompt_to_prompt.RollsDice, "random numbers were drawn", PROMPTED),
    Mutation(laws.halves_equal_one, prompt_to_prompt.CountsSteps, "differs by", PROMPTED),
    Mutation(laws.keeps_precision, prompt_to_prompt.ReturnsFloat, "gave torch.float32", PROMPTED),
    Mutation(laws.off_is_off, plug_and_play.IgnoresItsRange, "changes the images", PLUGGED),
    Mutation(laws.calls_do_not_matter, plug_and_play.GoesByTheOrder, "differs by", PLUGGED),
    Mutation(laws.rows_do_not_leak, plug_and_play.AddsTheMean, "same = False", PLUGGED),
    Mutation(laws.nothing_is_left, plug_and_play.HooksAModule, "changed during a run", PLUGGED),
    Mutation(laws.patches_compose, plug_and_play.IgnoresItsRange, "not the union|ranges do nothing", PLUGGED),
    Mutation(laws.same_seed_same_image, plug_and_play.RollsDice, "another picture|random", PLUGGED),
    Mutation(laws.halves_equal_one, plug_and_play.CountsSteps, "differs by", PLUGGED),
    Mutation(laws.off_is_off, multidiffusion.IgnoresItsRange, "changes the images", WINDOWED),
    Mutation(laws.rows_do_not_leak, multidiffusion.SharesThePicture, "same = False", WINDOWED),
    Mutation(laws.nothing_is_left, multidiffusion.Remembers, "otherwise afterwards", WINDOWED),
    Mutation(laws.patches_compose, multidiffusion.IgnoresItsRange, "not the union|do nothing", WINDOWED),
    Mutation(laws.patches_compose, multidiffusion.StartsLate, "not the union", WINDOWED),
    Mutation(laws.same_seed_same_image, multidiffusion.RollsDice, "another picture|random", WINDOWED),
    Mutation(laws.halves_equal_one, multidiffusion.StartsLate, "differs by", WINDOWED),
    Mutation(laws.calls_do_not_matter, multidiffusion.MixesThePrompts, "differs by", WINDOWED),
    Mutation(laws.nothing_is_left, shape_variations.Remembers, "otherwise afterwards", MIXED),
    Mutation(laws.patches_compose, shape_variations.StartsLate, "not the union", MIXED),
    Mutation(laws.same_seed_same_image, shape_variations.RollsDice, "another picture|random", MIXED),
    Mutation(laws.calls_do_not_matter, shape_variations.LeavesOutTheFirstChunk, "differs by", MIXED),
    Mutation(laws.rows_do_not_leak, shape_variations.TakesTheLastRow, "should stay as it is", MIXED),
    Mutation(laws.off_is_off, shape_variations.IgnoresItsRange, "changes the images", MIXED),
    Mutation(laws.any_size, shape_variations.IgnoresLayers, "differs by", MIXED),
    Mutation(laws.equals_naive, shape_variations.GivesTheProxysKeys, "cross-attention is off by", MIXED),
    Mutation(laws.halves_equal_one, shape_variations.CountsSteps, "differs by", MIXED),
    Mutation(laws.keeps_precision, shape_variations.ReturnsFloat, "gave torch.float32", MIXED),
]


def name(mutation):
    sound, broken = mutation.sound.method, mutation.broken
    return f"{mutation.law.__name__}-{sound.__name__}-{broken.__name__}"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=name)
def test_law_bites(mutation, monkeypatch):
    """A method broken in this way fails the law that forbids it; `test_laws` holds the sound one to it."""
    for owner, function in ((torch.nn.functional, "group_norm"), (CrossAttention, "forward")):
        monkeypatch.setattr(owner, function, getattr(owner, function))  # put back what the mutation leaves
    broken = mutation.sound.broken_as(mutation.broken)
    with pytest.raises((AssertionError, TypeError), match=mutation.complaint):
        mutation.law(broken, mutation.shape)


@pytest.mark.parametrize(
    ("kind", "of_its_laws"),
    [
        (ALIGNED, set(laws.LAWS)),
        (BOUNDED, set(laws.LAWS)),
        (PROMPTED, set(laws.LAWS)),
        (MIXED, set(laws.LAWS)),
        (GUIDED, set(laws.LAWS) - laws.NEEDS_NAIVE),  # these it is not held to
        (PLUGGED, set(laws.LAWS) - laws.NEEDS_NAIVE),
        (WINDOWED, set(laws.LAWS) - laws.NEEDS_NAIVE),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_law_is_broken_once(kind, of_its_laws):
    """For each kind of method no law is without a mutation."""
    broken = {mutation.law for mutation in MUTATIONS if mutation.sound.method is kind.method}
    assert broken == of_its_laws
