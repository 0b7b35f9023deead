"""Boxes and subjects: the inputs that three nodes share, and the layout made of them."""

from dataclasses import dataclass, replace
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...attention_patches.layout.regions import Layout, Subject
from ...attention_patches.layout.subject_tokens import filler_positions, text_ends
from ...attention_patches.text.lists import phrases_of
from ..host.text.clip_tokens import prompt_tokens
from ..inputs.pictures_and_masks import read_masks
from .boxes import LARGEST, Drawn, drawn_boxes, written_boxes
from .named_subjects import masked, named, positions_of

# by name, because older hosts have no such classes
BoundingBox = io.Custom("BOUNDING_BOX")
Array = io.Custom("ARRAY")


def layout_inputs() -> list[Any]:
    """Where what should be; `clip` and `prompt` are inputs of the nodes themselves."""
    return [
        io.String.Input(
            "boxes",
            default="",
            multiline=True,
            tooltip=(
                "Boxes as text, one a line: `x y w h: phrase`, as in `64 128 192 256: ginger kitten`, in "
                "pixels of the canvas, or as fractions if none of the four is above 1. `---` begins the next "
                "image's. Or JSON. Leave empty if boxes are connected."
            ),
        ),
        io.String.Input(
            "subjects",
            default="",
            multiline=True,
            tooltip=(
                "One phrase of the prompt for each box, in their order, one a line or comma-separated. "
                "Several boxes may share a phrase: write it again for each. cat#2 is the second cat of the "
                "prompt. Empty: the descriptions that come with the boxes."
            ),
        ),
        io.Int.Input(
            "width",
            default=512,
            min=1,
            max=LARGEST,
            tooltip="Width of the canvas in which the boxes are drawn, in pixels.",
        ),
        io.Int.Input("height", default=512, min=1, max=LARGEST, tooltip="Height of that canvas, in pixels."),
        BoundingBox.Input(
            "bboxes",
            optional=True,
            extra_dict={"forceInput": True},
            tooltip="Boxes from Create Bounding Boxes or a detector; also a list for each image.",
        ),
        Array.Input(
            "elements",
            optional=True,
            tooltip="From Create Bounding Boxes: its boxes, with their descriptions as subjects.",
        ),
        io.Mask.Input(
            "masks",
            optional=True,
            tooltip=(
                "Masks instead of boxes: one for each subject, in their order; for several images all of the "
                "first image, then of the second, ..."
            ),
        ),
        io.String.Input(
            "more_filler_words",
            default="",
            advanced=True,
            tooltip=(
                "Further words that name nothing in the picture and that nothing should attend to, besides "
                "the usual English ones (articles, conjunctions, prepositions, counts)."
            ),
        ),
    ]


@dataclass(frozen=True)
class LayoutInputs:
    """What arrived at a node's layout inputs."""

    boxes: str = ""
    subjects: str = ""
    width: int = 512
    height: int = 512
    bboxes: Any = None
    elements: Any = None
    masks: Tensor | None = None
    more_filler_words: str = ""

    def read(self, clip: Any, prompt: str) -> Layout:
        """The layout; it is empty if there are neither boxes nor masks.

        Raises ValueError, naming the input, for what does not fit together or is not in the prompt.
        """
        tokens = prompt_tokens(clip, prompt)
        more = [word for phrase in phrases_of(self.more_filler_words) for word in phrase.split()]
        phrases = phrases_of(self.subjects)
        frames = self._frames()
        if self.masks is not None:
            if frames:
                raise ValueError(
                    "masks: there are boxes as well; disconnect the masks or leave out the boxes"
                )
            images = masked(read_masks(self.masks, "masks"), phrases, tokens, more)
        else:
            images = [
                tuple(
                    Subject(drawn.phrase, positions_of(tokens, drawn.phrase, more, drawn.where), (drawn.box,))
                    for drawn in frame
                )
                for frame in named(frames, phrases)
            ]
        measured = any(drawn.measured for frame in frames for drawn in frame)
        return Layout(
            tuple(images) or ((),),
            filler_positions(tokens, more),
            text_ends(tokens),
            canvas=(self.width, self.height) if measured else None,
        )

    def _frames(self) -> list[list[Drawn]]:
        """The boxes of each image; `elements` may come together with the `bboxes` that they describe."""
        canvas = (self.width, self.height)
        placed = drawn_boxes(self.bboxes, canvas, "bboxes")
        described = drawn_boxes(self.elements, canvas, "elements")
        written = written_boxes(self.boxes, canvas)
        if written and (placed or described):
            raise ValueError("boxes: boxes are connected as well; empty this text or disconnect those")
        if placed and described:
            if len(described) != 1 or any(len(frame) != len(described[0]) for frame in placed):
                raise ValueError(
                    f"elements: {sum(map(len, described))} elements, but bboxes has "
                    f"{' and '.join(str(len(frame)) for frame in placed)} boxes. Connect both outputs of one "
                    "node, or only one of them."
                )
            pairs = [zip(frame, described[0], strict=True) for frame in placed]
            return [
                [replace(element, box=box.box, measured=box.measured) for box, element in frame]
                for frame in pairs
            ]
        return placed or described or written


def fault_in_texts(boxes: str | None, subjects: str | None) -> str | None:
    """What can be said of `boxes` and `subjects` before anything runs; None of either that it is connected.

    Whether the boxes fit the canvas and the phrases the prompt is seen by `LayoutInputs.read`.
    """
    try:
        frames = written_boxes(boxes or "", canvas=None)
        if frames and subjects is not None:
            named(frames, phrases_of(subjects))
    except ValueError as error:
        return str(error)
    return None
