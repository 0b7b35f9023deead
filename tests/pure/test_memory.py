"""What methods need of the device's memory, against what was measured."""

from attention_control.attention_patches.attention import memory
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned

from .batches import batch

GRIDS = (64, 64, 32, 32, 16, 16, 8, 16, 16, 16)  # of SD1.5 at 512 x 512, up to where guidance looks
SIZES = {n: LayerSize((side, side), 8, 2560 // side if side > 8 else 160) for n, side in enumerate(GRIDS, 1)}
MEASURED = {"Layout Guidance": 206, "Bounded Attention": 271}  # MB, by benchmarks/guidance_cost.py


def test_a_gradient_takes_what_was_measured():
    """To a third, with the authors' layers."""
    told = memory.gradient(batch(layer_sizes=SIZES), {7, 8, 9, 10}) / 2**20
    assert all(measured / 1.33 < told < measured * 1.33 for measured in MEASURED.values())


def test_memory_grows_with_the_images():
    """In proportion; nothing is needed for no layers."""
    one, three = (batch(layer_sizes=SIZES, images=images) for images in (1, 3))
    for needed in (
        lambda batch: memory.gradient(batch, {7, 8}),
        lambda batch: memory.kept_keys(batch, [1, 3]),
        lambda batch: memory.joined_keys(batch, [1, 3], others=1),
    ):
        assert needed(three) == 3 * needed(one) > 0
    assert memory.gradient(one, set()) == memory.kept_keys(one, []) == memory.joined_keys(one, [], 1) == 0
    assert memory.maps(one, []) == 0


def test_keys_are_counted_as_they_lie():
    """Keys and values of both conditionings, four bytes a number; joined ones in the largest layer alone."""
    one = batch(layer_sizes=SIZES)
    assert memory.kept_keys(one, [1, 3]) == 2 * 2 * 4 * 8 * (64 * 64 * 40 + 32 * 32 * 80)
    assert memory.joined_keys(one, [1, 3], others=1) == 2 * memory.kept_keys(one, [1])


def test_a_gradient_of_a_transformer():
    """The maps of words by head and of pixels in sum; where nothing is checkpointed, every layer's graph."""
    layers = LayerMap("Flux", tuple(Layer(n, 3, "double", n - 1, None) for n in (1, 2, 3)))
    sizes = {n: LayerSize((4, 6), 2, 8) for n in (1, 2, 3)}
    numbers, maps = 24 * 2 * 8, 2 * 24 * (2 * 77 + 24)
    for checkpoints, held in ((True, 2 * 2 + 40), (False, 2 * 40)):
        one = batch(layers=layers, layer_sizes=sizes, checkpoints=checkpoints)
        assert memory.gradient(one, {2}) == 4 * (held * numbers + maps)


def test_maps_that_lie_on_the_processor_take_none_of_the_device():
    """Closed time slices do; of a layer that is not recorded not even the map in the making counts."""
    layers = {n: LayerSize((side, side), 8, 40) for n, side in enumerate((64, 8), 1)}
    one = batch(images=2, layer_sizes=layers)
    few, many = (Recorder(store=MapStore(), cross_layers=frozenset({2}), time_bins=bins) for bins in (1, 16))
    values = 2 * 8 * 8 * 77
    assert few.memory(one) == many.memory(one) == 4 * values + 3 * 4 * 8 * values
    assert many.needed(one) - few.needed(one) == 15 * 2 * values


def test_every_image_joins_the_keys_of_the_others():
    """With one other image they are its own, twice of one row's, as with one reference."""
    two = batch(images=2, layer_sizes={1: LayerSize((8, 8), 8, 40)})
    every, first = (StyleAligned(layers=frozenset({1}), sharing=how) for how in ("all images", "reference"))
    assert every.memory(two) == first.memory(two) == 2 * memory.kept_keys(two, [1])
