"""Edits of a source on tiny models: PromptToPrompt's outputs, and runs of them."""

import torch
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt
from attention_control.nodes.host.run.install import installed

from .node_calls import call_node
from .one_noise_runs import empty
from .one_noise_runs import run as sampled
from .specimen import SHALLOW, model

SOURCE = "a red cat, on the stairs"
EDITS = "a red dog, on the stairs\na very big red cat, on the stairs\na red cat, on the stairs"


def change(clip, source=SOURCE, edits=EDITS, latent=None, shape=SHALLOW, **settings):
    """The node's outputs."""
    latent = empty() if latent is None else latent
    with torch.inference_mode():
        return call_node(PromptToPrompt, model(shape), clip, source, edits, latent=latent, **settings)


def spec(outputs):
    """What the node has put on the MODEL."""
    (patch,) = installed(outputs[0])
    return patch.method


def run(outputs, shape=SHALLOW, **how):
    """Latents of all images after three steps."""
    return sampled(outputs, shape, **{"steps": 3, **how})
