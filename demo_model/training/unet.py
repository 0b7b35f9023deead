"""Step 4: the U-Net and the text encoder together; here what is trained, and its loss."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import architecture
from .attention import CrossAttention, shorten
from .binding import binding_loss
from .files import save_weights
from .optimizers import initialise
from .precision import mixed
from .text import TrainableText, Words, initialise_text
from .weights import load_part, write_list

SUBJECT_WEIGHT = 4.0  # how much more a cell full of a subject counts than one of background
COMPILED_KEYS = 56  # what most captions need at most; a longer one is compiled for once more
FIRST_AND_LAST = ("input_blocks.0.", "out.")


class Trained(nn.Module):
    """U-Net and text encoder as one module, so that one optimiser and one average hold both."""

    def __init__(self, channels: int = architecture.CHANNELS, width: int = architecture.WIDTH) -> None:
        super().__init__()
        from ...nodes.host.demo_model import SD1Tokenizer, build_denoiser, build_text_encoder

        denoiser = build_denoiser(channels, width)
        self.unet = denoiser.diffusion_model.requires_grad_(True).train()
        self.register_buffer("alphas", 1 / (1 + denoiser.model_sampling.sigmas**2))
        self._transformer = [build_text_encoder().clip_l.transformer.requires_grad_(True)]  # not a submodule
        self.run, self.keys = (
            self.unet.forward,
            0,
        )  # how the U-Net is run, and the least number of keys for it
        _initialise_unet(self.unet)
        initialise_text(self._transformer[0])
        self.text = TrainableText(self._transformer[0], Words(SD1Tokenizer()))

    def compile(self) -> None:  # type: ignore[override]
        """Compile the U-Net; what else there is, is small."""
        self.keys, self.run = COMPILED_KEYS, torch.compile(self.unet, dynamic=False)

    def load_weights(self, folder: Path) -> None:
        """From finished files; those of a U-Net for other latents give all but its first and last layer."""
        weights = load_part(folder, "unet")
        own = self.unet.state_dict()
        fresh = {n: w for n, w in own.items() if weights[n].shape != w.shape}
        if not all(name.startswith(FIRST_AND_LAST) for name in fresh):
            raise ValueError(
                f"the U-Net in {folder} has another width than the one to be trained; start from others"
            )
        self.unet.load_state_dict(weights | fresh, strict=True)
        table = load_part(folder, "text")
        self._transformer[0].load_state_dict(table, strict=True)
        rows = table["text_model.embeddings.token_embedding.weight"][self.text.words.rows]
        self.text.embedding.data.copy_(rows)

    def trained_state(self) -> dict[str, Tensor]:
        """All that training changes: the large table of words that no caption holds stays out."""
        return {n: p for n, p in self.state_dict().items() if "token_embedding" not in n}

    def save_weights(self, folder: Path, values: dict[str, Tensor]) -> None:
        """Write the averaged `values` in the host's names."""
        unet = {n.removeprefix("unet."): v for n, v in values.items() if n.startswith("unet.")}
        save_weights(folder / "unet.safetensors", unet)
        text = {n: v.detach().clone() for n, v in self._transformer[0].state_dict().items()}
        averaged = {n.removeprefix("text."): v for n, v in values.items() if n.startswith("text.text_model.")}
        text.update(averaged)
        table = "text_model.embeddings.token_embedding.weight"
        text[table] = self.text.store_rows(values["text.embedding"], text[table])
        save_weights(folder / "text.safetensors", text)
        write_list(folder)


def _initialise_unet(unet: nn.Module) -> None:
    """Residual branches start at zero; cross-attention is louder, because most of its keys are empty."""
    initialise(unet)
    for name, part in unet.named_modules():
        if name == "out.2" or name.endswith(("out_layers.3", "proj_out")):
            nn.init.zeros_(part.weight)
        elif name.endswith(("attn2.to_q", "attn2.to_k")):
            part.weight.data *= 2
        elif name.endswith("attn2.to_v"):
            part.weight.data *= 3


@dataclass(frozen=True)
class Batch:
    """Latents (B, channels, h, w), coverage (B, 5, h, w) in 0..1 of each scene's subjects, one caption each.

    `words` are the captions as compact ids (B, T) and lengths (B,), `nouns` the rows, token positions and
    masks of their nouns for the auxiliary loss, None without it.
    """

    latents: Tensor
    coverage: Tensor
    words: tuple[Tensor, Tensor]
    nouns: tuple[Tensor, Tensor, Tensor] | None = None


def denoising_loss(trained: Trained, batch: Batch) -> tuple[Tensor, Tensor]:
    """Squared error of the velocity, the same for all timesteps, larger on seen subjects; the binding loss.

    Timesteps are drawn mostly where text and layout are decided. Without nouns the binding loss is 0.
    """
    latents, device = batch.latents, batch.latents.device
    noisy, t, velocity = noised(trained, latents)
    pixels = latents.shape[2] * latents.shape[3]
    with mixed(device):
        context = trained.text.encode(*batch.words)
        keys, bias = shorten(context, batch.words[1], {pixels, pixels // 4}, trained.keys)
        override = CrossAttention(bias, keep_maps=batch.nouns is not None)
        options = {"optimized_attention_override": override}
        predicted = trained.run(noisy, t, context=keys, transformer_options=options)
    denoising = weighed_error(predicted, velocity, batch.coverage, trained.alphas[t])
    if batch.nouns is None:
        return denoising, denoising.new_zeros(())
    return denoising, binding_loss([m.float() for m in override.maps], *batch.nouns)


def noised(trained: Trained, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Latents under noise, the timesteps (B,), and the velocity that is to be predicted."""
    t = _timesteps(len(latents), latents.device)
    alpha = trained.alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    return noisy, t, alpha.sqrt() * noise - (1 - alpha).sqrt() * latents


def weighed_error(predicted: Tensor, velocity: Tensor, coverage: Tensor, alphas: Tensor) -> Tensor:
    """Mean squared error, in which cells of subjects count more, as far as the noise lets them be seen.

    `alphas` (B,) are the shares of the picture in what the network was given. Where a subject can only be
    guessed, a weight that knows it would teach that subjects are more likely than they are, and one too many
    would be drawn.
    """
    seen = coverage.sum(1, keepdim=True) * alphas.view(-1, 1, 1, 1)
    weight = 1 + SUBJECT_WEIGHT * seen
    return (weight * (predicted.float() - velocity).square()).mean() / weight.mean()


def _timesteps(number: int, device: torch.device) -> Tensor:
    """120 to 979 in 85 of 100 draws, any in the others."""
    t = torch.randint(120, 980, (number,), device=device)
    anywhere = torch.rand(number, device=device) > 0.85
    return torch.where(anywhere, torch.randint(0, 1000, (number,), device=device), t)
