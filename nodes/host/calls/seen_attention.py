"""An attention call that holds text and picture, or of which no mark has told, through the parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ....attention_patches.attention.attention import attention
from ....attention_patches.attention.joint import JointCall, chain_of_views
from ....attention_patches.contract.attention_part import AttentionPart
from ....attention_patches.contract.qkv import QKV
from ....attention_patches.contract.site import Site
from ..families.family import Seen
from .backend import HostCall


def why_foreign(seen: Seen, host: HostCall, rows: int) -> str | None:
    """Why the tensors of a call are not those that its family expects."""
    own_rows, queries, keys = host.size
    if own_rows != rows:
        return f"another patch has made {own_rows} rows of {rows}"
    expected = sum(part.tokens for part in seen.parts)
    wanted = seen.queries.stop - seen.queries.start
    cells = seen.grid[0] * seen.grid[1]
    if keys != expected or queries < seen.queries.stop or wanted != cells:
        names = ", ".join(f"{part.tokens} of {part.name}" for part in seen.parts)
        return f"another patch attends to other tokens ({keys} keys where there should be {names})"
    return None


@dataclass(eq=False)
class SeenAttention:
    """One call of the host's attention; what nobody touches is the host's own call, to the bit."""

    host: HostCall
    seen: Seen
    plain: Tensor | None = None  # the host's own result, if it was asked for
    given: Tensor | None = None  # the picture's part of it

    def through(self, seen: Sequence[tuple[AttentionPart, Site]]) -> Tensor:
        """The result in the host's layout."""
        call = JointCall(self.host.qkv(), self.seen.parts, self.seen.queries)

        def innermost(qkv: QKV) -> Tensor:
            home = call.home(qkv)
            if not call.untouched(home):
                return attention(home, self.host.backend, self.host.wider)
            if self.plain is None:
                self.plain = self.host.untouched()
                self.given = self.host.by_head(self.plain)[:, :, self.seen.queries]
            assert self.given is not None
            return self.given

        out = chain_of_views(seen, call, innermost)(call.plain)
        if out is self.given and self.plain is not None:
            return self.plain
        if out.shape[2] == call.whole.q.shape[2]:
            return self.host.finish(out)
        others = attention(call.others, self.host.backend, self.host.wider)
        return self.host.finish(call.joined(others, out))
