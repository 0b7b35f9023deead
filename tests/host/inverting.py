"""InvertLatent and ReconstructLatent as the server calls them, on random pictures."""

import comfy.samplers
import comfy.sd
import comfy.utils
import torch
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from attention_control.nodes.inversion.reconstruct_latent_node import ReconstructLatent

from .tiny import conditioning
from .tiny.extras import tiny_lora

STEPS = 5
METHODS = ("ddim", "edit friendly ddpm")


def picture(images=2, height=5, width=9, seed=3):
    """A LATENT as VAE Encode would give it, of an odd size."""
    draw = torch.Generator().manual_seed(seed)
    return {"samples": 4 * torch.randn(images, 4, height, width, generator=draw)}


def prompts(model):
    return conditioning(model, seed=1), conditioning(model, seed=2)


def invert(model, method="edit friendly ddpm", latent=None, cfg=1.0, seed=0, texts=None, **more):
    """The node's outputs, as the server calls it."""
    positive, negative = texts or prompts(model)
    settings = {"scheduler": "ddim_uniform", "steps": STEPS, "negative": negative, **more}
    with torch.inference_mode():
        return InvertLatent.execute(
            model, positive, latent or picture(), method, cfg=cfg, seed=seed, **settings
        ).args


def reconstruct(model, inversion, start=0.0, cfg=1.0, texts=None):
    """Latents in the model's own scale, and the report."""
    positive, negative = texts or prompts(model)
    with torch.inference_mode():
        latent, report = ReconstructLatent.execute(
            model, positive, inversion, start, cfg, negative=negative
        ).args
    return model.model.process_latent_in(latent["samples"]), report


def own_scale(model, latent):
    return model.model.process_latent_in(latent["samples"])


def with_lora(model):
    lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ("to_q", "to_v"))
    return comfy.sd.load_lora_for_models(model, None, lora, 0.5, 0.0)[0]
