"""AttentionProbe as the server calls it, and attention taken from a forward pass that is set up by hand."""

import math

import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.nodes.inspect.attention_probe_node import AttentionProbe
from comfy_api.latest import io

from .devices import DEVICE
from .tiny import conditioning

SEED, LEVEL = 11, 0.6


def image(images=2, height=6, width=10):
    """A LATENT as VAE Encode would give it."""
    return {"samples": torch.randn(images, 4, height, width, generator=torch.Generator().manual_seed(5))}


def probe(
    model, latent, positive=None, noise_level=LEVEL, seed=SEED, record="both", layers="all", **settings
):
    """The node's maps, as the server calls it."""
    node = AttentionProbe.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    positive = positive or conditioning(model, seed=1)
    with torch.inference_mode():
        (store,) = node.execute(model, positive, latent, noise_level, seed, record, layers, **settings).args
    assert isinstance(store, MapStore)
    return store.read()


def sigma_by_hand(level):
    """Sigma of Stable Diffusion's 1000 steps at this fraction of them, from its betas."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    logs = ((1 - kept) / kept).sqrt().log()
    at = level * 999
    low = min(math.floor(at), 998)
    return float((logs[low] * (low + 1 - at) + logs[low + 1] * (at - low)).exp())


class Hooks:
    """Softmaxes of every attention module while the model's network is called directly."""

    def __init__(self, network):
        self.maps, self.handles = {}, []
        for name, module in network.named_modules():
            if name.endswith((".attn1", ".attn2")):
                hook = module.register_forward_pre_hook(self.hook(name), with_kwargs=True)
                self.handles.append(hook)

    def hook(self, name):
        def keep(module, args, kwargs):
            given = dict(zip(("x", "context"), args, strict=False)) | kwargs
            x, context = given["x"], given.get("context")
            q, k = module.to_q(x), module.to_k(x if context is None else context)
            q, k = (t.double().unflatten(-1, (module.heads, -1)).transpose(1, 2) for t in (q, k))
            self.maps[name] = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)

        return keep

    def of(self, layer, kind):
        """(images, N, M) of a block, found by where it stands in the network."""
        block = {"input": f"input_blocks.{layer.number}.", "output": f"output_blocks.{layer.number}."}
        start = block.get(layer.block, "middle_block.")
        end = f".transformer_blocks.{layer.index}.{'attn2' if kind == 'cross' else 'attn1'}"
        (name,) = [n for n in self.maps if n.startswith(start) and n.endswith(end)]
        return self.maps[name]


def by_hand(model, latent, positive, sigma, noise, scale):
    """Hooks of one call of the network on latent * scale + noise * sigma, without any sampler."""
    base = model.model
    [[text, further]] = positive
    rows = len(latent)
    given = {"c_crossattn": text.expand(rows, -1, -1).to(DEVICE), "transformer_options": {}}
    if base.adm_channels:
        sizes = {"height": latent.shape[2] * 8, "width": latent.shape[3] * 8}
        given["y"] = base.encode_adm(device="cpu", **further, **sizes).expand(rows, -1).to(DEVICE)
    hooks = Hooks(base.diffusion_model)
    with torch.inference_mode():
        noisy = (latent * scale + noise * sigma).to(DEVICE)
        base.apply_model(noisy, torch.full((rows,), sigma, device=DEVICE), **given)
    for handle in hooks.handles:
        handle.remove()
    return hooks
