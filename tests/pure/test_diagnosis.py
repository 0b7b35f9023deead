"""Diagnoses of attention whose answers are known, and against the formulas in float64."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.maps.diagnosis.diagnosis import PromptDiagnosis
from attention_control.attention_patches.maps.recorded import TimeSlice
from attention_control.attention_patches.text.named_things import NamedThing
from attention_control.attention_patches.text.words import Word

from .blocks import four_regions, maps_of, own_region
from .recorded import recorded

RED_CAT = NamedThing(Word("cat", (2,)), (Word("red", (1,)),))
BLUE_DOG = NamedThing(Word("dog", (4,)), (Word("blue", (3,)),))
HAT = NamedThing(Word("hat", (6,)))
OLD_STRAW_HAT = NamedThing(Word("hat", (6,)), (Word("old", (5,)), Word("straw", (7,))))
THINGS = (RED_CAT, BLUE_DOG, HAT)
REGIONS = four_regions()
RIGHT = {1: {1: 0.3}, 2: {1: 0.3}, 3: {2: 0.3}, 4: {2: 0.3}, 6: {3: 0.3}}
"""By position: how strongly a word is looked at from the regions 0 (background) to 3."""


def known(seen):
    """Maps of one image in which words are looked at from regions as told; the start token gets the rest."""
    cross = torch.full((REGIONS.numel(), 9), 0.01)
    for position, regions in seen.items():
        for region, strength in regions.items():
            cross[:, position] += strength * (REGIONS.flatten() == region)
    cross[:, 0] = (1 - cross[:, 1:].sum(1)).clamp(min=0)
    return maps_of([(tuple(REGIONS.shape), own_region(REGIONS, 0.02), cross)])


def diagnosed(changes=None, things=THINGS, **settings):
    """The diagnosis of the known picture with other places for some words."""
    return PromptDiagnosis(**{"segments": 4, **settings})(known({**RIGHT, **(changes or {})}), things)[0]


def states(found):
    """The state of each thing."""
    return [thing.state for thing in found.things]


def bound(found):
    """The thing of each attribute, by its text."""
    return {attribute.text: attribute.bound for thing in found.things for attribute in thing.attributes}


def test_what_is_there_is_present_and_has_its_attributes():
    """Each noun in a region of its own, with its attribute; the masks are the regions."""
    found = diagnosed()
    assert states(found) == ["present"] * 3 and bound(found) == {"red": 0, "blue": 1}
    masks = found.masks(found.segmentation.clusters)
    assert torch.equal(masks, torch.stack([n == REGIONS for n in (1, 2, 3)]))


@pytest.mark.parametrize("seen", [{}, {1: 0.04}, {0: 0.02, 1: 0.02, 2: 0.02, 3: 0.02}])
def test_neglect(seen):
    """Looked at nowhere, weakly in the place of another, or evenly all over: no mask, the others unharmed."""
    found = diagnosed({4: seen, 3: {1: 0.3}})
    assert states(found) == ["present", "neglected", "present"]
    masks = found.masks(found.segmentation.clusters)
    assert not masks[1].any() and torch.equal(masks[0], REGIONS == 1)


def test_fusion_names_the_other_and_shares_its_place():
    """Two nouns of one region: the weaker is fused with the stronger, which is present."""
    found = diagnosed({4: {1: 0.2}})
    assert states(found) == ["present", "fused", "present"]
    assert found.things[1].rival == 0
    masks = found.masks(found.segmentation.clusters)
    assert torch.equal(masks[0], masks[1]) and torch.equal(masks[0], REGIONS == 1)


def test_equals_are_fused_with_each_other():
    """Where neither is stronger and a third is seen a little, both are named."""
    found = diagnosed({4: {1: 0.3}, 6: {3: 0.3, 1: 0.1}})
    assert states(found) == ["fused", "fused", "present"]
    assert (found.things[0].rival, found.things[1].rival) == (1, 0)


def test_wrong_binding_names_who_has_the_attribute():
    """Exchanged colours; a colour that leaks while its own noun has none; a colour that is nowhere."""
    assert bound(diagnosed({1: {2: 0.3}, 3: {1: 0.3}})) == {"red": 1, "blue": 0}
    assert bound(diagnosed({1: {1: 0.1, 3: 0.3}})) == {"red": 2, "blue": 1}
    assert bound(diagnosed({1: {}})) == {"red": None, "blue": 1}


def test_an_attribute_of_what_is_neglected_goes_to_who_has_it_or_to_nobody():
    """The dog is missing, and the cat is blue; or blue is seen where no noun is."""
    assert bound(diagnosed({4: {}, 3: {1: 0.3}})) == {"red": 0, "blue": 0}
    assert bound(diagnosed({4: {}, 3: {0: 0.1}})) == {"red": 0, "blue": None}


def test_what_spills_onto_another_with_a_colour_of_its_own_is_not_lent():
    """Red is strongest in the dog's place, yet the dog has more blue; red goes as soon as it has less."""
    spilt = {1: {1: 0.2, 2: 0.25}}
    assert bound(diagnosed({**spilt, 3: {2: 0.9}})) == {"red": 0, "blue": 1}
    assert bound(diagnosed({**spilt, 3: {2: 0.3}})) == {"red": 1, "blue": 1}


def test_a_colour_that_both_have_is_bound_to_the_other():
    """The cat is red as it should be, and so is the dog."""
    assert bound(diagnosed({1: {1: 0.3, 2: 0.3}})) == {"red": 1, "blue": 1}


def test_the_neglected_get_no_attribute():
    """Neither cat nor dog is seen anywhere in particular, and their colours are where the dog would be."""
    found = diagnosed({1: {2: 0.3}, 2: {}, 4: {}})
    assert states(found) == ["neglected", "neglected", "present"]
    assert bound(found) == {"red": None, "blue": None}


def test_the_later_half_of_the_run_counts():
    """Sought in exchanged places at first, found in the right ones; without a later half all counts."""
    right, exchanged = known(RIGHT), known({**RIGHT, 1: {2: 0.3}, 3: {1: 0.3}})
    noises = torch.rand(REGIONS.numel(), REGIONS.numel(), generator=torch.Generator().manual_seed(0))

    def run(times):
        """The exchanged picture at the first time, the right one at the second; other segments at first."""
        layer, early = right.layers[0], exchanged.layers[0]
        cross = torch.cat([early.cross_attention["positive"], layer.cross_attention["positive"]])
        own = layer.self_attention["positive"]
        chaos = (noises / noises.sum(1, keepdim=True)).expand_as(own).half()
        whole = replace(
            layer, cross_attention={"positive": cross}, self_attention={"positive": torch.cat([chaos, own])}
        )
        return replace(right, slices=tuple(TimeSlice(0, 1, time) for time in times), layers=(whole,))

    later = PromptDiagnosis(segments=4)(run((0.75, 0.25)), THINGS)[0]
    assert bound(later) == {"red": 0, "blue": 1}
    assert torch.equal(later.masks(later.segmentation.clusters)[0], REGIONS == 1)
    assert bound(PromptDiagnosis(segments=4)(run((0.9, 0.75)), THINGS)[0]) != {"red": 0, "blue": 1}


def test_a_thing_alone_has_nobody_to_lose_to():
    """It is present where it is seen more than elsewhere, and neglected if it is seen evenly."""
    alone = (NamedThing(Word("dog", (4,))),)
    assert states(diagnosed(things=alone)) == ["present"]
    assert states(diagnosed({4: dict.fromkeys(range(4), 0.2)}, things=alone)) == ["neglected"]
    assert diagnosed(things=alone).things[0].rival is None


def naive(maps, things, clusters, image, settings):
    """States and bindings from the formulas, place by place, in float64."""
    height, width = clusters.shape
    late = [number for number, part in enumerate(maps.slices) if part.time <= 0.5]

    def seen(word):
        layers = []
        for layer in maps.layers:
            kept = layer.cross_attention["positive"][late][:, image].double().mean((0, 1))  # (N, tokens)
            pieces = [kept[:, p].view(1, 1, *layer.grid) for p in word.positions]
            large = [torch.nn.functional.interpolate(x, (height, width), mode="bicubic") for x in pieces]
            layers.append(sum(x.clamp(min=0) for x in large) / len(large))
        mean = (sum(layers) / len(layers))[0, 0]
        places = [(y, x) for y in range(height) for x in range(width)]
        inside = {}
        for number in range(settings.segments):
            values = [float(mean[at]) for at in places if clusters[at] == number]
            inside[number] = sum(values) / len(values)
        return inside, max(inside.values()) / float(mean.mean()), float(mean.mean())

    nouns = [seen(thing.noun) for thing in things]
    attributes = [[seen(word) for word in thing.attributes] for thing in things]
    homes = [max(inside, key=inside.get) for inside, _, _ in nouns]

    def among_nouns(number, segment):
        return nouns[number][0][segment] / sum(other[segment] for other, _, _ in nouns)

    def look(number, segment):
        own = attributes[number] or [nouns[number]]
        return sum(inside[segment] for inside, _, _ in own) / len(own)

    def lent(inside, own, to):
        best = 0
        for segment, value in inside.items():
            if nouns[to][0][segment] < nouns[to][2]:
                continue
            others = sum(look(n, segment) for n in range(len(things)) if n != own)
            strength = value / max(inside.values())
            best = max(best, value / (value + others) * among_nouns(to, segment) * strength)
        return best

    states = []
    for number, ((_, rise, _), home) in enumerate(zip(nouns, homes, strict=True)):
        share = among_nouns(number, home)
        lost = rise < settings.least_rise or share < settings.fused
        states.append("neglected" if lost else "fused" if share < settings.present else "present")
    there = [n for n, state in enumerate(states) if state != "neglected"]
    bindings = {}
    for own, (thing, looks) in enumerate(zip(things, attributes, strict=True)):
        for word, (inside, rise, _) in zip(thing.attributes, looks, strict=True):
            given = {n: lent(inside, own, n) for n in there if n != own}
            to = max(given, key=given.get, default=None)
            if to is None or given[to] < settings.least_lent:
                to = own if own in there else None
            bindings[word.text] = None if rise < settings.least_rise else to
    return states, bindings


@pytest.mark.parametrize("hat", [HAT, OLD_STRAW_HAT])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_naive_diagnosis(seed, hat):
    """Random attention, several layers, times and images, bounds in the midst of what occurs."""
    maps = recorded(seed=seed, grids=((4, 6), (8, 12)))
    settings = PromptDiagnosis(segments=5, present=0.42, fused=0.37, least_rise=1.1, least_lent=0.14)
    seen_states, seen_bindings = set(), set()
    things = (RED_CAT, BLUE_DOG, hat)
    for image, found in enumerate(settings(maps, things)):
        expected = naive(maps, things, found.segmentation.clusters, image, settings)
        assert (states(found), bound(found)) == expected
        seen_states |= set(states(found))
        seen_bindings |= set(bound(found).values())
    assert len(seen_states) > 1 and len(seen_bindings) > 1


def test_what_is_missing_is_named():
    """No self-attention, no segments."""
    bare = replace(known(RIGHT), layers=tuple(replace(x, self_attention={}) for x in known(RIGHT).layers))
    with pytest.raises(ValueError, match="self-attention"):
        PromptDiagnosis(segments=4)(bare, THINGS)
