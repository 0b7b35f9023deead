"""Where the subject of a picture is: self-segmentation from one look of the model at it."""

from typing import Any

import torch
from torch import Tensor

from ...attention_patches.maps.recorded import AttentionMaps, MapStore
from ...attention_patches.maps.recorders.recorder import Recorder
from ...attention_patches.maps.self_segmentation.segmentation import SelfSegmentation
from ..host.families import family_of
from ..host.run.install import reinstalled
from ..host.text.clip_tokens import prompt_tokens
from ..host.text.prompt_batch import encode_rows
from ..host.walks.probe import Probe
from ..inputs.named_errors import of_input

PROMPT = "a photo of a {}"  # paper
NOISE_LEVEL = 0.48  # the paper's masks come from step 20 of 68, after the 32 noisiest of 100 steps
ABOVE_THE_OTHERS = 1.4  # times the mean score of all segments but the best, in the authors' code
MOST_TOKENS = 1024  # of a segmented layer: 32 x 32


def subject_masks(model: Any, clip: Any, latents: Tensor, subject: str) -> Tensor:
    """(B, h, w) bool for pictures (B, C, h, w) in the latents of a LATENT; empty where nothing is labelled.

    Raises ValueError if the text encoder is not one whose words can be found, or all layers are too large.
    """
    prompt = PROMPT.format(subject)
    try:
        tokens = prompt_tokens(clip, prompt)
    except ValueError as error:
        raise of_input(error, "subject") from None
    try:
        word = tokens.find(subject)
    except ValueError as error:
        raise ValueError(f"subject: {error}") from error
    maps = _look(model, encode_rows(clip, [prompt]), latents)
    size = (latents.shape[-2], latents.shape[-1])
    found = SelfSegmentation()(maps, (word,))
    return torch.stack([object_segments(picture.scores[:, 0])[picture.enlarged(size)] for picture in found])


def object_segments(scores: Tensor) -> Tensor:
    """(segments,) bool: which are the subject, by its scores in each (authors' code)."""
    others = (scores.sum() - scores.max()) / max(len(scores) - 1, 1)
    return scores > ABOVE_THE_OTHERS * others


def _look(model: Any, positive: Any, latents: Tensor) -> AttentionMaps:
    layers = frozenset(layer.ordinal for layer in family_of(model).layer_map().layers)
    recorder = Recorder(
        store=MapStore(),
        cross_layers=layers,
        self_layers=layers,
        self_max_tokens=MOST_TOKENS,
        time_bins=1,
    )
    plain = reinstalled(model, ())  # methods on the model are made for its own run
    maps = Probe(positive, {"samples": latents}, NOISE_LEVEL, seed=0).maps(plain, recorder)
    if maps is None:
        raise ValueError(
            f"subject: no layer of at most {MOST_TOKENS} tokens was seen, so the picture cannot be cut into "
            "segments. Leave `subject` empty and connect masks."
        )
    return maps
