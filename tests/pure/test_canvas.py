"""Boxes on a canvas that is not the picture's: what is doubted, and what is not."""

import pytest
from attention_control.attention_patches.layout.canvas import doubt_of_canvas
from attention_control.attention_patches.layout.regions import Layout, Subject

CORNER, REST = (0.0, 0.0, 0.2, 0.25), (0.05, 0.1, 0.25, 0.25)  # of 512 pixels: within 128 of them


def doubt(*boxes, canvas=(512, 512), picture=(128, 128)):
    subjects = tuple(Subject(f"subject {n}", (n,), (box,)) for n, box in enumerate(boxes, start=1))
    return doubt_of_canvas(Layout((subjects,), canvas=canvas), picture)


@pytest.mark.parametrize(
    ("boxes", "sizes", "said"),
    [
        ([CORNER, REST], {}, "all boxes lie in its upper left 128 x 128 pixels. Set `width` and `height`"),
        ([CORNER, (0.5, 0.5, 1.0, 1.0)], {}, None),  # a canvas of another scale
        ([CORNER, REST], {"picture": (512, 512)}, None),
        ([CORNER, REST], {"canvas": None}, None),  # fractions
        ([CORNER, REST], {"picture": (1024, 1024)}, None),
        ([(0.5, 0.5, 1.0, 1.0)], {"picture": (768, 512)}, "they are stretched by 1.5."),
        ([(0.5, 0.5, 1.0, 1.0)], {"canvas": (512, 520)}, None),  # rounded
        (
            [CORNER, (0.5, 0.5, 0.53, 0.6)],
            {},
            "nothing of the picture is the box of subject 2 (0.3%)",
        ),
    ],
)
def test_what_is_doubted(boxes, sizes, said):
    """A canvas left at 512, another aspect ratio, a box of a few pixels; and nothing that may be meant."""
    found = doubt(*boxes, **sizes)
    assert (found is None) if said is None else said in found
