"""The gradient of a guidance as anyone would write it first: the whole U-Net, both prompts, nothing saved."""

from typing import Any

import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.attention_patches.contract.objective import Objective
from attention_control.nodes.host.families import family_of

from measure.setting.models import noise


def make_ready(model: Any) -> None:
    """Ordinary weights in place of inference tensors, as the naive way needs them."""
    for module in model.model.diffusion_model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(parameter.clone(), requires_grad=False)


def naive(model: Any, prompts: Any, latent: tuple[int, int], objective: Objective) -> None:
    """The gradient through the whole U-Net for both prompts."""
    measured = {}
    layers = family_of(model).layer_map()
    sizes = family_of(model).layer_sizes(latent)

    def attend(kind: Any) -> Any:
        def replacement(q: Any, k: Any, v: Any, options: dict[str, Any]) -> Any:
            layer = layers.find(*options["block"], options["block_index"])
            assert isinstance(layer, Layer)
            heads = (x.unflatten(-1, (options["n_heads"], -1)).transpose(1, 2) for x in (q, k, v))
            q, k, v = heads
            if (layer.ordinal, kind) in objective.order:
                rows = Rows((0,), 1, (Text("positive", 0, 77),))
                grid = sizes[layer.ordinal].grid
                none, keys = slice(0, 0), slice(0, k.shape[2])
                site = Site("U-Net", kind, layer, grid, none, keys, q.shape[1], 0.0, 1.0, rows)
                half = QKV(q[1:], k[1:], v[1:])
                measured[layer.ordinal, kind] = objective.measure(site, half)
            out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            return out.transpose(1, 2).flatten(2)

        return replacement

    places = [(layer.block, layer.number) for layer in layers.layers]
    options = {
        "patches_replace": {
            name: {place: attend(kind) for place in places}
            for name, kind in (("attn1", "self"), ("attn2", "cross"))
        }
    }
    device = model.load_device
    x = noise(model, *latent, seed=1).to(device).requires_grad_()
    text = torch.cat([prompts[1][0][0], prompts[0][0][0]]).clone().to(device)
    sigma = torch.full((2,), 10.0, device=device)
    model.model.apply_model(torch.cat([x, x]), sigma, c_crossattn=text, transformer_options=options)
    objective.loss(measured, 1).sum().backward()
