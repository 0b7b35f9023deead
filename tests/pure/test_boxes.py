"""Boxes in all the ways that the host's nodes emit them, and as users write them."""

import json

import pytest
from attention_control.attention_patches.text.lists import phrases_of
from attention_control.nodes.layout.boxes import Drawn, drawn_boxes, written_boxes
from hypothesis import given, settings
from hypothesis import strategies as st

CANVAS = (200, 100)
PIXELS = {"x": 20, "y": 10, "width": 60, "height": 40}
ELEMENT = {"type": "obj", "bbox": [100, 100, 500, 400], "desc": "ginger kitten", "text": ""}
BOX = (0.1, 0.1, 0.4, 0.5)


def test_commas_and_colons_of_other_keyboards():
    """Mean what ours do."""
    (((box),),) = written_boxes("20，10、60, 40：红色的猫", CANVAS)
    assert (box.box, box.phrase) == (pytest.approx(BOX), "红色的猫")
    assert phrases_of("红色的猫，蓝色的狗、 owl,\n,قطة، كلب") == ["红色的猫", "蓝色的狗", "owl", "قطة", "كلب"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PIXELS, [[Drawn(BOX)]]),
        ([PIXELS], [[Drawn(BOX)]]),
        ([[PIXELS]], [[Drawn(BOX)]]),
        ([[PIXELS], [PIXELS, PIXELS]], [[Drawn(BOX)], [Drawn(BOX)] * 2]),
        ([[], [PIXELS]], [[], [Drawn(BOX)]]),
        ([ELEMENT], [[Drawn(BOX, "ginger kitten")]]),
        ([{**PIXELS, "metadata": {"desc": " owl ", "text": ""}}], [[Drawn(BOX, "owl")]]),
        ([{**PIXELS, "label": "dog", "score": 0.9}], [[Drawn(BOX, "dog")]]),
        (None, []),
        ([], []),
        ([[]], []),
    ],
)
def test_every_nesting(value, expected):
    """A box, a list, a list for each image; in pixels or as elements; or nothing."""
    got = drawn_boxes(value, CANVAS, "bboxes")
    assert [[drawn.phrase for drawn in frame] for frame in got] == [[d.phrase for d in f] for f in expected]
    assert [[drawn.box for drawn in frame] for frame in got] == [
        [pytest.approx(drawn.box) for drawn in frame] for frame in expected
    ]


@pytest.mark.parametrize(
    "text",
    [
        "20 10 60 40: ginger kitten",
        "  20, 10, 60, 40 :  ginger kitten \n\n",
        "0.1 .1 0.3 0.4: ginger kitten",
        json.dumps([ELEMENT]),
        json.dumps([[ELEMENT]]),
        json.dumps({**PIXELS, "desc": "ginger kitten"}),
    ],
)
def test_text(text):
    """Lines in pixels or fractions, or JSON."""
    [[drawn]] = written_boxes(text, CANVAS)
    assert drawn.phrase == "ginger kitten" and drawn.box == pytest.approx(BOX)


def test_text_of_several_images():
    """Dashes begin the next image; a phrase may hold colons and need not be there."""
    frames = written_boxes("0 0 100 100: a: b\n0 0 10 10\n---\n0 0 1 1", CANVAS)
    assert [[drawn.phrase for drawn in frame] for frame in frames] == [["a: b", ""], [""]]
    assert written_boxes(" \n", CANVAS) == []


def test_a_pixel_beyond_the_edge_is_forgiven():
    """Nodes round corner and size by themselves."""
    [[drawn]] = drawn_boxes({"x": 150, "y": -0.5, "width": 51, "height": 100}, CANVAS, "bboxes")
    assert drawn.box == (0.75, 0, 1, 0.995)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (7, "bboxes: 7 holds no boxes"),
        ([PIXELS, [PIXELS]], "some images have a list"),
        ([PIXELS, 3], "box 2 is 3"),
        ([{"x": 1}], r"box 1 has .* where four numbers should be"),
        ([{"bbox": [1, 2, 3]}], "four numbers"),
        (
            [{**PIXELS, "width": 182}],
            r"box 1 goes from .* beyond the canvas of 200 x 100 pixels. Set `width`",
        ),
        ([PIXELS, {**PIXELS, "height": 0}], "box 2 is 60 pixels wide and 0 high"),
        ([{"x": -1, "y": 0, "width": 1, "height": 100}], "on the edge"),
    ],
)
def test_impossible_boxes_are_refused(value, complaint):
    """With the name of the input, and what to do."""
    with pytest.raises(ValueError, match=complaint):
        drawn_boxes(value, CANVAS, "bboxes")


def test_fractions_may_be_typed_as_json():
    """By the same rule as in lines; what other nodes give is always in pixels."""
    typed = '[{"x": 0.25, "y": 0.5, "width": 0.5, "height": 0.25, "desc": "cat"}]'
    assert written_boxes(typed, CANVAS) == written_boxes("0.25 0.5 0.5 0.25: cat", CANVAS)
    pixel = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0}
    assert drawn_boxes(pixel, CANVAS, "bboxes")[0][0].box == (0, 0, 1 / 200, 1 / 100)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0 0 50 50: cat\n10 10 20: dog", "'10 10 20: dog' is not of the form"),
        ("[{", "no valid JSON"),
        ("0 0 50 50\n150 0 100 50: cat", "box 2 goes from .* beyond the canvas"),
        ("0.5 0 0.6 1: cat", r"box 1 goes from .* to \(1.1, 1\) in fractions .* Move it inside"),
    ],
)
def test_unreadable_text_is_refused(text, complaint):
    """With the line in question."""
    with pytest.raises(ValueError, match=complaint):
        written_boxes(text, CANVAS)


@pytest.mark.parametrize(
    "text", ["0.667 0 0.334 1: cat", '[{"bbox": [0, 0, 1000, 1001]}]', "10 10 20 20: cat"]
)
def test_what_a_run_accepts_is_not_refused_before_it(text):
    """A pixel over the edge, when nobody knows yet how large a pixel is."""
    assert written_boxes(text, CANVAS) and written_boxes(text, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "one", True, None, [1]])
def test_sides_are_numbers(value):
    """Neither NaN nor infinite, nor what only looks like a number."""
    with pytest.raises(ValueError, match=r"^bboxes: box 1 has .* where four numbers should be"):
        drawn_boxes([{**PIXELS, "width": value}], CANVAS, "bboxes")
    with pytest.raises(ValueError, match=r"^elements: box 1 has .* where four numbers should be"):
        drawn_boxes([{"bbox": [0, 0, 500, value]}], CANVAS, "elements")


@pytest.mark.parametrize("bbox", ["1234", {1: 1, 2: 2, 3: 3, 4: 4}, 7])
def test_an_element_has_a_list(bbox):
    """Four letters or four keys are no corners."""
    with pytest.raises(ValueError, match=r"^elements: box 1 has .* where four numbers should be"):
        drawn_boxes([{"bbox": bbox}], CANVAS, "elements")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000 + "]" * 3000,
        "[" * 900 + "]" * 900,
        '{"x": ' * 3000 + "1" + "}" * 3000,
        '[{"x": 0, "y": 0, "width": NaN, "height": 9}]',
        '[{"x": 0, "y": 0, "width": 1e400, "height": 9}]',
        '[{"x": 0, "y": 0, "width": ' + "9" * 5000 + ', "height": 9}]',
        f"0 0 {'9' * 400} 9: cat",
        f"0 0 {'9' * 40000} 9 9: cat",
    ],
)
def test_endless_text_is_refused(text):
    """Nesting and numbers beyond all bounds get a short sentence."""
    with pytest.raises(ValueError, match=r"^boxes: ") as error:
        written_boxes(text, CANVAS)
    assert len(str(error.value)) < 400


NUMBERS = st.floats(width=32) | st.integers(-500, 500)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "y", "width", "height", "bbox", "desc", "metadata"]), inside)
    ),
    max_leaves=12,
)
TEXTS = VALUES.map(json.dumps) | st.text(alphabet='0123456789.-+ ,:\n[]{}"abe', max_size=60)
QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@QUICK
@given(TEXTS | st.lists(st.lists(NUMBERS, min_size=4, max_size=4), max_size=3).map(str))
def test_any_text_is_boxes_or_a_sentence(text):
    """Whatever is written: boxes that lie in the picture, or an error that names the input."""
    try:
        frames = written_boxes(text, CANVAS)
    except ValueError as error:
        assert str(error).startswith("boxes: ")
        return
    assert bool(written_boxes(text, None)) == bool(frames)
    for x0, y0, x1, y1 in (drawn.box for frame in frames for drawn in frame):
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def test_boxes_say_which_they_are():
    """By number and, where there are several, by image; images are counted from 0."""
    text = "0 0 9 9: a\n---\n0 0 9 9: b\n0 0 9 9"
    assert [drawn.where for frame in written_boxes(text, CANVAS) for drawn in frame] == [
        "boxes: box 1 of image 0",
        "boxes: box 1 of image 1",
        "boxes: box 2 of image 1",
    ]
    [[drawn]] = drawn_boxes(PIXELS, CANVAS, "bboxes")
    assert drawn.where == "bboxes: box 1"
    with pytest.raises(ValueError, match=r"^bboxes: box 1 of image 1 is 0 pixels wide"):
        drawn_boxes([[PIXELS], [{**PIXELS, "width": 0}]], CANVAS, "bboxes")
