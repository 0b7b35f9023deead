"""A source prompt and its edits: their words found, aligned, weighed, and told of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ....attention_patches.methods.prompt_to_prompt.alignment import OWN, Alignment, Mode, align
from ....attention_patches.methods.prompt_to_prompt.blend import Blend
from ....attention_patches.methods.prompt_to_prompt.edits import Edit
from ....attention_patches.text.token_roles import EncodedPrompt
from .word_numbers import word_ends, word_lines, word_numbers


@dataclass(frozen=True)
class EditedPrompts:
    """`prompts` are encoded, the source first; `same[i]` says whether edit i is encoded as the source is."""

    prompts: tuple[EncodedPrompt, ...]
    same: tuple[bool, ...]
    mode: Mode
    until: float
    until_words: str = ""
    reweight: str = ""

    @property
    def source(self) -> EncodedPrompt:
        return self.prompts[0]

    @property
    def changed(self) -> tuple[EncodedPrompt, ...]:
        return self.prompts[1:]

    @cached_property
    def alignments(self) -> tuple[Alignment, ...]:
        """Of every edit. Raises ValueError that names the input for a swap that cannot be made."""
        found = []
        for edit, same in zip(self.changed, self.same, strict=True):
            try:
                found.append(align(self.source, edit, "off" if same else self.mode))
            except ValueError as error:
                raise ValueError(f"edit: {error}") from None
        return tuple(found)

    def edits(self) -> tuple[Edit, ...]:
        """What each edit takes of the source. Raises ValueError, naming the input, for words of no edit."""
        ends = self._by_token("cross_until_words", word_ends(self.until_words, "cross_until_words"))
        factors = self._by_token("reweight", word_numbers(self.reweight, "reweight"))
        return tuple(
            Edit(
                aligned.taken,
                tuple(end.get(token, self.until) for token in range(edit.length)),
                tuple(factor.get(token, 1.0) for token in range(edit.length)),
            )
            for edit, aligned, end, factor in zip(self.changed, self.alignments, ends, factors, strict=True)
        )

    def places(self, word: str) -> list[tuple[int, ...]]:
        """The tokens of the word in each edit; () where it is not."""
        return _found(self.changed, word)

    def _by_token(self, name: str, words: Mapping[str, float]) -> list[dict[int, float]]:
        """For each edit the numbers of its tokens."""
        by_edit: list[dict[int, float]] = [{} for _ in self.changed]
        for word, number in words.items():
            places = self.places(word)
            if not any(places):
                raise ValueError(f"{name}: {_missing(word, self.changed, 'no edit prompt')}")
            for tokens, positions in zip(by_edit, places, strict=True):
                tokens.update(dict.fromkeys(positions, number))
        return by_edit

    def blend(self, words: str, keep: str, threshold: float, start: float) -> Blend | None:
        """The blend by the words, None without any. Raises ValueError, naming the input, for words that are
        not there."""
        chosen, kept = self._places(words, "blend_words"), self._places(keep, "keep_words")
        if chosen is None:
            if kept is not None:
                raise ValueError(
                    "keep_words: they keep something out of the blend, and blend_words is empty. Write there "
                    "the words whose place may change."
                )
            return None
        return Blend(chosen, kept or ((),) * len(self.prompts), threshold, start)

    def _places(self, text: str, name: str) -> tuple[tuple[int, ...], ...] | None:
        """The tokens of each prompt's words."""
        lines = word_lines(text, len(self.prompts), name)
        if not lines:
            return None
        if len(lines) == 1 and len(self.prompts) > 1:
            return self._of_all(lines[0], name)
        places = []
        for number, (prompt, words) in enumerate(zip(self.prompts, lines, strict=True), start=1):
            try:
                places.append(_joined(prompt.tokens.find(word).positions for word in words))
            except ValueError as error:
                raise ValueError(f"{name}, line {number}: {error}") from None
        return tuple(places)

    def _of_all(self, words: Sequence[str], name: str) -> tuple[tuple[int, ...], ...]:
        """One line for all: each prompt has those that it holds."""
        places: list[list[tuple[int, ...]]] = []
        for word in words:
            found = _found(self.prompts, word)
            if not any(found):
                raise ValueError(f"{name}: {_missing(word, self.prompts, 'no prompt')}")
            places.append(found)
        return tuple(_joined(by_word) for by_word in zip(*places, strict=True))


def _found(prompts: Sequence[EncodedPrompt], word: str) -> list[tuple[int, ...]]:
    """Where each of the prompts has the word; () where it has not."""
    places: list[tuple[int, ...]] = []
    for prompt in prompts:
        try:
            places.append(prompt.tokens.find(word).positions)
        except ValueError:
            places.append(())
    return places


def _missing(word: str, prompts: Sequence[EncodedPrompt], where: str) -> str:
    have = dict.fromkeys(w.text for prompt in prompts for w in prompt.words)
    return (
        f"{word!r} is in {where}. They have: {', '.join(have) or 'no words'}. Write words as the prompts do; "
        "`cat#2` is the second `cat`."
    )


def _joined(places: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted({position for positions in places for position in positions}))


def describe(prompts: EditedPrompts, blend: Blend | None) -> str:
    """A line for each image: how its prompt was aligned, what is weighed, what may change."""
    lines = [f"Image 0, the source: {_line(prompts.source)}{_places(prompts.source, blend, 0)}"]
    for image, (edit, aligned) in enumerate(zip(prompts.edits(), prompts.alignments, strict=True), start=1):
        prompt = prompts.changed[image - 1]
        same = prompts.same[image - 1]
        told = "as the source" if same else _told(prompts.source, prompt, aligned, edit)
        weighed = "".join(
            f"; {word.text} x {edit.factors[word.positions[0]]:g}{_idle(edit, word.positions)}"
            for word in prompt.words
            if edit.factors[word.positions[0]] != 1.0
        )
        lines.append(f"Image {image}, {told}{weighed}: {_line(prompt)}{_places(prompt, blend, image)}")
    return "\n".join(lines)


def _line(prompt: EncodedPrompt) -> str:
    """What is written, without line breaks."""
    return " ".join(prompt.tokens.prompt.split())


def _told(source: EncodedPrompt, edit: EncodedPrompt, aligned: Alignment, change: Edit) -> str:
    if aligned.mode == "off":
        return "not aligned"
    idle = _idle(change, [token for token, taken in enumerate(aligned.taken) if taken.tokens])
    if aligned.mode == "swap":
        pairs = [
            f"{ours.text} -> {theirs.text}{'' if idle else _idle(change, theirs.positions)}"
            for ours, theirs in zip(source.words, edit.words, strict=True)
            if source.spelled(ours) != edit.spelled(theirs)
        ]
        return f"swap ({', '.join(pairs) or 'no word'}){idle}"
    new = [word.text for word in edit.words if all(aligned.taken[p] == OWN for p in word.positions)]
    return f"refine (new: {', '.join(new) or 'no word'}){idle}"


def _idle(change: Edit, tokens: Sequence[int]) -> str:
    """What to add where something is taken or weighed, if that ends before it begins."""
    acting = change.acting(0.0)
    return "" if any(acting[token] for token in tokens) else " without effect, its end is 0"


def _places(prompt: EncodedPrompt, blend: Blend | None, image: int) -> str:
    """The words whose place may change."""
    if blend is None:
        return ""
    words = [word.text for word in prompt.words if set(word.positions) & set(blend.words[image])]
    return f" (may change: {', '.join(words) or 'nothing of its own'})"
