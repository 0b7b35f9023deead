"""What a node understood of its boxes and its prompt, as text."""

from collections.abc import Collection, Iterator

from ...attention_patches.layout.regions import Layout, Subject
from ...attention_patches.methods.bounded_attention.method import BoundedAttention
from ...attention_patches.text.words import PromptTokens
from ..host.families.family import ANY_SIZE, Family


def describe(layout: Layout, tokens: PromptTokens) -> str:
    """Each subject with its words, tokens and place, and the words that nothing attends to."""
    if layout.empty:
        return "There are no boxes: the node is off."
    lines: list[str] = []
    for image, subjects in enumerate(layout.images):
        if len(layout.images) > 1:
            lines.append(f"Image {image}:")
        lines += [f"{number} {_subject(subject, tokens)}" for number, subject in enumerate(subjects, start=1)]
    fillers = list(dict.fromkeys(_words(tokens, layout.fillers)))
    return "\n".join([*lines, f"Filler words: {', '.join(fillers) or 'none'}."])


def describe_bounds(method: BoundedAttention, family: Family, layers: str) -> list[str]:
    """Where attention is bounded, unless that is everywhere and always: `layers` as they were written."""
    if method.layout.empty:
        return []
    model = family.layer_map()
    every = frozenset(layer.ordinal for layer in model.layers)
    words, pixels = method.bound(every, family.presets(ANY_SIZE))
    unguided = [f"Not guided, masks alone: {family.unguided}."] if family.unguided else []
    if words == pixels == every and method.during.end == 1:
        return unguided
    where = [model.named(found) or "none" for found in (words, pixels)]
    return [
        f"Bounded until {method.during.end:g} of the schedule, {layers.strip()}: words in {where[0]}; pixels "
        f"among themselves in {where[1] if words != pixels else 'the same'}.",
        *unguided,
    ]


def _subject(subject: Subject, tokens: PromptTokens) -> str:
    words = " ".join(_words(tokens, subject.token_positions))
    positions = ", ".join(map(str, subject.token_positions))
    place = " and ".join(
        f"{x0:.0%} to {x1:.0%} across and {y0:.0%} to {y1:.0%} down" for x0, y0, x1, y1 in subject.boxes
    )
    return f"{subject.phrase}: {words} (token {positions}), {place or 'in its mask'}"


def _words(tokens: PromptTokens, positions: Collection[int]) -> Iterator[str]:
    return (word.text for word in tokens.words if set(word.positions) & set(positions))
