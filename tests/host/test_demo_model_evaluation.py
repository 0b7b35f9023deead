"""The evaluation counts what it says it counts."""

import numpy as np
import pytest
import torch
from attention_control.demo_model.evaluation import prompts, score
from attention_control.demo_model.evaluation.compare import worse
from attention_control.demo_model.evaluation.generate import generate
from attention_control.demo_model.evaluation.maps import MapRecorder, word_maps
from attention_control.demo_model.judge import Found, Verdict
from attention_control.nodes.host.demo_model import load_demo_model

from .tiny.precision import nearly

SETS = {
    "single": prompts.single,
    "pairs": prompts.pairs,
    "counts": prompts.counts,
    "crowds": prompts.crowds,
    "unstyled": prompts.unstyled,
}


@pytest.fixture(scope="module")
def demo():
    """The committed model."""
    return load_demo_model()


def verdict(*subjects, style="clay", background="snow"):
    """A verdict with subjects given as (noun, colour), the likeliest first."""
    found = [Found(n, c, style, (0, 0, 9, 9), 0.9 - 0.1 * i) for i, (n, c) in enumerate(subjects)]
    return Verdict(tuple(found), style, {style: 1.0}, background)


@pytest.mark.parametrize("name", SETS)
def test_prompts_ask_for_what_they_record(name):
    """Every noun, colour, style that a prompt's record holds is in its text, and prompts repeat."""
    for asked in SETS[name](60):
        for noun, colour, count in asked.wanted:
            assert noun[:4] in asked.text and colour in asked.text
            assert (count == 1) == (asked.text.split()[0] in ("a", "an"))
        assert asked.style in asked.text
    assert SETS[name](60) == SETS[name](60)


def test_singles_cover_all_subjects_and_styles():
    """240 prompts: each subject ten times, each style 48 times."""
    asked = prompts.single(240)
    assert {sum(a.wanted[0][0] == n for a in asked) for n in {a.wanted[0][0] for a in asked}} == {10}
    assert {sum(a.style == s for a in asked) for s in {a.style for a in asked}} == {48}


def test_single_counts_the_best_subject_only():
    """A right noun that is not the surest one does not count."""
    asked = [prompts.Asked("a red cat", 0, (("cat", "red", 1),), "clay", "snow")] * 3
    rates = score.score_single(
        asked, [verdict(("cat", "red")), verdict(("dog", "red"), ("cat", "red")), verdict()]
    )
    assert rates["subject"] == (1, 3)
    assert rates["colour"] == (2, 3)
    assert rates["exactly one"] == (1, 3)


def test_pairs_tell_presence_neglect_and_leakage():
    """Both right, both swapped, one missing."""
    asked = [prompts.Asked("a red cat and a blue dog", 0, (("cat", "red", 1), ("dog", "blue", 1)))] * 3
    made = [
        verdict(("cat", "red"), ("dog", "blue")),
        verdict(("cat", "blue"), ("dog", "red")),
        verdict(("cat", "red"), ("fox", "blue")),
    ]
    rates = score.score_pairs(asked, made)
    assert rates["both present"] == (2, 3)
    assert rates["only one present (neglect)"] == (1, 3)
    assert rates["of those with both: colours right"] == (1, 2)
    assert rates["of those with both: a colour leaked"] == (1, 2)


def test_crowds_tell_who_is_missing_and_who_has_another_colour():
    """Three subjects: one right, one in another colour, one not there; then all right."""
    wanted = (("cat", "red", 1), ("dog", "blue", 1), ("fox", "green", 1))
    asked = [prompts.Asked("a red cat and a blue dog and a green fox", 0, wanted)] * 2
    made = [
        verdict(("cat", "red"), ("dog", "gray"), ("owl", "green")),
        verdict(("cat", "red"), ("dog", "blue"), ("fox", "green")),
    ]
    assert score.score_crowds(asked, made) == {
        "all present": (1, 2),
        "each present": (5, 6),
        "of those present: colour right": (4, 5),
    }


def test_a_worse_model_is_told_by_more_than_chance():
    """A few hits fewer are chance, many are not; where less is better, more is worse; decibels count."""
    before = {"one subject": {"subject": [90, 100]}, "vae psnr": 25.0}
    before["two subjects"] = {"only one present (neglect)": [10, 100]}
    chance = {
        "one subject": {"subject": [86, 100]},
        "vae psnr": 24.97,
        "two subjects": before["two subjects"],
    }
    assert worse(before, before) == worse(before, chance) == []
    bad = {"one subject": {"subject": [60, 100]}, "vae psnr": 24.0}
    bad["two subjects"] = {"only one present (neglect)": [40, 100]}
    lines = worse(before, bad)
    assert [line.split(":")[0] for line in lines] == ["one subject", "two subjects", "autoencoder"]
    assert "90% before, 60% now" in lines[0]


def test_unstyled_compares_seeds_of_one_prompt_only():
    """Two prompts with two seeds each: one pair alike, one not, none across prompts."""
    asked = [prompts.Asked(text, seed, (("cat", "", 1),)) for text in ("a cat", "one cat") for seed in (0, 1)]
    made = [verdict(("cat", "red"), style=style) for style in ("clay", "clay", "ink", "flat")]
    assert score.score_unstyled(asked, made)["seeds in the same style"] == (1, 2)


def test_generation_depends_on_its_own_seed_only(demo, monkeypatch):
    """A picture is the same whatever else is in its batch."""
    monkeypatch.setattr("attention_control.demo_model.evaluation.generate.STEPS", 4)
    both = list(generate(demo, ["a red cat", "a blue dog"], [1, 2], size=64, batch=2))
    alone = list(generate(demo, ["a blue dog"], [2], size=64))
    assert nearly(both[1], alone[0], atol=2e-2)


def test_maps_are_distributions_over_tokens(demo):
    """Every cell of the recorded maps spreads a total of one over the 77 tokens, at the latent's size."""
    images = np.full((2, 128, 64, 3), 200, np.uint8)
    maps = word_maps(demo, images, ["a red cat and a blue dog", "a tree"])
    assert maps.shape == (2, 77, 16, 8)
    assert nearly(maps.sum(1), torch.ones(2, 16, 8), atol=1e-3)


def test_the_recorder_equals_plain_attention():
    """Mean over heads of softmax(q k / sqrt(d)), laid out as the image is."""
    torch.manual_seed(0)
    q, k = torch.randn(1, 32, 12), torch.randn(1, 77, 12)
    recorder = MapRecorder(77, 8, 4)
    recorder(lambda *a, **o: torch.zeros(1), q, k, k, 3)
    plain = torch.stack(
        [(q[0, :, h * 4 : h * 4 + 4] @ k[0, :, h * 4 : h * 4 + 4].T / 2).softmax(-1) for h in range(3)]
    ).mean(0)
    assert nearly(recorder.layers[0][0], plain.T.reshape(77, 8, 4), atol=1e-6)
