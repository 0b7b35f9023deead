"""A trained model that is left as it is while a companion of it learns."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import architecture
from .text import END
from .unet import Trained, noised, weighed_error
from .weights import load_part


@dataclass(frozen=True, eq=False)
class Shown:
    """Pictures to learn from: latents (N, channels, h, w), coverage (N, 5, h, w), a caption each, and hints
    (N, 3, H, W) in 0..1 for a ControlNet."""

    latents: Tensor
    coverage: Tensor
    captions: list[str]
    hints: Tensor | None = None

    def draw(self, number: int) -> "Shown":
        """Any of them."""
        rows = torch.randint(len(self.captions), (number,))
        hints = None if self.hints is None else self.hints[rows]
        said = [self.captions[row] for row in rows.tolist()]
        return Shown(self.latents[rows], self.coverage[rows], said, hints)


class Frozen(nn.Module):
    """U-Net and text encoder of the weights in a folder, of any width and kind of latents."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        from ...nodes.host.demo_model import SD1Tokenizer

        unet = load_part(weights, "unet")
        self.trained = Trained(architecture.latent_channels(unet), architecture.unet_width(unet))
        self.trained.load_weights(weights)
        self.requires_grad_(False)
        self.tokenizer = SD1Tokenizer()
        encoder = self.trained._transformer[0].requires_grad_(False)
        self.register_buffer("table", encoder.text_model.embeddings.token_embedding.weight.detach().clone())

    @property
    def unet(self) -> nn.Module:
        """The host's U-Net."""
        return self.trained.unet

    def tokens(self, caption: str) -> list[int]:
        """Start, words, end, by the host's tokenizer; any words."""
        tokens = [token for token, _ in self.tokenizer.tokenize_with_weights(caption)["l"][0]]
        return tokens[: tokens.index(END) + 1]

    def context(self, captions: list[str], word: str = "", vectors: Tensor | None = None) -> Tensor:
        """(B, 77, width); `vectors` (tokens, width) stand in the place of `word` where a caption has it."""
        rows = [self._vectors(caption, word, vectors) for caption in captions]
        lengths = torch.tensor([len(row) for row in rows], device=self.table.device)
        longest = int(lengths.max())
        end = self.table[END]
        padded = [torch.cat([row, end.expand(longest - len(row), -1)]) for row in rows]
        return self.trained.text.encode_vectors(torch.stack(padded), lengths)

    def _vectors(self, caption: str, word: str, vectors: Tensor | None) -> Tensor:
        if vectors is None or word not in caption.split():
            return self.table[self.tokens(caption)]
        before, after = caption.split(word, 1)
        first, second = self.tokens(before)[:-1], self.tokens(after)[1:]
        return torch.cat([self.table[first], vectors, self.table[second]])

    def error(self, shown: Shown, context: Tensor, controlled: nn.Module | None = None) -> Tensor:
        """The denoising error of pictures under a context, with a ControlNet if there is one."""
        noisy, t, velocity = noised(self.trained, shown.latents)
        control = None
        if controlled is not None:
            found = controlled(noisy, shown.hints, t, context)
            control = {"input": [], **found}
        predicted = self.unet(noisy, t, context=context, control=control)
        return weighed_error(predicted, velocity, shown.coverage, self.trained.alphas[t])
