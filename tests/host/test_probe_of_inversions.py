"""AttentionProbe on inversions: pictures looked at in their own noise."""

import pytest
import torch
from attention_control.attention_patches.maps.correspondence import correspondence_of
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.host.walks.model_identity import identity
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from comfy_api.latest import io

from .inversions import tiny_inversion
from .probing import LEVEL, by_hand, image, sigma_by_hand
from .tiny import conditioning, tiny_model
from .tiny.precision import nearly


def look(model, noise_level=LEVEL, **given):
    """Maps of inversions, with queries and keys."""
    node = AttentionProbe.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    with torch.inference_mode():
        (store,) = node.execute(
            model, conditioning(model, seed=1), noise_level=noise_level, queries_and_keys=True, **given
        ).args
    return store.read()


def of_model(model, **how):
    return tiny_inversion(6, 10, model=identity(model), **how)


@pytest.mark.parametrize("level", [LEVEL, 0.97])
def test_inversions_are_looked_at_in_their_own_noise(shape, level):
    """The network sees the stored state of this level, between steps and above the noisiest as well."""
    model = tiny_model(shape)
    one, other = of_model(model), of_model(model, images=2, seed=1)
    sigma = sigma_by_hand(level)
    maps = look(model, level, inversion=one, other_inversion=other)
    assert maps.images == 3
    state = torch.cat([one.at(sigma), other.at(sigma)])
    hooks = by_hand(model, state, conditioning(model, seed=1), sigma, torch.zeros(()), 1.0)
    for layer in maps.layers:
        (got,) = layer.self_attention["positive"][:, :, 0]
        assert nearly(got.double(), hooks.of(layer.layer, "self"), rtol=2e-3, atol=1e-5)


def test_two_inversions_correspond():
    """A picture beside itself finds each place again, better than beside another one."""
    model = tiny_model("sd15")
    one = of_model(model)
    same = look(model, inversion=one, other_inversion=one)
    other = look(model, inversion=one, other_inversion=of_model(model, seed=1))
    for layer, another in zip(same.layers, other.layers, strict=True):
        found = correspondence_of(layer, (0, 1))
        assert nearly(found, correspondence_of(layer, (0, 0)), atol=1e-4)
        assert not torch.allclose(found, correspondence_of(another, (0, 1)), atol=1e-3)
    pictures = torch.rand(2, 48, 80, 3)
    shown = AttentionMapViewer.execute(
        pictures, "correspondence", "", "all", "all", 0.5, "magma", MapStore(same)
    )
    assert shown.args[0].shape == pictures.shape


def test_pictures_of_inversions_find_their_maps():
    """The maps carry the pictures' latents and not the noisy states."""
    model = tiny_model("sd15")
    one = of_model(model)
    latents = look(model, inversion=one, other_inversion=one).latents
    expected = model.model.process_latent_out(one.picture.expand(2, -1, -1, -1))
    assert nearly(latents.float(), expected, atol=1e-2)


def test_what_can_not_be_looked_at():
    """Nothing, latent and inversion at once, two sizes, another model: errors that say what to do."""
    model = tiny_model("sd15")
    one = of_model(model)
    for given, says in (
        ({}, r"^nothing to look at: connect `latent`, or `inversion`"),
        ({"other_inversion": one}, r"^nothing to look at"),
        ({"latent": image(), "inversion": one}, r"^latent and an inversion are both connected"),
        (
            {"inversion": one, "other_inversion": tiny_inversion(6, 8, model=identity(model))},
            r"^other_inversion is of 8 x 6 latent cells and inversion of 10 x 6; .*Scale both",
        ),
        ({"inversion": of_model(tiny_model("sd15", seed=1))}, r"^inversion: it was made with another"),
    ):
        with pytest.raises(ValueError, match=says):
            look(model, **given)
