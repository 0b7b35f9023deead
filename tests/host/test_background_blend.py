"""The original's background, blended into variations once: with Euler's method a blend behind one step."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from attention_control.attention_patches.maps.averages import self_map
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.maps.self_segmentation.segmentation import Segmentation
from attention_control.attention_patches.maps.word_maps import word_maps
from attention_control.attention_patches.methods.shape_variations import background
from attention_control.attention_patches.methods.shape_variations.finding import Finding, Named, object_masks
from attention_control.attention_patches.text.words import Word
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.k_diffusion.sampling import sample_euler

from .just import Just
from .methods import METHODS
from .settings_of_methods import NAMED
from .specimen import SHALLOW, model
from .tiny import assert_same_image, conditioning, sample

SPECIMEN = next(specimen for specimen in METHODS if specimen.name == "shape variations, background")
HEIGHT, WIDTH = 6, 10
PERCENTS = (1e-4, 0.25, 0.5, 0.75)


def levels():
    """Noise levels at every quarter of the schedule."""
    sampling = model(SHALLOW).get_model_object("model_sampling")
    return torch.tensor([*(float(sampling.percent_to_sigma(p)) for p in PERCENTS), 0.0])


def run(patcher, function):
    """A run of three images with a sampler's function, from one noise."""
    noise = torch.randn(1, 4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3)).repeat(3, 1, 1, 1)
    prompts = conditioning(patcher, 3, seed=1), conditioning(patcher, seed=2)
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            patcher,
            noise,
            3.0,
            comfy.samplers.KSAMPLER(function),
            levels(),
            *prompts,
            torch.zeros_like(noise),
        )


def masks_of(monkeypatch, patched, function=sample_euler):
    """The masks of a run, and what it made."""
    kept, found = [], background.Background._masks

    def seen(self):
        kept.append(found(self))
        return kept[-1]

    monkeypatch.setattr(background.Background, "_masks", seen)
    out = run(patched, function)
    (masks,) = kept
    return masks, out


@pytest.mark.parametrize(("at", "step"), [(0.0, 0), (0.4, 2), (0.7, 3)])
def test_under_euler_it_is_a_blend_behind_one_step(monkeypatch, at, step):
    """The first whose noise level is not before `blend_at`; none before it and none behind it."""
    masks, out = masks_of(monkeypatch, SPECIMEN.on(model(SHALLOW), blend_at=at))
    assert 0 < masks[1:].float().mean() < 1

    def blending_euler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for number in range(len(sigmas) - 1):
            x = sample_euler(model, x, sigmas[number : number + 2], extra_args, disable=True)
            if number == step:
                x = torch.where(masks, x, x[:1])
        return x

    plain = SPECIMEN.on(model(SHALLOW), named=None)
    assert_same_image(out, run(plain, blending_euler))
    assert not torch.allclose(out, run(plain, sample_euler), rtol=0.01)
    assert torch.equal(out[0], run(plain, sample_euler)[0])


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "dpmpp_sde", "uni_pc"])
def test_samplers_of_higher_order_keep_the_background(monkeypatch, sampler):
    """Blended behind the last step but one, the background is the original's as it was at that level."""
    seen = []

    class Spy(background.Background):
        def shift(self, latents, model):
            shifted = super().shift(latents, model)
            if shifted:
                seen.append((model.sigma, latents.clone(), self.masks.clone()))
            return shifted

    monkeypatch.setattr("attention_control.attention_patches.methods.shape_variations.method.Background", Spy)
    prompts = conditioning(model(SHALLOW), 3, seed=1), conditioning(model(SHALLOW), seed=2)
    patched = SPECIMEN.on(model(SHALLOW), blend_at=0.4)
    out = sample(
        patched, *prompts, batch=3, height=HEIGHT, width=WIDTH, steps=5, sampler=sampler, images=[0, 0, 0]
    )
    assert out.isfinite().all()
    assert len({sigma for sigma, _, _ in seen}) == 1, "blended at one noise level"
    for _, latents, masks in seen:
        assert torch.equal(torch.where(masks, latents[:1], latents)[1:], latents[:1].expand(2, -1, -1, -1))
    plain = sample(
        SPECIMEN.on(model(SHALLOW), named=None),
        *prompts,
        **{"batch": 3, "height": HEIGHT, "width": WIDTH, "steps": 5, "sampler": sampler, "images": [0, 0, 0]},
    )
    outside = ~seen[-1][2][1:].expand(-1, 4, -1, -1)
    nearer, before = ((x[1:] - x[:1])[outside].square().mean() for x in (out, plain))
    assert nearer < before


def segmented(labels):
    """An image of four segments with these labels."""
    clusters = torch.tensor([[0, 1], [2, 3]])
    return Segmentation(clusters, torch.zeros(4, 3), labels)


def test_background_is_what_is_not_labelled_or_named_so():
    """The object is none of it, whatever is named; other things may differ."""
    words = tuple(Word(text, (n,)) for n, text in enumerate(("cat", "stairs", "hat"), start=1))
    found = [segmented((0, 1, 2, None)), segmented((1, 1, 1, None))]
    masks, seen = object_masks(found, Named(words, frozenset({1})))
    assert masks.tolist() == [[[True, False], [True, False]], [[False, False], [False, False]]]
    assert seen == (True, False)
    masks, _ = object_masks(found, Named(words, frozenset({0, 1, 2})))
    assert masks[0].tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("named", "at", "told"),
    [
        ({"threshold": 1.0}, 0.0, "no segment of the original is object (labelled: no word)"),
        ({}, 1.0, "No background was blended: blend_at lies behind the run"),
        ({}, 0.0, "Background blended once (labelled: object)"),
    ],
)
def test_what_was_blended_is_told(caplog, named, at, told):
    """And nothing is blended where the object is not found."""
    spec = Named(NAMED.words, **{"segments": 15, "threshold": 0.4, **named})
    patched = SPECIMEN.on(model(SHALLOW), named=spec, blend_at=at)
    with caplog.at_level("INFO"):
        out = run(patched, sample_euler)
    assert told in caplog.text
    plain = run(SPECIMEN.on(model(SHALLOW), named=None), sample_euler)
    assert torch.equal(out, plain) == told.startswith(("no", "No"))


def test_what_is_found_is_what_the_recorder_sees():
    """The means of the run are those from which Self Segment works: all layers are small here. (Enlarged
    maps are cut off at 0 behind the mean of layers here, before it there.)"""
    words = (Word("one", (7,)), Word("two", (3,)))
    store = MapStore()
    layers = frozenset(range(1, 17))
    recorder = Recorder(store=store, cross_layers=layers, self_layers=layers, time_bins=1)
    grids = {n: size.grid for n, size in family_of(model("sd15")).layer_sizes((HEIGHT, WIDTH)).items()}
    finding = Finding(spec=Named(words), grids=grids)
    patched = install(install(model("sd15"), recorder), Just(parts=[finding]))
    run(patched, sample_euler)
    maps = store.read()
    enlarged = finding._enlarged()
    for image in range(3):
        looks = self_map(maps, finding.grid, image=image)
        assert torch.allclose(finding.looks.values[image].cpu(), looks, atol=1e-4, rtol=1e-2)
        seen = word_maps(maps, words, finding.grid, image=image)
        assert torch.allclose(enlarged[image], seen, atol=0.05 * float(seen.max()))
