"""The nodes MultiDiffusion and Prompt Region: inputs, errors, and that the settings arrive."""

import comfy.latent_formats
import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.wide.multidiffusion_node import MultiDiffusion
from attention_control.nodes.wide.prompt_region_node import PromptRegion

from .node_calls import call_node
from .specimen import model
from .tiny import conditioning


def text(seed=1):
    return conditioning(model("sd15"), seed=seed)


def region(**inputs):
    (regions,) = call_node(PromptRegion, **{"positive": text(), "mask": torch.ones(1, 8, 8), **inputs})
    return regions


def method(**settings):
    (patched,) = call_node(MultiDiffusion, model("sd15"), **settings)
    ((only,),) = (installed(patched),)
    return only.method


def test_inputs():
    """Names, order and defaults stay as they are, for saved workflows."""
    found = {x.id: getattr(x, "default", None) for x in MultiDiffusion.define_schema().inputs}
    assert found == {
        "model": None,
        "window_width": 512,
        "window_height": 512,
        "stride": 64,
        "wrap": False,
        "windows_per_call": 4,
        "weighting": "uniform",
        "regions": None,
        "bootstrap": 0.4,
        "vae": None,
        "seed": 0,
    }
    assert [x.id for x in PromptRegion.define_schema().inputs] == ["positive", "negative", "mask", "previous"]


def test_settings_arrive():
    """Pixels as cells of 8."""
    regions = region(negative=text(2), previous=region(mask=torch.eye(8)[None]))
    made = method(
        window_width=128,
        window_height=64,
        stride=32,
        wrap=True,
        windows_per_call=7,
        weighting="gaussian",
        regions=regions,
        bootstrap=0.2,
        seed=5,
    )
    assert (made.window, made.stride, made.wrap, made.per_call) == ((8, 16), 4, True, 7)
    assert (made.weighting, made.bootstrap, made.seed, made.backgrounds) == ("gaussian", 0.2, 5, None)
    assert [one.prompts.negative is None for one in made.regions] == [True, False]
    assert torch.equal(made.regions[0].mask, torch.eye(8)[None])


class Vae:
    """Encodes colours as they are, eight times smaller."""

    def encode(self, pixels):
        small = pixels[:, ::8, ::8].movedim(-1, 1)
        return torch.cat([small, small[:, :1]], 1)


def test_backgrounds_are_encoded():
    """By the VAE, in the model's own scale, at the windows' size; without regions nothing is."""
    how = {"window_width": 64, "window_height": 32, "stride": 32, "vae": Vae()}
    made = method(regions=region(), **how).backgrounds
    colours = comfy.latent_formats.SD15().process_out(made)
    assert made.shape == (20, 4, 4, 8)
    assert colours.amax((-2, -1)).allclose(colours.amin((-2, -1))) and colours.std() > 0.1
    assert method(**how).backgrounds is None
    assert method(regions=region(), **how, bootstrap=0.0).backgrounds is None


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"window_width": 500}, r"window_width is 500, .* Take 496 or 504"),
        ({"stride": 12}, r"stride is 12, .* Take 8 or 16"),
        ({"window_height": 256, "stride": 264}, r"stride is 264, above window_height \(256\)"),
    ],
    ids=str,
)
def test_sizes_that_do_not_go(settings, complaint):
    """Are errors that say what does."""
    with pytest.raises(ValueError, match=complaint):
        method(**settings)


def test_two_on_one_model():
    """Are refused, whatever stands between them."""
    (once,) = call_node(MultiDiffusion, model("sd15"))
    with pytest.raises(ValueError, match="it has MultiDiffusion already"):
        call_node(MultiDiffusion, once.clone())


def test_a_faint_mask():
    """Is an error of the node that gets it."""
    with pytest.raises(ValueError, match=r"nothing in it is 0\.5 or more \(its largest value is 0\.4"):
        region(mask=torch.full((1, 8, 8), 0.4))


@pytest.mark.parametrize(
    ("key", "complaint"), [("area", "an area"), ("gligen", "GLIGEN boxes"), ("hooks", "hooks")]
)
def test_what_a_region_can_not_have(key, complaint):
    """Is an error at once."""
    inside = [[vectors, {**more, key: (4, 4, 0, 0)}] for vectors, more in text()]
    with pytest.raises(ValueError, match=f"the positive of region 2 has {complaint}"):
        region(positive=inside, previous=region())
