"""The text encoder while it is trained: the host's weights, a forward pass that keeps gradients."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architecture import TEXT
from ..world.vocabulary import (
    EVERY_BACKGROUND,
    EVERY_COLOUR,
    NUMBERS,
    STYLES,
    SUBJECTS,
    SUNGLASSES,
    SYNONYMS,
    plural,
)

START, END = 49406, 49407
_NOUNS = {
    form: noun
    for noun in SUBJECTS
    for word in (noun, SYNONYMS.get(noun, noun))
    for form in (word, plural(word))
}
_WORDS = re.compile(r"[a-z]+|[0-9]|,")


def known_words() -> list[str]:
    """Every word that a caption of the world can hold."""
    nouns = [*SUBJECTS, *(SYNONYMS[n] for n in SUBJECTS if n in SYNONYMS)]
    phrases = " ".join(EVERY_BACKGROUND.values()).split()
    words = [*nouns, *map(plural, nouns), *EVERY_COLOUR, *SYNONYMS.values(), *STYLES, *phrases, *NUMBERS[1:]]
    worn = ("is", "wearing", "with", SUNGLASSES)
    return sorted({*words, *worn, *"12345", ",", "a", "an", "and", "style"})


class Words:
    """Captions to CLIP token ids, one look-up per word, and the compact numbering of the trained rows."""

    def __init__(self, tokenizer: object) -> None:
        self.ids = {word: self._ids(tokenizer, word) for word in known_words()}
        self.rows = sorted({START, END, *(i for ids in self.ids.values() for i in ids)})
        self.compact = {token: row for row, token in enumerate(self.rows)}

    @staticmethod
    def _ids(tokenizer: object, word: str) -> list[int]:
        tokens = [token for token, _ in tokenizer.tokenize_with_weights(word)["l"][0]]  # type: ignore[attr-defined]
        return tokens[1 : tokens.index(END)]

    def encode(self, text: str) -> list[int]:
        """Start, words, end: as the host's tokenizer does, without its padding."""
        return [START, *(i for word in _WORDS.findall(text) for i in self.ids[word]), END]

    def nouns(self, text: str) -> list[tuple[int, str]]:
        """(token position, subject) of every noun; of a noun of several tokens, the last one."""
        found, position = [], 0  # the start token stands at 0
        for word in _WORDS.findall(text):
            position += len(self.ids[word])
            if word in _NOUNS:
                found.append((position, _NOUNS[word]))
        return found

    def batch(self, captions: Iterable[str]) -> tuple[Tensor, Tensor]:
        """Compact ids (B, T), filled with the end token, and the true lengths (B,)."""
        encoded = [[self.compact[token] for token in self.encode(text)] for text in captions]
        lengths = torch.tensor([len(tokens) for tokens in encoded])
        ids = torch.full((len(encoded), int(lengths.max())), self.compact[END])
        for row, tokens in zip(ids, encoded, strict=True):
            row[: len(tokens)] = torch.tensor(tokens)
        return ids, lengths


class TrainableText(nn.Module):
    """The host's text transformer with only the rows of known words as trainable embeddings.

    Its output equals the host's: (B, 77, width), zero after the end token. Padding is never computed, because
    attention is causal and what follows the end is zeroed.
    """

    def __init__(self, transformer: nn.Module, words: Words) -> None:
        super().__init__()
        self.text_model = transformer.text_model
        table = self.text_model.embeddings.token_embedding.weight
        table.requires_grad_(False)
        self.words = words
        self.embedding = nn.Parameter(table[words.rows].detach().clone())

    def forward(self, captions: Iterable[str]) -> Tensor:
        return self.encode_batch(captions)[0]

    def encode_batch(self, captions: Iterable[str]) -> tuple[Tensor, Tensor]:
        """Features (B, 77, width) and the number of tokens before the padding (B,)."""
        ids, lengths = (t.to(self.embedding.device) for t in self.words.batch(captions))
        return self.encode(ids, lengths), lengths

    def encode(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Features (B, 77, width) of compact ids (B, T), zero from each length on."""
        return self.encode_vectors(self.embedding[ids], lengths)

    def encode_vectors(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """The same of the vectors (B, T, width) of tokens, whatever these are."""
        model = self.text_model
        x = vectors + model.embeddings.position_embedding.weight[: vectors.shape[1]]
        for layer in model.encoder.layers:
            x = x + self._attend(layer.self_attn, layer.layer_norm1(x))
            x = x + layer.mlp.fc2(F.gelu(layer.mlp.fc1(layer.layer_norm2(x))))
        x = model.final_layer_norm(x)
        x = x * (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
        return F.pad(x, (0, 0, 0, TEXT["max_position_embeddings"] - x.shape[1]))

    @staticmethod
    def _attend(attention: nn.Module, x: Tensor) -> Tensor:
        q, k, v = (
            p(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
            for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return attention.out_proj(out.transpose(1, 2).flatten(2))

    @torch.no_grad()
    def store_rows(self, rows: Tensor, table: Tensor) -> Tensor:
        """The full table with the trained rows put in; other words get their mean, which says nothing."""
        table[:] = rows.mean(0)
        table[self.words.rows] = rows
        return table


def initialise_text(transformer: nn.Module) -> None:
    """Words start far apart, the residual branches small: the U-Net can tell nouns from the first step."""
    from .optimizers import initialise

    initialise(transformer)
    model = transformer.text_model
    nn.init.normal_(model.embeddings.token_embedding.weight, std=1.0)
    nn.init.normal_(model.embeddings.position_embedding.weight, std=0.2)
    for layer in model.encoder.layers:
        layer.self_attn.out_proj.weight.data *= 0.5
        layer.mlp.fc2.weight.data *= 0.5
