"""Step 1: the autoencoder, on whole pictures of both sizes.

Its group norms take their statistics from whole pictures. Trained on crops alone it gives whole pictures a
tint, so no crop is ever shown: batches of single subjects on small canvases, and of whole scenes, in turn.
"""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from .. import architecture
from ..world import Sprites, render, sample_crowd
from .clock import Clock
from .files import Places, has_checkpoint, load_checkpoint, save_checkpoint, save_weights
from .latents import standardise
from .optimizers import Average, Optimizer, initialise, split
from .pool import CANVASES
from .precision import mixed
from .weights import load_part, vae_network, write_list

KL_WEIGHT = 2e-4  # per latent element, against an absolute error of about 0.02
SQUARES = 3.0  # weight of squared errors, which are large where a colour is wrong
MUON, ADAMW = 0.006, 2e-3


def train_vae(
    places: Places,
    minutes: float,
    start: str,
    images: Iterator[Tensor],
    device: torch.device,
    log: Callable[[str], None],
    decoder_only: bool = False,
    until: float = math.inf,
    statistics: int = 80,
    channels: int = architecture.CHANNELS,
) -> bool:
    """Train for `minutes` with a learning rate that falls to zero, write the weights; False if not done.

    `start` is "fresh", "weights" (from the file in the folder of weights) or "checkpoint" (an interrupted
    training goes on; its minutes count; one that is over is not touched). With `decoder_only` the latents
    stay as they are, else their mean and deviation in `statistics` batches are folded into the weights.
    """
    resumed = start == "checkpoint" and has_checkpoint(places.state, "vae")
    state = load_checkpoint(places.state, "vae") if resumed else {"minutes": 0.0, "step": 0}
    over = not resumed or state["minutes"] >= minutes
    if start == "checkpoint" and over and (places.weights / "vae.safetensors").is_file():
        return True  # its latents must stay what a U-Net has learnt
    torch.manual_seed(0)
    network = vae_network(channels).to(device).train()
    if start == "weights":
        network.load_state_dict(load_part(places.weights, "vae"), strict=True)
    else:
        _initialise(network)
    if decoder_only:
        network.encoder.requires_grad_(False)
        network.quant_conv.requires_grad_(False)
    optimizer = Optimizer(*split(network, ("encoder.conv_in", "decoder.conv_out")), muon=MUON, adamw=ADAMW)
    average = Average(network, 0.998)
    clock, step = Clock(minutes, until, state["minutes"]), state["step"]
    if resumed:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
    saved = time.monotonic()
    psnr: dict[int, list[float]] = {}

    def save() -> None:
        states = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        states |= {"average": average.state_dict(), "minutes": clock.spent, "step": step}
        save_checkpoint(places.state, "vae", states)

    with clock:
        while clock.running:
            batch = next(images).to(device)
            loss, decibels = _loss(network, batch, decoder_only)
            loss.backward()
            optimizer.step(min(1.0, (step + 1) / 50, 2.5 * (1 - min(clock.share, 1.0))))
            average.update(network)
            psnr.setdefault(batch.shape[-1], []).append(decibels)
            step += 1
            if step % 20 == 0:
                means = " ".join(f"{side} px {np.mean(values[-50:]):.2f} dB" for side, values in psnr.items())
                log(f"vae step {step} {clock.share:.0%} {means}")
            if time.monotonic() - saved > 60:
                saved = time.monotonic()
                save()
    save()
    if clock.share < 1:
        return False
    network.load_state_dict(network.state_dict() | average.values)
    network.eval()
    if not decoder_only:
        standardise(network, images, device, statistics)
    save_weights(places.weights / "vae.safetensors", network.state_dict())
    write_list(places.weights)
    return True


def _initialise(network: torch.nn.Module) -> None:
    initialise(network)
    for name, part in network.named_modules():
        if name.endswith((".conv2", "proj_out")):
            torch.nn.init.zeros_(part.weight)  # residual branches start silent


def _loss(network: torch.nn.Module, images: Tensor, decoder_only: bool) -> tuple[Tensor, float]:
    """Absolute error of pixels and of their differences to neighbours, squared error, and a little KL."""
    with mixed(images.device):
        with torch.set_grad_enabled(not decoder_only):
            mean, log_variance = network.quant_conv(network.encoder(images)).float().chunk(2, 1)
        log_variance = log_variance.clamp(-20, 10)
        sample = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        decoded = network.decoder(network.post_quant_conv(sample))
    error = decoded.float() - images
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    squares = error.square().mean()
    loss = error.abs().mean() + 0.5 * edges + SQUARES * squares
    if not decoder_only:
        loss = loss + KL_WEIGHT * 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return loss, float(-10 * torch.log10(squares.detach() / 4))


def rendered(sprites: Sprites, numbers: dict[str, int]) -> Iterator[Tensor]:
    """(number, 3, side, side) in -1..1: single subjects on small canvases and whole scenes in turn."""
    rng = np.random.default_rng()
    while True:
        for canvas, batch in numbers.items():
            side = CANVASES[canvas][0]
            counts = rng.integers(1, 6, batch) if side > 64 else np.ones(batch, int)
            pictures = [render(sample_crowd(rng, side, side, int(c)), sprites).image for c in counts]
            pixels = torch.from_numpy(np.stack(pictures)).movedim(-1, 1)
            yield (pixels.float() / 127.5 - 1).contiguous()
