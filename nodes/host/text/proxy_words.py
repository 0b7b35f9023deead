"""Words of CLIP's vocabulary that are near to a word, as the prompt's encoder sees them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.ops
import comfy.utils
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from .clip_tokens import ENCODERS, WORD_END

_LETTERS = r"[a-z]{2,}"
SHORT = "a photo of a {}"
CHOSEN = 50  # words that are ranked once more, in the whole prompt
ROWS = 256  # texts that are encoded at once
PROBES = ("dog", "cat")  # each one token of its own

Written = Callable[[str], str]
"""A prompt with this word in the object's place."""


@dataclass(frozen=True)
class Found:
    """A word, and the cosine of its prompt's vector with the original's."""

    word: str
    likeness: float


def near_words(clip: Any, word: str, prompt: Written, count: int) -> list[Found]:
    """The `count` words of one token, at most CHOSEN, that are nearest to `word` in the prompt, best first.

    Patashnik et al. (ICCV 2023): all words of the vocabulary, letters only and longer than one, are ranked in
    "a photo of a ..." by the cosine of the text's pooled vector (after the last norm, not projected) with
    that of `word`; the best 50 are ranked once more in the whole prompt. Their code takes symbols that are
    letters only, and so none that ends a word (`cat</w>`): it ranks beginnings of words, many of which are
    words as well. Where a model has two encoders the first one, CLIP-L, counts, theirs. Weights in the prompt
    do not count. Raises ValueError for other encoders than CLIP, and for a prompt in which the word's token
    cannot be told.
    """
    encoder = _Encoder.of(clip)
    encoder.frame(prompt)  # it may refuse the prompt, so before all words are ranked
    words = [other for other in encoder.vocabulary if other != word.lower()]
    first = encoder.ranked(words, word, SHORT.format)[:CHOSEN]
    return encoder.ranked([found.word for found in first], word, prompt)[:count]


@dataclass(frozen=True)
class _Encoder:
    """The first of the host's encoders in a CLIP."""

    clip: Any
    name: str
    vocabulary: dict[str, int]  # of whole words in letters, to their token

    @classmethod
    def of(cls, clip: Any) -> "_Encoder":
        if clip is None:
            raise ValueError(
                "clip: none arrived; does the checkpoint hold a text encoder? Load CLIP loads one"
            )
        streams = clip.tokenize("")
        if not streams.keys() <= ENCODERS:
            raise ValueError(
                f"proxies: words can be found with the CLIP encoders of SD1.5, SD2 and SDXL, and this text "
                f"encoder ({', '.join(streams)}) is another. Write them yourself, one per line."
            )
        name = "l" if "l" in streams else next(iter(streams))
        tokenizer = getattr(clip.tokenizer, f"clip_{name}")
        whole = {
            symbol.removesuffix(WORD_END): token
            for token, symbol in tokenizer.inv_vocab.items()
            if symbol.endswith(WORD_END)
        }
        return cls(clip, name, {word: token for word, token in whole.items() if re.fullmatch(_LETTERS, word)})

    def ranked(self, words: Sequence[str], like: str, prompt: Written) -> list[Found]:
        """The words, the nearest first."""
        text, place, chunk = self.frame(prompt)
        texts = [[*text[:place], self.vocabulary[word], *text[place + 1 :]] for word in words]
        target = self._vectors([self._tokens(prompt(like))[chunk]])
        likeness = cosine_similarity(self._vectors(texts), target)
        order = likeness.argsort(descending=True, stable=True).tolist()
        return [Found(words[number], float(likeness[number])) for number in order]

    def frame(self, prompt: Written) -> tuple[list[int], int, int]:
        """The chunk of the prompt that the word is in, where its token is, and which chunk it is.

        Raises ValueError if that chunk has embeddings.
        """
        chunks = [self._tokens(prompt(probe)) for probe in PROBES]
        places = [
            (chunk, at)
            for chunk, (one, other) in enumerate(zip(*chunks, strict=True))
            for at, (a, b) in enumerate(zip(one, other, strict=True))
            if isinstance(a, int) and a != b
        ]
        if len(places) != 1 or not all(isinstance(token, int) for token in chunks[0][places[0][0]]):
            raise ValueError(
                "proxies: none can be found for a prompt with embeddings. Write them yourself, one per line."
            )
        chunk, at = places[0]
        return chunks[0][chunk], at, chunk

    def _tokens(self, text: str) -> list[list[int]]:
        """By chunk."""
        return [[value for value, *_ in chunk] for chunk in self.clip.tokenize(text)[self.name]]

    def _vectors(self, texts: Sequence[list[int]]) -> Tensor:
        """(texts, channels): the pooled vectors of chunks, in float32 on the processor."""
        encoder, patcher = getattr(self.clip.cond_stage_model, f"clip_{self.name}"), self.clip.load_model()
        end = encoder.special_tokens["end"]
        ids = torch.tensor([text[: text.index(end) + 1] for text in texts])
        progress, pooled = comfy.utils.ProgressBar(len(texts)), []
        with torch.inference_mode(), comfy.model_management.cuda_device_context(patcher.load_device):
            for some in ids.split(ROWS):
                comfy.model_management.throw_exception_if_processing_interrupted()
                pooled.append(_last(encoder.transformer.text_model, some.to(patcher.load_device)).cpu())
                progress.update(len(some))
        return torch.cat(pooled)


def _last(text_model: Any, ids: Tensor) -> Tensor:
    """(texts, channels): what CLIP makes of the last of the tokens (texts, T).

    Each token sees those before it only, so what follows the end of a text is left out: of a short text there
    is then a tenth to compute.
    """
    device, tokens = ids.device, ids.shape[1]
    places = text_model.embeddings.position_embedding.weight[:tokens]
    x = text_model.embeddings.token_embedding(ids, out_dtype=torch.float32)
    x = x + comfy.ops.cast_to(places, dtype=torch.float32, device=device)
    unseen = torch.full((tokens, tokens), -torch.finfo(x.dtype).max, device=device).triu_(1)
    seen, _ = text_model.encoder(x, mask=unseen)
    last: Tensor = text_model.final_layer_norm(seen)[:, -1]
    return last.float()
