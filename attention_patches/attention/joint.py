"""A joint attention of text and picture, seen by parts as self- and as cross-attention of one softmax.

In a transformer for text and picture together the queries of all tokens look at the keys of all tokens. The
queries of the picture are what methods speak of. Seen as self-attention the picture's keys are the own ones,
seen as cross-attention the text's are; all other keys of the call are appended for all rows. To change the
view is to give the parts other places, nothing is computed. At the end the parts go back into the host's
order. The queries of text, padding and reference pictures stay as they are: AlignedGen's code (NeurIPS 2025)
lets text queries see shared keys as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from ..contract.attention_part import Attend, AttentionPart
from ..contract.call.qkv import QKV, Appended, EditOfMap, MapEdit
from ..contract.call.site import Kind, Site
from .chain import FROM_INSIDE
from .visible_keys import own_part

IMAGE, TEXT = "image", "text"
OWN: dict[Kind, str] = {"self": IMAGE, "cross": TEXT}


@dataclass(frozen=True)
class KeyPart:
    """A part of a call's key axis; the picture is called `IMAGE`, the text `TEXT`, and others by what they
    are."""

    name: str
    tokens: int


@dataclass(frozen=True, eq=False)
class JointCall:
    """One call of the host's attention: all its queries and keys, the parts of the key axis in the host's
    order, and which queries are the picture's."""

    whole: QKV
    parts: tuple[KeyPart, ...]
    queries: slice

    @cached_property
    def plain(self) -> QKV:
        """What the picture's queries attend to, in the host's order and with the first part as the own."""
        whole, start = self.whole, 0
        every = []
        for part in self.parts:
            keys = slice(start, start := start + part.tokens)
            bias = None if whole.bias is None else _of_queries(whole.bias, self.queries)[..., keys]
            rows = (True,) * whole.q.shape[0]
            every.append(Appended(whole.k[:, :, keys], whole.v[:, :, keys], bias, rows, (), part.name))
        q = whole.q if len(self.parts) == 1 else whole.q[:, :, self.queries]
        return _with_parts(replace(whole, q=q), every)

    @property
    def others(self) -> QKV:
        """The call of all other queries, with which nobody does anything."""
        bias = self.whole.bias
        if bias is not None and bias.shape[2] > 1:
            bias = self.of_others(bias)
        return replace(self.whole, q=self.of_others(self.whole.q), bias=bias)

    def of_others(self, x: Tensor) -> Tensor:
        """What of (B, H, N, ...) of all queries belongs to those that are not the picture's."""
        before, behind = x[:, :, : self.queries.start], x[:, :, self.queries.stop :]
        pieces = [piece for piece in (before, behind) if piece.shape[2]]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)

    def joined(self, others: Tensor, image: Tensor) -> Tensor:
        """(B, H, N, d) of all queries, from what the others and what the picture's have got."""
        start = self.queries.start
        pieces = [others[:, :, :start], image, others[:, :, start:]]
        return torch.cat([piece for piece in pieces if piece.shape[2]], dim=2)

    def seen_as(self, kind: Kind, qkv: QKV) -> QKV:
        """The same call in the view of this kind; the other parts are in the host's order."""
        own = OWN[kind]
        return arranged(qkv, [own, *(part.name for part in self.parts if part.name != own)])

    def home(self, qkv: QKV) -> QKV:
        """The same call in the host's order, with the host's own tensors where nothing has been changed."""
        ordered = arranged(qkv, [part.name for part in self.parts])
        count = len(self.parts) - 1
        pairs = zip(_parts_of(ordered)[: count + 1], _parts_of(self.plain), strict=True)
        if not all(_same(now, then) for now, then in pairs):
            return ordered
        whole = self.whole
        bias = None if whole.bias is None else _of_queries(whole.bias, self.queries)
        return replace(ordered, k=whole.k, v=whole.v, bias=bias, appended=ordered.appended[count:])

    def untouched(self, home: QKV) -> bool:
        """Whether a call in the host's order is what the host would compute."""
        return home.q is self.plain.q and home.k is self.whole.k and not (home.appended or home.edits)

    def rows_untouched(self, home: QKV) -> tuple[bool, ...]:
        """Which rows of a call in the host's order hold what they held, and see nothing else. It reads the
        tensors, so it is for the processor."""
        merged = home.k is self.whole.k
        named = 0 if merged else len(self.parts) - 1
        pairs = [] if merged else list(zip(_parts_of(home)[: named + 1], _parts_of(self.plain), strict=True))
        rows = range(home.q.shape[0])
        if any(now.bias is not then.bias or now.columns for now, then in pairs):
            return (False,) * len(rows)
        tensors = [(home.q, self.plain.q)]
        tensors += [pair for now, then in pairs for pair in ((now.k, then.k), (now.v, then.v))]
        changed = [(now, then) for now, then in tensors if now is not then]
        return tuple(
            not any(further.rows[row] for further in home.appended[named:])
            and not any(edit.changed(row) for edit in home.edits)
            and all(now.shape == then.shape and torch.equal(now[row], then[row]) for now, then in changed)
            for row in rows
        )


def chain_of_views(seen: Sequence[tuple[AttentionPart, Site]], call: JointCall, innermost: Attend) -> Attend:
    """The parts in the order of `chain`, each in the view of its site. A part that wants both is called for
    self-attention first, and for cross-attention inside of it."""
    attend = innermost
    by_order = sorted(seen, key=lambda one: FROM_INSIDE[one[0].order])
    for part, site in by_order:
        attend = partial(_in_view, part, site, call, attend)
    return attend


def _in_view(part: AttentionPart, site: Site, call: JointCall, attend: Attend, qkv: QKV) -> Tensor:
    return part(site, call.seen_as(site.kind, qkv), attend)


def arranged(qkv: QKV, order: Sequence[str]) -> QKV:
    """The same call with its named parts in this order, the first as the own one; what patches have appended
    follows. Edits see their maps as they were."""
    every = [own_part(qkv), *qkv.appended]
    places = {part.name: place for place, part in enumerate(every) if part.name}
    moved = [places[name] for name in order] + [i for i, part in enumerate(every) if not part.name]
    if moved == list(range(len(every))):
        return qkv
    widths = [part.k.shape[2] for part in every]
    edits = tuple(replace(edit, edit=_moved(edit, widths, moved)) for edit in qkv.edits)
    return replace(_with_parts(qkv, [every[place] for place in moved]), edits=edits)


def _with_parts(qkv: QKV, parts: Sequence[Appended]) -> QKV:
    own, *others = parts
    return replace(
        qkv, k=own.k, v=own.v, bias=own.bias, columns=own.columns, name=own.name, appended=tuple(others)
    )


def _moved(edit: MapEdit, widths: Sequence[int], moved: Sequence[int]) -> EditOfMap:
    """An edit of maps whose columns of these widths have been moved: place i holds what was in `moved[i]`."""
    back = [moved.index(place) for place in range(len(moved))]
    widths_now = [widths[place] for place in moved]

    def edited(map_: Tensor, queries: slice) -> Tensor:
        as_before = _columns(map_, widths_now, back)
        return _columns(edit.edit(as_before, queries), widths, moved)

    return edited


def _columns(map_: Tensor, widths: Sequence[int], order: Sequence[int]) -> Tensor:
    """The columns (..., M) of a map in another order of its parts; those behind all parts stay behind."""
    *pieces, rest = map_.split([*widths, map_.shape[-1] - sum(widths)], dim=-1)
    return torch.cat([*(pieces[place] for place in order), rest], dim=-1)


def _parts_of(qkv: QKV) -> list[Appended]:
    return [own_part(qkv), *qkv.appended]


def _same(now: Appended, then: Appended) -> bool:
    return now.k is then.k and now.v is then.v and now.bias is then.bias and not now.columns


def _of_queries(bias: Tensor, queries: slice) -> Tensor:
    return bias if bias.shape[2] == 1 else bias[:, :, queries]
