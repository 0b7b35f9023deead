"""Step 4: the U-Net and the text encoder together."""

import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..world import Scene, caption
from .attention import CrossAttention, shorten
from .binding import binding_loss, noun_masks
from .files import Places, load_checkpoint, save_checkpoint, save_weights
from .optimizers import Average, Optimizer, initialise, split
from .pool import Pool, load_pool
from .text import TrainableText, Words, initialise_text
from .weights import load_part, write_list

BATCH = {"small": 128, "full": 32}
CAPTION_DROPOUT = 0.1
SUBJECT_WEIGHT = 4.0  # how much more a cell full of a subject counts than one of background
EMA_DECAY = 0.995
MUON, ADAMW = 0.02, 2e-3


@dataclass(frozen=True)
class Plan:
    """How long to train, and which share of that time the learning rate falls to zero in."""

    minutes: float
    decay: float
    small_share: tuple[float, float]  # of the steps, at the start and at the end
    binding: float  # weight of the auxiliary loss on the nouns' cross-attention; 0 is plain training

    def scale(self, share: float, step: int) -> float:
        tail = (1 - share) / self.decay if self.decay > 0 else 1.0
        return min(1.0, (step + 1) / 100, tail)

    def small(self, share: float) -> float:
        first, last = self.small_share
        return first + (last - first) * share


class Trained(nn.Module):
    """U-Net and text encoder as one module, so that one optimiser and one average hold both."""

    def __init__(self) -> None:
        super().__init__()
        from ...nodes.host.demo_model import SD1Tokenizer, build_denoiser, build_text_encoder

        denoiser = build_denoiser()
        self.unet = denoiser.diffusion_model.requires_grad_(True).train()
        self.register_buffer("alphas", 1 / (1 + denoiser.model_sampling.sigmas**2))
        self._transformer = [build_text_encoder().clip_l.transformer.requires_grad_(True)]  # not a submodule
        _initialise_unet(self.unet)
        initialise_text(self._transformer[0])
        self.text = TrainableText(self._transformer[0], Words(SD1Tokenizer()))

    def load_weights(self, folder: Path) -> None:
        self.unet.load_state_dict(load_part(folder, "unet"), strict=True)
        table = load_part(folder, "text")
        self._transformer[0].load_state_dict(table, strict=True)
        rows = table["text_model.embeddings.token_embedding.weight"][self.text.words.rows]
        self.text.embedding.data.copy_(rows)

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
    """Latents (B, 4, h, w), coverage (B, 5, h, w) in 0..1 of each scene's subjects, and one caption each."""

    latents: Tensor
    coverage: Tensor
    scenes: list[Scene]
    captions: list[str]


class Batches:
    """Random batches of latents and fresh captions from the pools."""

    def __init__(self, cache: Path, rng: np.random.Generator, device: torch.device) -> None:
        self.cache = cache
        self.rng = rng
        self.device = device
        self.files: list[Path] | None = None
        self.pools: dict[str, Pool] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the pools again if their files have changed: they may grow while training runs."""
        files = sorted(self.cache.glob("pool-*.pt"))
        if files != self.files:
            self.pools = {name: load_pool(self.cache, name) for name in BATCH}
            self.files = files

    def draw(self, canvas: str) -> Batch:
        pool = self.pools[canvas]
        chosen = self.rng.integers(0, len(pool.scenes), BATCH[canvas])
        captions = [
            "" if self.rng.random() < CAPTION_DROPOUT else caption(pool.scenes[i], self.rng) for i in chosen
        ]
        latents, coverage = pool.latents[chosen].float(), pool.coverage[chosen].float() / 255
        scenes = [pool.scenes[i] for i in chosen]
        return Batch(latents.to(self.device), coverage.to(self.device), scenes, captions)


def denoising_loss(
    trained: Trained, batch: Batch, rng: np.random.Generator, binding: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Squared error of the velocity, the same for all timesteps, larger on subjects; and the binding loss.

    Timesteps are drawn mostly where text and layout are decided. Without a weight the binding loss is 0.
    """
    latents = batch.latents
    number = len(latents)
    times = np.where(rng.random(number) < 0.85, rng.integers(120, 980, number), rng.integers(0, 1000, number))
    t = torch.from_numpy(times).to(latents.device)
    alpha = trained.alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    context, lengths = trained.text.encode_batch(batch.captions)
    pixels = latents.shape[2] * latents.shape[3]
    keys, bias = shorten(context, lengths, {pixels, pixels // 4})
    override = CrossAttention(bias, keep_maps=binding > 0)
    options = {"optimized_attention_override": override}
    predicted = trained.unet(noisy, t, context=keys, transformer_options=options)
    weight = 1 + SUBJECT_WEIGHT * batch.coverage.sum(1, keepdim=True)
    denoising = (weight * (predicted - velocity).square()).mean() / weight.mean()
    if binding == 0:
        return denoising, denoising.new_zeros(())
    nouns = noun_masks(trained.text.words, batch.captions, batch.scenes, batch.coverage)
    return denoising, binding_loss(override.maps, *nouns)


def train_unet(
    places: Places,
    plan: Plan,
    resume: bool,
    from_weights: bool,
    device: torch.device,
    log: Callable[[str], None],
) -> None:
    """Train for the plan's minutes; checkpoints and averaged weights are written every two minutes."""
    torch.manual_seed(int(time.time()))
    trained = Trained().to(device)
    if from_weights:
        trained.load_weights(places.weights)
    optimizer = Optimizer(*split(trained, ("unet.input_blocks.0.", "unet.out.")), MUON, ADAMW)
    average = Average(trained, EMA_DECAY)
    progress = {"step": 0, "small": 0, "full": 0, "minutes": 0.0}
    checkpoint = places.cache / "unet.pt"
    if resume:
        _restore(load_checkpoint(checkpoint), trained, optimizer, average, progress)
    batches = Batches(places.cache, np.random.default_rng(int(time.time())), device)
    stop = _stop_on_signal()
    before, start, saved, losses = (
        progress["minutes"],
        time.monotonic(),
        time.monotonic(),
        {"small": [], "full": [], "binding": []},
    )
    decaying = False
    while (share := (time.monotonic() - start) / (60 * plan.minutes)) < 1 and not stop:
        canvas = "small" if batches.rng.random() < plan.small(share) else "full"
        batch = batches.draw(canvas)
        loss, bound = denoising_loss(trained, batch, batches.rng, plan.binding)
        (loss + plan.binding * bound).backward()
        optimizer.step(plan.scale(share, progress["step"]))
        average.update(trained)
        losses[canvas].append(loss.item())
        losses["binding"].append(bound.item())
        progress["step"] += 1
        progress[canvas] += len(batch.latents)
        progress["minutes"] = before + (time.monotonic() - start) / 60
        if progress["step"] % 50 == 0:
            means = " ".join(
                f"{name} {np.mean(values[-100:]):.4f}" for name, values in losses.items() if values
            )
            seen = f"{progress['small']}+{progress['full']}"
            log(f"unet step {progress['step']} {share:.0%} seen {seen} loss {means}")
        if plan.decay > 0 and not decaying and share > 1 - plan.decay:
            decaying = True
            save_checkpoint(
                places.cache / "unet-before-decay.pt", _state(trained, optimizer, average, progress)
            )
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            batches.refresh()
            _save(places, checkpoint, trained, optimizer, average, progress)
    _save(places, checkpoint, trained, optimizer, average, progress)
    log(f"unet stopped after step {progress['step']}, {progress['minutes']:.0f} minutes in all")


def _stop_on_signal() -> list[int]:
    """A list that fills when the process is asked to end, so that the last step is saved."""
    signals: list[int] = []
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda number, frame: signals.append(number))
    return signals


def _state(
    trained: Trained, optimizer: Optimizer, average: Average, progress: dict[str, Any]
) -> dict[str, Any]:
    states = {
        "trained": trained.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict(),
    }
    return states | {"progress": dict(progress)}


def _restore(
    state: dict[str, Any], trained: Trained, optimizer: Optimizer, average: Average, progress: dict[str, Any]
) -> None:
    trained.load_state_dict(state["trained"])
    optimizer.load_state_dict(state["optimizer"])
    average.load_state_dict(state["average"])
    progress.update(state["progress"])


def _save(
    places: Places,
    checkpoint: Path,
    trained: Trained,
    optimizer: Optimizer,
    average: Average,
    progress: dict[str, Any],
) -> None:
    save_checkpoint(checkpoint, _state(trained, optimizer, average, progress))
    trained.save_weights(places.weights, average.values)
    if not all(math.isfinite(v.sum().item()) for v in average.values.values()):
        raise RuntimeError("the averaged weights are no longer finite; go on from an earlier checkpoint")
