"""An attention call that holds text and picture, or of which no mark has told, through the parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .....attention_patches.attention.attention import attention
from .....attention_patches.attention.joint import JointCall, chain_of_views
from .....attention_patches.attention.row_groups import RowGroup, row_groups
from .....attention_patches.contract.attention_part import AttentionPart
from .....attention_patches.contract.call.qkv import QKV
from .....attention_patches.contract.call.site import Site
from ...families.family import Seen
from .backend import HostCall


def why_foreign(seen: Seen, host: HostCall, rows: int) -> str | None:
    """Why the tensors of a call are not those that its family expects."""
    own_rows, queries, keys = host.size
    if own_rows != rows:
        return f"another patch has made {own_rows} rows of {rows}"
    expected = sum(part.tokens for part in seen.parts)
    wanted = seen.queries.stop - seen.queries.start
    cells = seen.grid[0] * seen.grid[1]
    if len(seen.parts) == 1 and queries != wanted and keys == expected:  # as Wan's reference pictures have
        return f"it has {queries} queries, and the picture has {cells} tokens"
    if keys != expected or queries < seen.queries.stop or wanted != cells:
        names = ", ".join(f"{part.tokens} of {part.name}" for part in seen.parts)
        return f"another patch attends to other tokens ({keys} keys where there should be {names})"
    return None


@dataclass(eq=False)
class SeenAttention:
    """One call of the host's attention; what nobody touches is the host's own call, to the bit.

    So are, on the processor, the rows that nobody touches: they are computed with all their queries at once,
    as sums of other numbers of queries may be rounded otherwise.
    """

    host: HostCall
    seen: Seen
    plain: Tensor | None = None  # the host's own result, if it was asked for
    given: Tensor | None = None  # the picture's part of it
    alone: tuple[RowGroup, Tensor] | None = None  # rows that nobody touches, and what all their queries get

    def through(self, seen: Sequence[tuple[AttentionPart, Site]]) -> Tensor:
        """The result in the host's layout."""
        call = JointCall(self.host.qkv(), self.seen.parts, self.seen.queries)
        out = chain_of_views(seen, call, lambda qkv: self._attend(call, qkv))(call.plain)
        if out is self.given and self.plain is not None:
            return self.plain
        if out.shape[2] == call.whole.q.shape[2]:
            return self.host.finish(out)
        others = attention(call.others, self.host.backend, self.host.wider)
        if self.alone is not None:
            group, result = self.alone
            group.put(call.of_others(result), others)
        return self.host.finish(call.joined(others, out))

    def _attend(self, call: JointCall, qkv: QKV) -> Tensor:
        """What the picture's queries get, (B, H, N, d)."""
        home = call.home(qkv)
        if not call.untouched(home):
            out = attention(home, self.host.backend, self.host.wider)
            return self._with_rows_alone(call, home, out)
        if self.plain is None:
            self.plain = self.host.untouched()
            self.given = self.host.by_head(self.plain)[:, :, self.seen.queries]
        assert self.given is not None
        return self.given

    def _with_rows_alone(self, call: JointCall, home: QKV, out: Tensor) -> Tensor:
        if out.device.type != "cpu" or len(call.parts) == 1 or out.requires_grad:
            return out
        marks = call.rows_untouched(home)
        if not any(marks):
            return out
        group, whole = row_groups(marks, len(marks))[True], call.whole
        q, k, v = (group.join([x]) for x in (whole.q, whole.k, whole.v))
        bias = None if whole.bias is None else group.shared(whole.bias)
        self.alone = group, self.host.backend(q, k, v, bias)
        group.put(self.alone[1][:, :, self.seen.queries], out)
        return out
