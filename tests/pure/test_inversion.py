"""An inversion as a value: its parts fit, and it has a state for every noise level."""

import math
import re

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import (
    Inversion,
    ModelIdentity,
    check_sigmas,
    psnr,
)
from attention_control.attention_patches.inversion.reconstruction import describe

SIGMAS = torch.tensor([8.0, 4.0, 1.0, 0.25, 0.0])
MODEL = ModelIdentity("toy", (1.0, -2.0))


def inversion(method="ddim", images=2, **changes):
    """States of a straight line for DDIM, with noise of their own for edit friendly DDPM."""
    draw = torch.Generator().manual_seed(3)
    picture = torch.randn(images, 4, 3, 5, generator=draw)
    fresh = torch.randn(5, images, 4, 3, 5, generator=draw)
    if method == "ddim":
        fresh = fresh[:1].expand_as(fresh)
    states = picture + SIGMAS.view(-1, 1, 1, 1, 1) * fresh
    noise = None if method == "ddim" else torch.zeros(4, images, 4, 3, 5)
    parts = {"method": method, "sigmas": SIGMAS, "states": states, "noise": noise, "model": MODEL}
    return Inversion(**{**parts, **changes})


METHODS = ["ddim", "edit friendly ddpm"]


@pytest.mark.parametrize("method", METHODS)
def test_states_are_found_at_their_own_levels(method):
    """At a level of the schedule the state is the stored one, to the bit; at 0 and below, the picture."""
    value = inversion(method)
    for i, sigma in enumerate(SIGMAS.tolist()):
        assert torch.equal(value.at(sigma), value.states[i])
    assert torch.equal(value.at(-1.0), value.picture)
    assert (value.steps, value.images) == (4, 2)


@pytest.mark.parametrize(
    ("sigma", "step"),
    [(20.0, 0), (8.01, 0), (6.5, 0), (4.001, 1), (3.999, 1), (2.0, 2), (0.6, 3), (0.2, 3), (0.001, 3)],
)
def test_states_between_have_the_noise_of_one_level(sigma, step):
    """Anywhere the state is picture + sigma * noise, its noise that of the nearest step and no average."""
    value = inversion("edit friendly ddpm")
    noise = (value.states[step] - value.picture) / SIGMAS[step]
    assert torch.allclose(value.at(sigma), value.picture + sigma * noise, atol=1e-5)
    straight = inversion("ddim")
    noise = straight.states[0] - straight.picture
    assert torch.allclose(straight.at(sigma), straight.picture + sigma / 8 * noise, atol=1e-5)


def test_bent_ddim_states_are_joined():
    """Between two DDIM states lie those of the straight line that an Euler step follows."""
    states = inversion().states.clone()
    states[1] += 1.0
    value = inversion(states=states)
    assert torch.allclose(value.at(6.0), (states[0] + states[1]) / 2)
    assert torch.allclose(value.at(1.75), states[1] * 0.25 + states[2] * 0.75)


def test_first_step():
    """The step that starts at a level, or else the next below; none is left under the last."""
    value = inversion()
    assert [value.first_step(s) for s in (1e9, 8.0, 7.9, 4.0, 0.25, 0.1, 0.0)] == [0, 0, 1, 1, 3, 4, 4]


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ([1.0], "1 noise levels, and one step needs two"),
        ([], "0 noise levels"),
        ([0.0, 1.0, 8.0], "rises from 0 to 8: connect it without flipping"),
        ([8.0, 4.0, 1.0], "ends at 1, and an inversion begins at the picture, which is 0"),
        ([8.0, 4.0, 4.0, 0.0], "does not fall before 4: choose fewer steps"),
        ([8.0, 1.0, 4.0, 0.0], "does not fall before 4"),
        ([math.nan, 1.0, 0.0], "no number"),
        ([math.inf, 1.0, 0.0], "no number"),
        ([1.0, 0.0, -1.0], "ends at -1"),
        ([[1.0, 0.0]], "needs two|2 noise levels"),
    ],
)
def test_schedules_that_are_none(levels, says):
    """Each kind of wrong schedule has an error that says what to do; so no inversion has one."""
    with pytest.raises(ValueError, match=f"^sigmas .*{says}"):
        check_sigmas(torch.tensor(levels))
    with pytest.raises(ValueError, match=f"^sigmas .*{says}"):
        inversion(sigmas=torch.tensor(levels))


@pytest.mark.parametrize(
    "changes",
    [
        {"states": torch.zeros(4, 2, 4, 3, 5)},
        {"states": torch.zeros(5, 4, 3, 5)},
        {"noise": torch.zeros(4, 2, 4, 3, 5)},
        {"method": "edit friendly ddpm", "noise": None},
        {"method": "edit friendly ddpm", "noise": torch.zeros(5, 2, 4, 3, 5)},
        {"method": "magic"},
    ],
)
def test_parts_that_do_not_fit(changes):
    """States, noise and method belong together."""
    with pytest.raises(ValueError, match="inversion of 4 steps"):
        inversion(**changes)


def test_same_base():
    """Rounding is forgiven, another weight or architecture is not; zeros are themselves."""
    one = ModelIdentity("a", (1.0, -2.0, 3.0))
    assert one.same_base(ModelIdentity("a", (1.01, -2.02, 2.98), "a LoRA"))
    assert not one.same_base(ModelIdentity("a", (1.0, -2.0, 4.0)))
    assert not one.same_base(ModelIdentity("b", one.weights))
    assert not one.same_base(ModelIdentity("a", (1.0, -2.0)))
    assert ModelIdentity("a", (0.0,)).same_base(ModelIdentity("a", (0.0,)))


def test_psnr():
    """Ten times the log of squared range over squared error; finite without an error or a range."""
    truth = torch.tensor([0.0, 10.0])
    assert psnr(truth + 0.1, truth) == pytest.approx(40.0)
    assert psnr(truth, truth) > 200
    assert math.isfinite(psnr(torch.ones(3), torch.zeros(3)))


@pytest.mark.parametrize(
    ("error", "changes", "says"),
    [
        (0.0, {}, "exactly, but for rounding.$"),
        (0.02, {}, "hardly seen.$"),
        (2.0, {}, "changed. To come nearer, invert with more steps, or with edit friendly ddpm.$"),
        (2.0, {"cfg": 3.0}, "To come nearer, invert with cfg 1, or with"),
        (2.0, {"method": "edit friendly ddpm"}, "All settings are those of the inversion, so something else"),
    ],
)
def test_what_a_figure_means(error, changes, says):
    """Each range of figures has its sentence, and a low one says what to change."""
    value = inversion(**changes)
    text = describe(value, value.picture + error, [])
    assert text.startswith("PSNR in latent space: ")
    assert text.count(" dB") == 2
    assert re.search(says, text), text


def test_differences_come_first():
    """What was not as it was in the inversion is said, whatever the figure."""
    value = inversion()
    noisy = torch.stack([value.picture[0], value.picture[1] + 3.0])
    text = describe(value, noisy, ["cfg is 3: set it to that of the inversion, 1."])
    assert text.endswith("The picture comes back changed. cfg is 3: set it to that of the inversion, 1.")
