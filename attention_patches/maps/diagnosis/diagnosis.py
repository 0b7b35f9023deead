"""What became of each noun and attribute of a prompt: present, neglected, fused or bound to another.

The three failures are those of Chefer et al., "Attend-and-Excite" (SIGGRAPH 2023, section 1: neglect, wrong
binding) and of Dahary et al., "Be Yourself" (ECCV 2024, section 1: subject fusion). How they are read off
recorded attention is ours; no box is needed. With S the segments of Self-Segmentation (k-means of the
self-attention) and A_w the map of a word, both means over heads, layers and the later half of the noise
schedule:

    p(c, w)    = mean of A_w inside segment c
    home(n)    = argmax_c p(c, n)                          where noun n is most looked at
    q(c, n)    = p(c, n) / sum_m p(c, m)                   over all nouns m of the prompt
    share(n)   = q(home(n), n)
    rise(w)    = max_c p(c, w) / mean of A_w
    look(c, n) = mean of p(c, b) over the attributes b of n, or p(c, n) if it has none
    q(c, a)    = p(c, a) / (p(c, a) + sum_m look(c, m))    attribute a of n, over all other nouns m
    lent(a, m) = max_c q(c, a) * q(c, m) * p(c, a) / max_d p(d, a),
                 over the segments with p(c, m) >= mean of A_m

    n is neglected   if rise(n) < `least_rise`, or share(n) < `fused`: others are seen where it is seen most
    n is fused       if `fused` <= share(n) < `present`, with the strongest other noun in its home
    n is present     else; so is a prompt's only noun whatever its share, which is 1
    attribute a      is bound to that other noun m, of those not neglected, with the largest lent(a, m) if
                     this is at least `least_lent`, whether or not its own noun has it too; else to its own
                     noun unless that is neglected; to none if rise(a) is low

Why so: early in a run attention tells what is sought, later what is there. A colour's word is looked at a
little wherever anything is, so that the home of a noun says little of it; an attribute counts as lent where
it is the strongest attribute, the other noun is the strongest noun, and it is nearly as strong as anywhere. A
quarter is what a tie with one other attribute and one other noun gives, half of each, where the attribute is
strongest. Where a noun is seen less than over the whole picture, in the background, nothing is lent to it.

If the model was asked too (`questions.py`), its answers decide of a picture that was given: what has a gain
of at least `least_gain` is present; what has less, and is no help over the whole picture either, is not; else
attention decides, among what is not denied. An attribute is bound to another noun by a part of that gain
(`LENDING`), and to its own if all that is said of it helps over the picture. What is there by its gain has
the segment where naming it helps most. Of a picture that the model itself has made, the answers decide only
what is missing or lent besides.

Shares, rises and what is lent have no unit, so that sharp and flat models are measured alike. Attention tells
what a model looked for, not what it painted: a noun that was painted and came out as something else is found
present. So missing subjects are found better than colours that went astray. Of given pictures the model's
answers are surer than attention is; of its own they are not (`benchmarks/diagnosis.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...text.named_things import NamedThing
from ..averages import self_map
from ..recorded import AttentionMaps
from ..self_segmentation.segmentation import Segmentation, cluster, finest_grid, score
from ..time_slices import later
from ..word_maps import word_maps
from .findings import AttributeFinding, Diagnosis, State, ThingFinding
from .homes import filled, helped, homes, labels
from .lending import lent_by_attention, starts
from .questions import Answers

LENDING = 0.75  # of the gain that a thing needs: a colour changes less than a shape


@dataclass(frozen=True, kw_only=True)
class PromptDiagnosis:
    """How to diagnose. `layers` are ordinals, all that were recorded if None. The bounds are 0..1, but for
    that of the rise, which is at least 1."""

    segments: int = 8
    present: float = 0.5
    fused: float = 0.25
    least_rise: float = 1.2
    least_lent: float = 0.25
    least_gain: float = 0.15
    layers: Collection[int] | None = None
    seed: int = 0

    def __call__(
        self, maps: AttentionMaps, things: Sequence[NamedThing], answers: Sequence[Answers] | None = None
    ) -> tuple[Diagnosis, ...]:
        """Of each image, with the model's answers for each if it was asked. Raises ValueError if the maps
        lack what is needed."""
        return tuple(
            self.read(things, *self.look(maps, things, image), answers[image] if answers else None)
            for image in range(maps.images)
        )

    def look(
        self, maps: AttentionMaps, things: Sequence[NamedThing], image: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Segments (h, w), p (words, segments) and the rise (words,) of all words, each noun before its
        attributes; none of the bounds counts yet."""
        grid, late = finest_grid(maps, self.layers), later(maps.slices)
        looks = self_map(maps, grid, image=image, layers=self.layers, slices=late)
        clusters = cluster(looks, self.segments, self.seed).unflatten(0, grid)
        words = [word for thing in things for word in thing.words]
        seen = word_maps(maps, words, grid, image=image, layers=self.layers, slices=late)  # (words, h, w)
        inside = score(seen, clusters, self.segments).T
        means = seen.mean((1, 2)).clamp(min=torch.finfo(seen.dtype).tiny)
        return clusters, inside, inside.amax(1) / means

    def read(
        self,
        things: Sequence[NamedThing],
        clusters: Tensor,
        inside: Tensor,
        rises: Tensor,
        answers: Answers | None = None,
    ) -> Diagnosis:
        """From what `look` gives, and the model's answers."""
        first = starts(things)
        told = [None if answers is None else self._answer(answers, number) for number in range(len(things))]
        given = answers is not None and answers.given
        denied = torch.tensor([given and answer is False for answer in told])
        nouns = inside[first] * ~denied[:, None]  # (things, segments)
        places, shares, rivals = homes(nouns)
        seen = [
            self._state(share, float(rises[start]), rival is not None)
            for share, start, rival in zip(shares, first, rivals, strict=True)
        ]
        states = [self._asked(state, answer, given) for state, answer in zip(seen, told, strict=True)]
        if answers is not None and given:
            there = answers.there >= self.least_gain
            nouns = helped(answers.places, clusters, self.segments) * there[:, None]
            places = torch.where(there, nouns.argmax(1), torch.tensor(places)).tolist()
        having = [number for number, state in enumerate(states) if state == "present"]
        lent = self._lent(lent_by_attention(inside, rises, things), rises, answers)
        findings = tuple(
            ThingFinding(
                thing,
                states[number],
                places[number],
                shares[number],
                float(rises[start]),
                rivals[number],
                tuple(
                    AttributeFinding(
                        word.text,
                        self._bound(lent[at], self._has(rises[at], answers, number), number, states),
                    )
                    for at, word in enumerate(thing.attributes, start + 1)
                ),
                None if answers is None else float(answers.there[number]),
                told[number] is not None if given else states[number] != seen[number],
            )
            for number, (thing, start) in enumerate(zip(things, first, strict=True))
        )
        found = labels(nouns, having)
        if given:
            found = filled(found, {places[number]: number for number in having})
        return Diagnosis(findings, Segmentation(clusters, nouns.T, found), given)

    def _state(self, share: float, rise: float, contested: bool) -> State:
        if rise < self.least_rise or (contested and share < self.fused):
            return "neglected"
        return "fused" if contested and share < self.present else "present"

    def _answer(self, answers: Answers, number: int) -> bool | None:
        """Whether a thing is there, as the model says; None if it cannot tell."""
        if float(answers.there[number]) >= self.least_gain:
            return True
        return None if float(answers.overall[number]) > 0 else False

    def _asked(self, state: State, answer: bool | None, given: bool) -> State:
        """A thing's state by attention, and by the model's answer."""
        if answer is None:
            return state
        if given:
            return "present" if answer else "neglected"
        return "neglected" if state == "present" and not answer else state

    def _lent(self, by_attention: Tensor, rises: Tensor, answers: Answers | None) -> Tensor:
        """(words, things): how far an attribute is lent, 1 where it is bound."""
        seen = by_attention / self.least_lent * (rises >= self.least_rise)[:, None]
        if answers is None:
            return seen
        told = answers.lent / (LENDING * self.least_gain)
        return told if answers.given else torch.maximum(seen, told)

    def _has(self, rise: Tensor, answers: Answers | None, number: int) -> bool:
        """Whether a thing has an attribute: as the model says of a given picture, else by its rise."""
        if answers is not None and answers.given:
            return float(answers.has[number]) > 0
        return float(rise) >= self.least_rise

    def _bound(self, lent: Tensor, has: bool, own: int, states: Sequence[State]) -> int | None:
        """Of an attribute that is lent (things,): another thing, or else its own, if that has it."""
        there = [number for number, state in enumerate(states) if state != "neglected"]
        others = [number for number in there if number != own and float(lent[number]) >= 1]
        if others:
            return max(others, key=lambda number: float(lent[number]))
        return own if own in there and has else None
