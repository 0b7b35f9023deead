"""Mistakes in maps and shapes that images take of another one."""

from dataclasses import dataclass, field, replace

import torch
from attention_control.attention_patches.methods.prompt_to_prompt.control import Control
from attention_control.attention_patches.methods.prompt_to_prompt.edits import Tables
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt

from .at_work import Broken, Floats
from .ranges import WorksInTheWholeRange


@dataclass(frozen=True, kw_only=True)
class IgnoresItsRange(WorksInTheWholeRange, PromptToPrompt):
    """Works in an empty range."""


class EditsTheFirstChunk(Broken, PromptToPrompt):
    """Believes that the first rows of a call are the positive prompt's."""

    class at_work(Control):
        def _chunks(self, rows):
            text = next((text for text in rows.texts if text is not None), None)
            if text is not None:
                yield text, rows.chunks[0]


class TakesTheLastEdit(Broken, PromptToPrompt):
    """Takes queries and keys of the last image for those of the source."""

    class at_work(Control):
        def _with_the_sources(self, site, qkv):
            turned = replace(qkv, q=qkv.q.flip(0), k=qkv.k.flip(0))
            held = super()._with_the_sources(replace(site, rows=_flipped(site.rows)), turned)
            return replace(held, q=held.q.flip(0), k=held.k.flip(0))


def _flipped(rows):
    return replace(rows, texts=rows.texts[::-1], windows=rows.windows[::-1])


class RewritesTheSource(Broken, PromptToPrompt):
    """Lets the source's own map go through the edits, where it stays the same but for rounding."""

    class at_work(Control):
        def __call__(self, site, qkv, attend):
            if site.kind == "cross":
                first = [row % site.rows.images == 0 for row in range(site.rows.total)]
                qkv = qkv.edit_map(lambda map_, _: map_, rows=first)
            return super().__call__(site, qkv, attend)


class AssumesSquare(Broken, PromptToPrompt):
    """Holds the shapes of a square of cells."""

    class at_work(Control):
        def _with_the_sources(self, site, qkv):
            held, side = super()._with_the_sources(site, qkv), int(qkv.q.shape[2] ** 0.5)
            held.q[:, :, side * side :] = qkv.q[:, :, side * side :]
            return held


class Remembers(Broken, PromptToPrompt):
    """Adds a little of the keys of the run before."""

    class at_work(Control):
        memory = {}  # noqa: RUF012  the mistake in question

        def _with_the_sources(self, site, qkv):
            held = super()._with_the_sources(site, qkv)
            last = self.memory.get(site.layer.ordinal)
            self.memory[site.layer.ordinal] = qkv.k
            fits = last is not None and last.shape == qkv.k.shape
            return replace(held, k=held.k + 0.01 * last) if fits else held


class StartsLate(Broken, PromptToPrompt):
    """Does not start where its range begins late, so neighbours leave a gap."""

    @dataclass(kw_only=True)
    class at_work(Control):
        late: bool = False

        def wants(self, site):
            return super().wants(site) and not self.late

    def _at_work(self, part):
        return replace(super()._at_work(part), late=self.during.start > 0)


class Renormalises(Broken, PromptToPrompt):
    """Divides the edited maps by their sums."""

    class at_work(Control):
        def _tables(self, percent, tokens, device):
            tables = super()._tables(percent, tokens, device)
            return Normed(tables.images, tables.mixed, tables.kept)


class Normed(Tables):
    def edited(self, source, own):
        edited = super().edited(source, own)
        return edited / edited.sum(-1, keepdim=True).clamp_min(1e-3)


class RollsDice(Broken, PromptToPrompt):
    """Adds a little noise from the global generator."""

    class at_work(Control):
        def _with_the_sources(self, site, qkv):
            held = super()._with_the_sources(site, qkv)
            return replace(held, k=held.k + 1e-3 * torch.randn_like(held.k))


class CountsSteps(Broken, PromptToPrompt):
    """Works in the first step of each run."""

    @dataclass(kw_only=True)
    class at_work(Control):
        first: list[float] = field(default_factory=list)

        def wants(self, site):
            self.first.append(site.sigma)
            return super().wants(site) and site.sigma == self.first[0]


class ReturnsFloat(Broken, PromptToPrompt):
    """Forgets to return to the dtype it was given."""

    class at_work(Floats, Control):
        pass
