"""Where the subjects of a prompt should be: boxes or masks for each image of a batch, on any layer's grid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..contract.call.site import WHOLE_PICTURE, Prompt, Text, Window
from .cells import Box, covered_cells, crop, cut, span

NOT_THIS_PROMPT = (
    "the prompt of its boxes is not among the positive conditionings; connect the node's own CONDITIONING, "
    "or one of the same prompt"
)


@dataclass(frozen=True)
class Subject:
    """One thing in one image: its words, and where it should be: in its boxes, or where its mask covers a
    cell to a half; of a mask that covers none so far, where it covers most.

    Two things of the same words are two subjects. Raises ValueError without a box or a mask, or for a box
    that is empty or not within the picture.
    """

    phrase: str
    token_positions: tuple[int, ...]  # on the key axis of cross-attention; the last is the leading one
    boxes: tuple[Box, ...] = ()
    mask: Tensor | None = field(default=None, compare=False)  # (H, W) in 0..1, of any size

    def __post_init__(self) -> None:
        if not self.boxes and self.mask is None:
            raise ValueError(f"subject {self.phrase!r} has neither a box nor a mask")
        for x0, y0, x1, y1 in self.boxes:
            if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
                raise ValueError(
                    f"the box of {self.phrase!r} goes from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}); it must lie "
                    "within the picture, which goes from (0, 0) to (1, 1), and be wider and higher than 0"
                )

    @property
    def leading(self) -> int:
        """The token whose map says most about the subject: in English the noun stands last."""
        return self.token_positions[-1]

    def within(self, window: Window) -> "Subject | None":
        """The subject as it lies in a part of the picture; None if it does not reach into it."""
        if window.whole:
            return self
        boxes = tuple(box for whole in self.boxes for box in cut(whole, window))
        mask = None if self.mask is None else crop(self.mask, window)
        mask = mask if mask is not None and mask.any() else None
        return replace(self, boxes=boxes, mask=mask) if boxes or mask is not None else None

    def cells(self, grid: tuple[int, int]) -> Tensor:
        """(h, w) bool: the cells of the grid that belong to the subject, at least one."""
        covered = torch.zeros(grid, dtype=torch.bool) if self.mask is None else covered_cells(self.mask, grid)
        for x0, y0, x1, y1 in self.boxes:
            covered[span(y0, y1, grid[0]), span(x0, x1, grid[1])] = True
        return covered


@dataclass(frozen=True)
class Layout:
    """The subjects of every image of a batch, and the tokens of their prompt that belong to none of them.

    `images[i]` are the subjects of image i; a single entry counts for all images. `fillers` are the tokens
    of words that name nothing, `ends` the first end token of each of the text's chunks. `prompt` is what the
    tokens are counted in; None stands for every positive one. `canvas` is (width, height) of what the boxes
    were measured on, in pixels; None if in fractions, or if there are masks.
    """

    images: tuple[tuple[Subject, ...], ...]
    fillers: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    prompt: Prompt | None = None
    canvas: tuple[int, int] | None = None

    @property
    def empty(self) -> bool:
        return not any(self.images)

    def check(self, images: int) -> None:
        """Raises ValueError unless there is one layout for all of so many images, or one for each."""
        if len(self.images) not in (1, images):
            raise ValueError(
                f"there are boxes for {len(self.images)} images, but the latent batch has {images}. Give "
                f"boxes for one image, which then count for all, or for each of the {images}."
            )

    def missing(self, texts: Iterable[Text]) -> str | None:
        """Why none of a run's texts is the prompt of this layout; None if one is.

        Raises ValueError if such a text is too short to hold the subjects' words.
        """
        own = [text for text in texts if text.of(self.prompt)]
        last = max((p for subjects in self.images for s in subjects for p in s.token_positions), default=0)
        for text in own:
            if last >= text.tokens:
                raise ValueError(
                    f"The positive conditioning has {text.tokens} tokens, but a subject is token {last} of "
                    "the prompt. Connect the node's own CONDITIONING to the sampler, or one of the same "
                    "prompt."
                )
        return None if own else NOT_THIS_PROMPT

    def subjects(self, image: int) -> tuple[Subject, ...]:
        """Of one image of the batch, counted from 0."""
        return self.images[0] if len(self.images) == 1 else self.images[image]

    def joined(self) -> "Layout":
        """Subjects of the same tokens as one, in all their places: for methods that know only words."""
        return replace(self, images=tuple(tuple(_joined(subjects)) for subjects in self.images))

    def masks(self, grid: tuple[int, int], image: int, window: Window = WHOLE_PICTURE) -> Tensor:
        """(S, h * w) float32, 0 or 1: the cells of each subject of an image on the grid (h, w) of a part of
        the picture, row by row; none for a subject that is not there."""
        found = [subject.within(window) for subject in self.subjects(image)]
        cells = [
            torch.zeros(grid, dtype=torch.bool) if subject is None else subject.cells(grid)
            for subject in found
        ]
        return torch.stack(cells).flatten(1).float() if cells else torch.zeros(0, grid[0] * grid[1])


def _joined(subjects: tuple[Subject, ...]) -> Iterator[Subject]:
    groups: dict[tuple[int, ...], list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(subject.token_positions, []).append(subject)
    for same in groups.values():
        masks = [subject.mask for subject in same if subject.mask is not None]
        boxes = tuple(box for subject in same for box in subject.boxes)
        yield replace(same[0], boxes=boxes, mask=torch.stack(masks).amax(0) if masks else None)
