"""The viewer's rules: what a caption says, which file answers, what a click does."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

Call = Callable[..., Any]

PAYLOAD = {
    "slices": [{"start": 0, "end": 0.5, "time": 0.9}, {"start": 0.5, "end": 1, "time": 0.618}],
    "layers": [
        {"ordinal": 10, "total": 70, "name": "output 4.1", "grid": [32, 32]},
        {"ordinal": 11, "total": 70, "name": "output 4.2", "grid": [16, 24]},
    ],
}


@pytest.mark.parametrize(
    ("time", "layer", "expected"),
    [
        (1, 0, "t 0.62 · layer 10 / 70 · output 4.1 · 32x32"),
        (0, 1, "t 0.90 · layer 11 / 70 · output 4.2 · 16x24"),
        (None, 1, "t mean · layer 11 / 70 · output 4.2 · 16x24"),
        (1, None, "t 0.62 · mean of 2 layers"),
        (None, None, "t mean · mean of 2 layers"),
    ],
)
def test_caption_names_time_and_layer(call: Call, time: Any, layer: Any, expected: str) -> None:
    """The place of both sliders in words, height before width."""
    assert call("caption", "placeText", PAYLOAD, time, layer) == expected


def entries(*places: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Atlases of self-attention by (layer, slice); layer 0 has the coarser grid."""
    return [{"layer": a, "slice": b, "grid": [8, 8] if a == 0 else [16, 16]} for a, b in places]


@pytest.mark.parametrize(
    ("sent", "wanted", "found"),
    [
        ([(0, None), (0, 1), (1, None), (1, 1)], (0, 1), (0, 1)),
        ([(0, None), (1, None), (1, 1)], (0, 1), (0, None)),
        ([(None, None), (None, 1), (0, None)], (None, 1), (None, 1)),
        ([(0, None), (1, None), (2, None)], (None, None), (2, None)),
        ([(0, 0), (0, None)], (0, 1), (0, None)),
        ([(0, 1)], (0, 0), (0, 1)),
    ],
)
def test_self_attention_falls_back_to_what_was_sent(call: Call, sent: Any, wanted: Any, found: Any) -> None:
    """To the layer's mean over time; without a layer, to the finest grid's mean or its last layer."""
    atlas = call("payload", "selfAtlas", entries(*sent), *wanted)
    assert (atlas["layer"], atlas["slice"]) == found


@pytest.mark.parametrize(("layout", "matches", "grid"), [("match", 1, 8), ("match", 0, 16), ("side", 1, 16)])
def test_crosshair_keeps_to_the_grid_of_what_is_shown(
    call: Call, layout: str, matches: int, grid: int
) -> None:
    """To that of the counterparts, where there are any to show."""
    matched = [{**entry, "other": 1} for entry in entries((0, None))]
    image = {"self": entries((1, None)), "cross": [], "correspondence": matched * matches}
    view = {"payload": {"images": [image]}, "image": 0, "other": None, "layer": None, "time": None}
    assert call("scene", "gridAt", {**view, "layout": layout}) == [grid, grid]


def test_fallback_is_said(call: Call) -> None:
    """What differs from the sliders is named, and nothing else."""
    said = functools.partial(call, "caption", "fallbackText", PAYLOAD)
    assert said({"layer": 0, "slice": 1}, {"layer": 0, "slice": 1}) == ""
    assert said({"layer": 0, "slice": 1}, {"layer": 0, "slice": None}) == "mean over time"
    assert said({"layer": None, "slice": None}, {"layer": 1, "slice": None}) == "layer 11 / 70"
    assert said({"layer": 1}, {"layer": None}) == "mean of the layers"


def test_pins_follow_clicks(call: Call) -> None:
    """A click keeps one word or lets the only one go; shift puts in and takes out, in the prompt's order."""
    click = functools.partial(call, "view", "pinned")
    assert click([], 2, False) == [2] and click([2], 2, False) == []
    assert click([1, 2], 2, False) == [2] and click([1, 2], 0, False) == [0]
    assert click([2], 0, True) == [0, 2] and click([0, 2], 2, True) == [0] and click([2], 2, True) == []


def test_only_a_known_payload_is_shown(call: Call) -> None:
    """Another version, no pictures or another node's output are left alone."""
    good = {"version": 1, "images": [{}]}
    assert call("payload", "payloadOf", {"attention_maps": [good]}) == good
    for other in ({"attention_maps": [{**good, "version": 2}]}, {"images": []}, None):
        assert call("payload", "payloadOf", other) is None
    assert call("payload", "payloadOf", {"attention_maps": [{**good, "images": []}]}) is None


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({}, {"layer": "all", "time": "all"}),
        (
            {"pinnedWords": [0, 2], "time": 1},
            {"layer": "all", "time": "2", "mode": "words", "words": "cat, cat#2"},
        ),
        (
            {"pinnedPoint": [1 / 3, 0.25], "layer": 1},
            {"layer": "11", "time": "all", "mode": "self", "point_image": 0},
        ),
        (
            {"pinnedPoint": [1 / 3, 0.25], "layer": 0, "time": 1},  # whose self-attention was not kept
            {"layer": "11", "time": "all", "mode": "self", "point_image": 0},
        ),
        (
            {"pinnedPoint": [1 / 3, 0.25], "layout": "match"},  # of a picture without counterparts
            {"layer": "all", "time": "all", "mode": "self", "point_image": 0},
        ),
        (
            {"pinnedPoint": [1 / 3, 0.25], "pinnedWords": [1], "layout": "match", "image": 2},
            {"layer": "all", "time": "all", "mode": "correspondence", "point_image": 2},
        ),
    ],
)
def test_what_is_kept_becomes_inputs(call: Call, kept: dict[str, Any], expected: dict[str, Any]) -> None:
    """Layers by their number in the model, slices from 1; a kept place goes before words, as in the node."""
    if "pinnedPoint" in kept:
        expected = {**expected, "x": 0.333, "y": 0.25}
    alone = {"self": entries((1, None)), "correspondence": []}
    paired = {**alone, "correspondence": entries((1, None))}
    words = [{"text": text} for text in ("cat", "red", "cat#2")]
    payload = {**PAYLOAD, "words": words, "images": [alone, alone, paired]}
    nothing = {
        "time": None,
        "layer": None,
        "pinnedPoint": None,
        "pinnedWords": [],
        "layout": "single",
        "image": 0,
    }
    assert call("outputs", "inputsOf", {"payload": payload, **nothing, **kept}) == expected


@pytest.mark.parametrize(
    ("mode", "chosen", "found", "expected"),
    [
        ("correspondence", "single", True, "match"),
        ("correspondence", "single", False, "single"),
        ("correspondence", "match", False, "single"),
        ("self", "match", True, "match"),
        ("self", "match", False, "single"),
        ("words", "side", False, "side"),
    ],
)
def test_counterparts_are_shown_where_there_are_any(
    call: Call, mode: str, chosen: str, found: bool, expected: str
) -> None:
    """Whatever was chosen in the view before."""
    images = [{"correspondence": entries((0, None)) if found else []}]
    payload = {**PAYLOAD, "mode": mode, "words": [], "images": images, "time": None, "layer": None}
    settings = {"opacity": 1, "layout": chosen, "colormap": "magma"}
    assert call("view", "viewOf", payload, settings, None, {})["layout"] == expected
