"""How a method gets a part with a mistake."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar

from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.method import Method, Part


class Broken(Method):
    """Has `at_work`, a subclass of one of the method's parts, in place of that part. For a method besides."""

    at_work: ClassVar[type[Any]]

    def begin(self, batch: Batch) -> Sequence[Part]:
        parts = super().begin(batch)
        assert any(type(part) in self.at_work.__mro__ for part in parts), "the part is not there"
        return [self._at_work(part) if type(part) in self.at_work.__mro__ else part for part in parts]

    def _at_work(self, part: Any) -> Any:
        return self.at_work(**{field.name: getattr(part, field.name) for field in fields(part)})
