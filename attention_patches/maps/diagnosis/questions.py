"""Asking the model: is a picture likelier with a thing named than with any object in its place, with what is
said of it than without, or with an attribute lent to another thing?

A diffusion model tells how likely a picture is under a text by how well it removes noise from it (Li et al.,
"Your Diffusion Model is Secretly a Zero-Shot Classifier", ICCV 2023, section 3; Clark and Jaini, NeurIPS
2023). With E_t(x) the squared error at place x under text t, summed over channels and noise levels, the noise
being the same for all texts, W the mean over a window of about a quarter of the picture's shorter side, and
p the prompt itself:

    D(t, s, x) = (E_s(x) - E_t(x)) / mean of E_p          how much likelier t makes the place than s
    D_n        = D(p without the attributes of thing n, p with `object` for n and its attributes)
    there(n)   = max_x W[D_n](x)
    overall(n) = mean of D_n
    has(n)     = mean of D(p, p without the attributes of n)
    lent(a, m) = max_x W[D(p in which thing m has attribute a in place of its own, p)](x) over the places with
                 W[D_m](x) of at least half of there(m), if that is the highest of all that are lent to m, or
                 a comes from the same thing as the highest

A noun is asked for without its attributes, as a wrong colour would speak against a right noun; and against
`object` rather than nothing, as any noun is better than none where the picture has something that the prompt
does not name. What a lent colour changes elsewhere than at the thing is another one's. The papers sum over
the whole picture and choose among classes; here each thing is one of several, and the window finds the place
where it matters. Differences have no unit.

What can be seen without being named, such as a wide ground, changes little anywhere when it is named. Where a
gain is low, a mean that is not above 0 denies a thing; above it the answer is left open.

A picture that the model itself has made under the prompt is likely under it, whatever others see in it, so
there the answers count only for what is missing or lent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...text.named_things import NamedThing
from ...text.rewording import bare, instead, lent, plain
from ...text.words import PromptTokens
from .lending import starts

ANYTHING = "object"
NEAR = 0.5  # of the best window's gain: there a thing is


@dataclass(frozen=True)
class Answers:
    """Of one image, of all things: the gains, the means over the picture, those of their attributes
    (things,), and the means of windows (things, h, w). The gains of all words lent to all things (words,
    things), 0 where nothing was asked. `given` is whether the picture came from elsewhere than from the model
    under this prompt."""

    there: Tensor
    overall: Tensor
    has: Tensor
    places: Tensor
    lent: Tensor
    given: bool


@dataclass(frozen=True)
class Questions:
    """The texts to ask with: the prompt; with `object` for each thing; without each thing's attributes; with
    each attribute lent to each other thing that has it not, given by (word, thing)."""

    texts: tuple[str, ...]
    loans: tuple[tuple[int, int], ...]
    owners: tuple[int, ...]  # the thing of each word
    things: int

    @classmethod
    def about(cls, tokens: PromptTokens, things: Sequence[NamedThing]) -> "Questions":
        """Raises ValueError if the prompt cannot be reworded."""
        texts = [plain(tokens), *(instead(tokens, thing, ANYTHING) for thing in things)]
        texts += [bare(tokens, thing) for thing in things]
        loans = []
        for own, (thing, start) in enumerate(zip(things, starts(things), strict=True)):
            for at, attribute in enumerate(thing.attributes, start + 1):
                others = [n for n, x in enumerate(things) if n != own and attribute not in x.attributes]
                texts += [lent(tokens, attribute, things[number]) for number in others]
                loans += [(at, number) for number in others]
        owners = tuple(number for number, thing in enumerate(things) for _ in thing.words)
        return cls(tuple(texts), tuple(loans), owners, len(things))

    def read(self, errors: Tensor, given: bool) -> Answers:
        """From the errors of one image under each text (texts, h, w)."""
        errors = errors / errors[0].mean().clamp(min=torch.finfo(errors.dtype).tiny)
        own, anything, named, lending = errors.split([1, self.things, self.things, len(self.loans)])
        helps = anything - named
        places = _means(helps)
        near = places >= NEAR * places.amax((1, 2), keepdim=True)
        gains = torch.zeros(len(self.owners), self.things)
        for (word, thing), means in zip(self.loans, _means(own - lending), strict=True):
            gains[word, thing] = means[near[thing]].max()
        owners = torch.tensor(self.owners)
        kept = owners[:, None] == owners[gains.argmax(0)]  # (words, things)
        has = (named - own).mean((1, 2))
        return Answers(places.amax((1, 2)), helps.mean((1, 2)), has, places, gains * kept, given)


def _means(differences: Tensor) -> Tensor:
    """(texts, h, w): of the window round each place."""
    reach = min(differences.shape[-2:]) // 8
    if not len(differences):
        return differences
    return F.avg_pool2d(differences[:, None], 2 * reach + 1, 1, reach, count_include_pad=False)[:, 0]
