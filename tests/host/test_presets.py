"""The authors' layers and step sizes, in U-Nets laid out as SD1.5 and SDXL are."""

import pytest
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import NO_LAYERS, LayerMap
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.nodes.host.families.unet import presets as authors


def model_layers(places):
    layers = [Layer(i, len(places), *place) for i, place in enumerate(places, start=1)]
    return LayerMap("U-Net", tuple(layers))


def sizes(layers, grids):
    return {
        layer.ordinal: LayerSize((grids[layer.block, layer.number],) * 2, 8, 8) for layer in layers.layers
    }


SD15 = model_layers(
    [("input", n, 0) for n in (1, 2, 4, 5, 7, 8)]
    + [("middle", 0, 0)]
    + [("output", n, 0) for n in range(3, 12)]
)
SD15_GRIDS = {("input", n): 64 >> (n - 1) // 3 for n in range(1, 9)}
SD15_GRIDS |= {("middle", 0): 8, **{("output", n): 16 << (n - 3) // 3 for n in range(3, 12)}}
SDXL = model_layers(
    [("input", n, i) for n in (4, 5) for i in range(2)]
    + [("input", n, i) for n in (7, 8) for i in range(10)]
    + [("middle", 0, i) for i in range(10)]
    + [("output", n, i) for n in (0, 1, 2) for i in range(10)]
    + [("output", n, i) for n in (3, 4, 5) for i in range(2)]
)
SDXL_GRIDS = {("input", 4): 64, ("input", 5): 64, ("input", 7): 32, ("input", 8): 32, ("middle", 0): 32}
SDXL_GRIDS |= {("output", n): 32 if n < 3 else 64 for n in range(6)}


HEIGHT = 128  # of latents, of which the coarse layers have a quarter or less


def placing(model, grids):
    return authors.placing_layers(model, sizes(model, grids), HEIGHT)


def test_layout_guidance_looks_where_its_authors_do():
    """SD1.5: the middle and up_blocks.1, four maps; SDXL: the last transformer of the same four modules."""
    assert authors.last_of_modules(placing(SD15, SD15_GRIDS)) == {7, 8, 9, 10}
    found = authors.last_of_modules(placing(SDXL, SDXL_GRIDS))
    names = [str(layer) for layer in SDXL.layers if layer.ordinal in found]
    assert names == ["middle 0.9", "output 0.9", "output 1.9", "output 2.9"]
    assert len(placing(SDXL, SDXL_GRIDS)) == 40


def test_models_that_stay_fine_are_guided_where_words_have_an_outline():
    """As the demo model: its coarsest layers, half the latents' height, hold no words. With larger latents
    they are a quarter, and looked at as in SD1.5."""
    grids = {("input", 1): 16, ("input", 3): 8, ("middle", 0): 8, ("output", 0): 8, ("output", 2): 16}
    small = model_layers([(*place, 0) for place in grids])
    assert [str(layer) for layer in authors.placing_layers(small, sizes(small, grids), 16)] == ["output 2.0"]
    coarse = authors.placing_layers(small, sizes(small, grids), 32)
    assert [str(layer) for layer in coarse] == ["middle 0.0", "output 0.0"]


def test_bounded_attention_is_guided_where_its_authors_guide():
    """Their numbers count self- and cross-attention: 12 to 19 in SD1.5 and 70 to 81 in SDXL."""
    shallow = authors.guided_layers(SD15, placing(SD15, SD15_GRIDS))
    deep = authors.guided_layers(SDXL, placing(SDXL, SDXL_GRIDS))
    assert sorted(2 * (n - 1) + kind for n in shallow for kind in (0, 1)) == list(range(12, 20))
    assert sorted(2 * (n - 1) + kind for n in deep for kind in (0, 1)) == list(range(70, 82))
    steps = [
        authors.presets(model, sizes(model, grids), NO_LAYERS, HEIGHT)[authors.GUIDANCE_PRESET].step_sizes
        for model, grids in ((SD15, SD15_GRIDS), (SDXL, SDXL_GRIDS))
    ]
    assert steps == [(8.0, 2.0), (18.0, 5.0)]


BLOCKS = model_layers([("output", n, 0) for n in range(12)])  # with a residual
PLUGGED = {"SD1.5": (SD15, SD15_GRIDS, 4, range(4, 12)), "SDXL": (SDXL, SDXL_GRIDS, 0, range(3))}


@pytest.mark.parametrize("kind", PLUGGED)
def test_plug_and_play_takes_what_its_authors_take(kind):
    """SD1.5: features of output 4, attention of output 4 to 11; SDXL, as Ctrl-X: output 0, and all of
    output 0 to 2."""
    model, grids, block, attention = PLUGGED[kind]
    found = authors.plugged(model, sizes(model, grids), BLOCKS)
    assert [BLOCKS.layers[n - 1].number for n in found.residuals] == [block]
    taken = {x.ordinal for x in model.layers if x.block == "output" and x.number in attention}
    assert found.layers == taken and len(taken) == {"SD1.5": 8, "SDXL": 30}[kind]


@pytest.mark.parametrize(
    ("grids", "expected"),
    [
        (
            {"input1": 64, "input2": 16, "middle": 8, "output3": 16, "output4": 32, "output5": 64},
            {4},
        ),  # SD1.5
        ({"input1": 16, "middle": 8, "output2": 8, "output3": 16}, {4}),
        ({"input1": 12, "middle": 3, "output2": 6, "output3": 12}, {4}),  # nothing has 256 cells
        ({"input1": 16, "middle": 8}, {1}),
    ],
)
def test_where_subjects_are_found(grids, expected):
    """The paper's layers in SD1.5: output blocks, the coarsest grid of at least 16 x 16."""
    named = [(name.rstrip("0123456789"), n, 0) for n, name in enumerate(grids, start=1)]
    layers = model_layers(named)
    of = {n: LayerSize((side, side), 2, 8) for n, side in enumerate(grids.values(), start=1)}
    guided = authors.guided_layers(layers, authors.placing_layers(layers, of, max(grids.values())))
    assert authors.searched_layers(layers, of, guided) == expected
