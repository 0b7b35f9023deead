"""Asking the model: is a picture likelier with a thing named than without, or with an attribute lent?

A diffusion model tells how likely a picture is under a text by how well it removes noise from it (Li et al.,
"Your Diffusion Model is Secretly a Zero-Shot Classifier", ICCV 2023, section 3; Clark and Jaini, NeurIPS
2023). With E_t(x) the squared error at place x under text t, summed over channels and noise levels, the noise
being the same for all texts, W the mean over a window of about a quarter of the picture's shorter side, and
p the prompt itself:

    gain(t, s) = max_x W[E_s - E_t](x) / mean of E_p      how much likelier t makes the picture than s
    there(n)   = gain(p, p without thing n and its attributes)
    lent(a, m) = gain(p in which thing m has attribute a in place of its own, p)

The papers sum over the whole picture and choose among classes. Here each thing is one of several, and the
window finds the place where it matters. Gains have no unit.

A picture that the model itself has made under the prompt is likely under it, whatever others see in it, so
there the answers count for what they deny alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...text.named_things import NamedThing
from ...text.rewording import lent, without
from ...text.words import PromptTokens
from .lending import starts


@dataclass(frozen=True)
class Answers:
    """Of one image: gains of all things (things,), and of all words lent to all things (words, things), 0
    where nothing was asked. `given` is whether the picture came from elsewhere than from the model under this
    prompt."""

    there: Tensor
    lent: Tensor
    given: bool


@dataclass(frozen=True)
class Questions:
    """The texts to ask with: the prompt, the prompt without each thing, and with each attribute lent to each
    other thing, given by (word, thing)."""

    texts: tuple[str, ...]
    loans: tuple[tuple[int, int], ...]
    things: int
    words: int

    @classmethod
    def about(cls, tokens: PromptTokens, things: Sequence[NamedThing]) -> "Questions":
        """Raises ValueError if the prompt cannot be reworded."""
        texts = [tokens.prompt, *(without(tokens, thing) for thing in things)]
        loans = []
        for own, (thing, start) in enumerate(zip(things, starts(things), strict=True)):
            for at, attribute in enumerate(thing.attributes, start + 1):
                others = [(number, other) for number, other in enumerate(things) if number != own]
                texts += [lent(tokens, attribute, other) for _, other in others]
                loans += [(at, number) for number, _ in others]
        return cls(tuple(texts), tuple(loans), len(things), sum(len(thing.words) for thing in things))

    def read(self, errors: Tensor, given: bool) -> Answers:
        """From the errors of one image under each text (texts, h, w)."""
        own, rest = errors[0], errors[1:]
        scale = own.mean().clamp(min=torch.finfo(errors.dtype).tiny)
        there = _highest(rest[: self.things] - own) / scale
        answers = torch.zeros(self.words, self.things)
        for (word, thing), gain in zip(self.loans, _highest(own - rest[self.things :]) / scale, strict=True):
            answers[word, thing] = gain
        return Answers(there, answers, given)


def _highest(differences: Tensor) -> Tensor:
    """(texts, h, w) -> (texts,): the mean of the best window."""
    if not len(differences):
        return differences.new_zeros(0)
    reach = min(differences.shape[-2:]) // 8
    means = F.avg_pool2d(differences[:, None], 2 * reach + 1, 1, reach, count_include_pad=False)
    return means.flatten(1).amax(1)
