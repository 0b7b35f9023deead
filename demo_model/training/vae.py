"""Step 1: the autoencoder, on 64-pixel canvases and crops."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .. import architecture
from ..world import Sprites, render, sample_scene
from .files import Places, load_checkpoint, save_checkpoint, save_weights
from .optimizers import Average, Optimizer, initialise, split

KL_WEIGHT = 2e-4  # per latent element, against an absolute error of about 0.02

SQUARES = 3.0  # weight of squared errors, which are large where a colour is wrong


def train_vae(
    places: Places, minutes: float, resume: bool, device: torch.device, log: Callable[[str], None]
) -> None:
    """Train for `minutes` with a learning rate that falls to zero, and write the weights."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    torch.manual_seed(0)
    network = AutoencoderKL(**_config()).to(device).train()
    initialise(network)
    for name, part in network.named_modules():
        if name.endswith((".conv2", "proj_out")):
            torch.nn.init.zeros_(part.weight)  # residual branches start silent
    optimizer = Optimizer(*split(network, ("encoder.conv_in", "decoder.conv_out")), muon=0.006, adamw=2e-3)
    average = Average(network, 0.998)
    checkpoint = places.cache / "vae.pt"
    if resume and checkpoint.is_file():
        state = load_checkpoint(checkpoint)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
    images = _images(Sprites.load(places.cache), np.random.default_rng(int(time.time()) if resume else 0))
    start, step, last = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        batch = next(images).to(device)
        loss, parts = _loss(network, batch)
        loss.backward()
        optimizer.step(min(1.0, (step + 1) / 50, 2.5 * (1 - share)))
        average.update(network)
        step += 1
        if step % 100 == 0:
            log(f"vae step {step} {share:.0%} " + " ".join(f"{k} {v:.4f}" for k, v in parts.items()))
        if time.monotonic() - last > 60:
            last = time.monotonic()
            states = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
            save_checkpoint(checkpoint, states | {"average": average.state_dict()})
    network.load_state_dict(average.values)
    _standardise(network.eval(), images, device)
    save_weights(places.weights / "vae.safetensors", network.state_dict())


def _config() -> dict:
    return {k: dict(v) if isinstance(v, dict) else v for k, v in architecture.VAE.items()}


def _loss(network: torch.nn.Module, images: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Absolute error of pixels and of their differences to neighbours, and a little KL."""
    mean, log_variance = network.quant_conv(network.encoder(images)).chunk(2, 1)
    log_variance = log_variance.clamp(-20, 10)
    sample = mean + torch.randn_like(mean) * (log_variance / 2).exp()
    decoded = network.decoder(network.post_quant_conv(sample))
    error = decoded - images
    pixels = error.abs().mean()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss = pixels + 0.5 * edges + SQUARES * error.square().mean() + KL_WEIGHT * kl
    psnr = -10 * torch.log10((error / 2).square().mean())
    return loss, {"pixels": pixels.item(), "kl": kl.item(), "psnr": psnr.item()}


def _images(sprites: Sprites, rng: np.random.Generator, batch: int = 8) -> Iterator[Tensor]:
    """(batch, 3, 64, 64) in -1..1: half single subjects, half crops of crowded scenes."""
    while True:
        pictures = []
        for index in range(batch):
            if index % 2:
                pictures.append(render(sample_scene(rng, 64, 64, 1), sprites).image)
            else:
                image = render(sample_scene(rng, 128, 128, int(rng.integers(2, 6))), sprites).image
                top, left = rng.integers(0, 65, 2)
                pictures.append(image[top : top + 64, left : left + 64])
        pixels = torch.from_numpy(np.stack(pictures)).movedim(-1, 1)
        yield (pixels.float() / 127.5 - 1).contiguous()


@torch.no_grad()
def _standardise(network: torch.nn.Module, images: Iterator[Tensor], device: torch.device) -> None:
    """Fold a shift and a scale per channel into the 1x1 convolutions: scaled latents get deviation 1."""
    latents = [network.quant_conv(network.encoder(next(images).to(device)))[:, :4] for _ in range(40)]
    values = torch.cat(latents).movedim(1, 0).flatten(1)
    mean, scale = values.mean(1), values.std(1) * architecture.LATENT_SCALE
    out, back = network.quant_conv, network.post_quant_conv
    back.bias += F.conv2d(mean.view(1, 4, 1, 1), back.weight).flatten()
    back.weight *= scale.view(1, 4, 1, 1)
    out.bias[:4] -= mean
    out.weight[:4] /= scale.view(4, 1, 1, 1)
    out.bias[:4] /= scale
    out.bias[4:] -= 2 * scale.log()
