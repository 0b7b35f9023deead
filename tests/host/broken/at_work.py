"""How a method gets a part with a mistake."""

from collections.abc import Sequence
from dataclasses import fields, replace
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


class RemembersKeys:
    """Of a part at work: adds a little of the keys of the run before. `memory` is the class's own."""

    memory: ClassVar[dict[int, Any]]

    def __call__(self, site: Any, qkv: Any, attend: Any) -> Any:
        last = self.memory.get(site.layer.ordinal)
        self.memory[site.layer.ordinal] = qkv.k
        fits = last is not None and last.shape == qkv.k.shape
        return super().__call__(site, replace(qkv, k=qkv.k + 0.01 * last) if fits else qkv, attend)


class Floats:
    """Of a part at work: forgets to return to the dtype it was given."""

    def __call__(self, site: Any, qkv: Any, attend: Any) -> Any:
        return super().__call__(site, qkv, attend).float()
