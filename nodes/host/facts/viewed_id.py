"""How a conditioning is known in a view of the picture."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ....attention_patches.contract.call.site import Window
from ....attention_patches.contract.views import Cells
from .texts import Size


@dataclass(frozen=True)
class ViewedId:
    """The host's identity of a conditioning in a view: which one, the cells that it holds there, the area of
    the picture that it is for, the picture's size, among which region's prompts it is, and how much of the
    picture each of the cells is."""

    of: Any
    cells: Cells
    extent: Cells
    size: Size
    region: int | None
    share: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def window(self) -> Window:
        return self.cells.window(self.size)
