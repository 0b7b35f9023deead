"""The layer language: what it names, and how it complains."""

import re

import pytest
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.layers.layer_map import LayerMap

PLACES = [
    *(("input", n, 0) for n in (1, 2, 4, 5, 7, 8)),
    ("middle", 0, 0),
    *(("output", n, i) for n in (3, 4) for i in range(3)),
]
MAP = LayerMap("U-Net", tuple(Layer(i, len(PLACES), *p) for i, p in enumerate(PLACES, start=1)))


def named(text):
    """The places that `text` names."""
    return [PLACES[ordinal - 1] for ordinal in sorted(MAP.parse(text))]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("all", PLACES),
        ("input", PLACES[:6]),
        ("middle", [("middle", 0, 0)]),
        ("output", PLACES[7:]),
        ("output 4", [("output", 4, i) for i in range(3)]),
        ("output 4.1", [("output", 4, 1)]),
        ("1", PLACES[:1]),
        ("13", PLACES[-1:]),
        ("2-4", PLACES[1:4]),
        ("4-4", PLACES[3:4]),
        (" input  1 ,output 3.2, 13", [("input", 1, 0), ("output", 3, 2), PLACES[-1]]),
        ("all, 3", PLACES),
    ],
)
def test_names(text, places):
    """Every form names the layers that it says."""
    assert named(text) == places


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("down", "down"),
        ("output 9", "output 9"),
        ("output 4.3", "output 4.3"),
        ("input 4.1", "input 4.1"),
        ("0", "0"),
        ("14", "14"),
        ("3-20", "3-20"),
        ("5-2", "5-2"),
        ("-3", "-3"),
        ("1.5", "1.5"),
        ("all 1", "all 1"),
        ("Output 4", "Output 4"),
        ("input 1, output4", "output4"),
    ],
)
def test_errors_quote_the_part_and_list_what_there_is(text, part):
    """An error names the part that fits nothing, and the layers of this model."""
    with pytest.raises(ValueError, match="layers") as error:
        MAP.parse(text)
    message = str(error.value)
    assert repr(part) in message
    assert "1-13: input 1.0, 2.0, 4.0, 5.0, 7.0, 8.0; middle 0.0; output 3.0-2, 4.0-2" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "layers: it is empty. This"),
        ("  ", "layers: it is empty. This"),
        ("5-99", "layers: '5-99' goes beyond the last layer, 13. This"),
        ("14", "layers: '14' goes beyond the last layer, 13. This"),
        ("9" * 5000, "goes beyond the last layer, 13. This"),
        ("1-" + "9" * 5000, "goes beyond the last layer, 13. This"),
        ("output " + "9" * 5000, "layers: no layer matches 'output 999"),
        ("0-3", "layers: '0-3' begins before the first layer, 1. This"),
        ("5-2", "layers: '5-2' runs backwards; write '2-5'. This"),
        ("input, 5-99", "layers: '5-99' in 'input, 5-99' goes beyond the last layer, 13. This"),
        ("input, outpt", "layers: no layer matches 'outpt' in 'input, outpt'. This"),
        ("outpt", "layers: no layer matches 'outpt'. This"),
    ],
)
def test_errors_say_what_is_wrong(text, said):
    """In one plain sentence, which does not repeat itself."""
    with pytest.raises(ValueError, match="layers") as error:
        MAP.parse(text)
    assert said in str(error.value) and len(str(error.value)) < 400


def test_the_input_is_named_as_it_is():
    """Not every node calls it layers."""
    with pytest.raises(ValueError, match=r"^layer: it is empty"):
        MAP.parse("", "layer")


@pytest.mark.parametrize("text", ["input,", ",", "input,,middle"])
def test_an_empty_part_is_an_error(text):
    """Nothing between commas is a mistake, not a way to say none."""
    with pytest.raises(ValueError, match="empty part"):
        MAP.parse(text)


STREAMS = LayerMap(
    "Flux",
    tuple(
        Layer(i, 57, *place, None)
        for i, place in enumerate(
            [("double", n) for n in range(19)] + [("single", n) for n in range(38)], start=1
        )
    ),
)


@pytest.mark.parametrize(
    ("text", "ordinals"),
    [
        ("double", range(1, 20)),
        ("double 0-18", range(1, 20)),
        ("single 3", [23]),
        ("single 0 - 1, double 18", [19, 20, 21]),
        ("20-57", range(20, 58)),
    ],
)
def test_blocks_that_are_one_layer_each(text, ordinals):
    """They are named by their kind, a number or a range of numbers."""
    assert STREAMS.parse(text) == frozenset(ordinals)


@pytest.mark.parametrize("text", ["double 0-19", "double 5-2", "output 4", "single 38"])
def test_what_a_transformer_does_not_have(text):
    """Is named, with what there is."""
    with pytest.raises(
        ValueError, match=r"layers 1-57: double 0-18; single 0-37\. Name them as 'all', 'single'"
    ):
        STREAMS.parse(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("double 17-18, double 11-12, double 14", "double 11-12, 14, 17-18"),
        ("all", "double 0-18; single 0-37"),
        ("single 3", "single 3"),
        ("double 0, double 2, double 4, double 6, single 1, single 3", "double 0, 2 .. 6; single 1, 3"),
    ],
)
def test_layers_of_a_transformer_in_short(text, named):
    """Runs and even steps; what is said can be read again, if there are no steps."""
    chosen = STREAMS.parse(text)
    assert STREAMS.named(chosen) == named


def test_layers_of_a_transformer_have_no_second_number():
    """A block is one layer."""
    assert [str(STREAMS.layers[n]) for n in (0, 22)] == ["double 0", "single 3"]


@pytest.mark.parametrize("model", [MAP, STREAMS], ids=["nested", "streams"])
def test_examples_of_an_error_can_be_used(model):
    """What it says to write names layers of this very model."""
    with pytest.raises(ValueError, match="Name them as") as error:
        model.parse("outpt")
    told = re.findall(r"'([^']+)'", str(error.value).partition("Name them as")[2])
    assert "all" in told and len(told) > 2
    assert all(model.parse(text) for text in told)


def test_a_model_without_layers_is_told_as_one():
    """An error of ours, whatever was asked for."""
    with pytest.raises(ValueError, match="no layer matches 'output'"):
        LayerMap("toy", ()).parse("output")
