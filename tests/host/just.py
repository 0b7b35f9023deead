"""A method that is nothing but its parts, for tests of what the host does with a part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.method import Method, Part


@dataclass(frozen=True)
class Just(Method):
    """The same parts in every run, so that a test can look into them afterwards."""

    label: ClassVar[str] = "Just"
    parts: Sequence[Part]

    def begin(self, batch: Batch) -> Sequence[Part]:
        return self.parts
