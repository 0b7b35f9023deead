"""Edits in the demo model's world: what a source shows, what each edit is to show, and in which words."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from attention_control.demo_model.world import BACKGROUNDS, COLOURS, STYLES, SUBJECTS, Scene, sample_scene

SIZE = 128
SEED = 20261129  # training draws its scenes from other seeds
EDITS = 3  # of one source; a reweighting has one
FACTOR = -1.0
Aspects = dict[str, str]
NOUN, COLOUR, STYLE, BACKGROUND = "noun 0", "colour 0", "style", "background"


@dataclass(frozen=True)
class Kind:
    """`aspect` is what an edit of this kind changes; all else is to stay. `named`: whether the source's
    prompt names colours. `most`: subjects in a source."""

    name: str
    aspect: str
    words: Callable[[Aspects], str] = lambda look: look[NOUN]  # that the blend is given
    keep: bool = False  # whether the subjects are given to it as words to keep
    named: bool = True
    most: int = 2


SWAP_SUBJECT = Kind("swap a subject", NOUN)
SWAP_COLOUR = Kind("swap a colour", COLOUR)
ADD = Kind("add a word", COLOUR, named=False, most=1)  # no caption of training names one colour of two
STYLED = Kind("change the style", STYLE, words=lambda look: "")
PLACED = Kind(
    "change the background",
    BACKGROUND,
    words=lambda look: BACKGROUNDS[look[BACKGROUND]].split()[-1],
    keep=True,
)
REWEIGHT = Kind("reweight a colour", COLOUR)
VARY = Kind("vary the shape", NOUN, most=1)  # not of a prompt's words: its edits are proxies
KINDS = (SWAP_SUBJECT, SWAP_COLOUR, ADD, STYLED, PLACED, REWEIGHT)
FREED = 0.2  # the paper's least end, for words that bring shapes of their own, and for styles
CHOICES: dict[str, tuple[str, ...]] = {
    NOUN: tuple(SUBJECTS),
    COLOUR: tuple(COLOURS),
    STYLE: STYLES,
    BACKGROUND: tuple(BACKGROUNDS),
}


@dataclass(frozen=True)
class Case:
    """A source, and what each of its edits is to show. The first subject is the one that is edited."""

    kind: Kind
    scene: Scene
    seed: int
    wanted: tuple[Aspects, ...]

    @property
    def prompt(self) -> str:
        return sentence(aspects(self.scene), self.kind.named)

    def with_edits(self, number: int) -> "Case":
        """The same source with the first so many of its edits."""
        return replace(self, wanted=self.wanted[:number])

    @property
    def edits(self) -> list[str]:
        """The edited prompts, as `edit_prompts` takes them."""
        return [sentence(look, self.kind.named, self.kind is ADD) for look in self.wanted]

    @property
    def weighed(self) -> list[str]:
        """The same for those who have no `reweight`: the host's own weight stands in, 0, as its negative ones
        break pictures."""
        if self.kind is not REWEIGHT:
            return self.edits
        colour = self.wanted[0][COLOUR]
        return [self.prompt.replace(colour, f"({colour}:0)", 1)]

    @property
    def settings(self) -> dict[str, str]:
        """What PromptToPrompt is told beside the prompts."""
        return {"reweight": f"{self.wanted[0][COLOUR]}: {FACTOR}"} if self.kind is REWEIGHT else {}

    @property
    def freed(self) -> dict[str, object]:
        """Earlier ends, as the paper advises them for new shapes; empty for colours, which need none."""
        if self.kind.aspect == COLOUR:
            return {}
        words = (BACKGROUNDS.get(look[self.kind.aspect], look[self.kind.aspect]) for look in self.wanted)
        ends = ", ".join(f"{phrase.split()[-1]}: {FREED}" for phrase in words)
        whole = self.kind.aspect in (STYLE, BACKGROUND)
        return {"cross_until_words": ends, **({"self_until": FREED} if whole else {})}

    @property
    def blend(self) -> dict[str, str]:
        """Words for the blend; empty where the whole picture is to change."""
        looks = (aspects(self.scene), *self.wanted)
        words = dict.fromkeys(self.kind.words(look) for look in looks)
        found = {"blend_words": ", ".join(filter(None, words))}
        if self.kind.keep:
            found["keep_words"] = ", ".join(dict.fromkeys(s.noun for s in self.scene.subjects))
        return found if found["blend_words"] else {}


def case(kind: Kind, number: int) -> Case:
    """The source of this number and its edits: odd numbers have two different subjects, if the kind may."""
    rng = np.random.default_rng([SEED, (*KINDS, VARY).index(kind), number])
    count = min(1 + number % 2, kind.most)
    scene = sample_scene(rng, SIZE, SIZE, count)
    while len({subject.noun for subject in scene.subjects}) < count:
        scene = sample_scene(rng, SIZE, SIZE, count)
    look = aspects(scene)
    if kind is REWEIGHT:
        return Case(kind, scene, number, (look,))
    taken = set(look.values())  # a new noun or colour is none that the picture has
    free = [word for word in CHOICES[kind.aspect] if word not in taken]
    chosen = [str(word) for word in rng.choice(free, EDITS, replace=False)]
    return Case(kind, scene, number, tuple({**look, kind.aspect: word} for word in chosen))


def aspects(scene: Scene) -> Aspects:
    """All that can be right or wrong."""
    found = {STYLE: scene.style, BACKGROUND: scene.background}
    for number, subject in enumerate(scene.subjects):
        found |= {f"noun {number}": subject.noun, f"colour {number}": subject.colour}
    return found


def sentence(look: Aspects, named: bool, first_named: bool = False) -> str:
    """A caption as in training, with style and background; `first_named`: the first subject's colour is named
    in any case."""
    phrases = []
    for number in range(sum(name.startswith("noun") for name in look)):
        colour = named or (first_named and number == 0)
        words = f"{look[f'colour {number}']} " * colour + look[f"noun {number}"]
        phrases.append(f"{'an' if words[0] in 'aeio' else 'a'} {words}")
    return f"{' and '.join(phrases)} {BACKGROUNDS[look[BACKGROUND]]}, {look[STYLE]} style"


def seen(case: Case, colour: str) -> Case:
    """The case, whose first subject turned out to have this colour."""
    first, *others = case.scene.subjects
    return replace(case, scene=replace(case.scene, subjects=(replace(first, colour=colour), *others)))
