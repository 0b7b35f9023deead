"""One attention call with every kind of row in it, through a method and through its naive version."""

import torch
from attention_control.attention_patches.attention.attention import attention
from attention_control.attention_patches.attention.chain import chain
from attention_control.attention_patches.contract.attention_part import AttentionPart
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Kind, Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.nodes.host.families import family_of
from torch import Tensor

from . import naive
from .devices import DEVICE
from .specimen import IMAGES, Specimen, model


def naive_result(method: Specimen, qkv: QKV, site: Site) -> Tensor:
    """The naive version of every chunk."""
    chunks = zip(site.rows.chunks, site.rows.texts, strict=True)
    return torch.cat(
        [
            method.chunk(
                *(x[rows] for x in (qkv.q, qkv.k, qkv.v)),
                naive.Where(site.kind, site.grid, text is not None and text.role == "positive"),
            )
            for rows, text in chunks
        ]
    )


def attention_call(dtype: torch.dtype, kind: Kind = "self", offset: float = 0.0) -> tuple[QKV, Site]:
    """Two chunks of IMAGES images, 3 heads, a grid of 5 x 7; each image with a mean and spread of its own.
    In cross-attention a text of 11 tokens.

    `offset` moves all keys, as trained models do: it is lost in a softmax, and costs sums in half precision.
    """
    generator = torch.Generator().manual_seed(3)
    rows = Rows((1, 0), IMAGES, (Text("negative", 0, 11), Text("positive", 0, 11)))
    keys = 35 if kind == "self" else 11
    q, k, v = (
        torch.randn(rows.total, 3, n, 8, generator=generator)
        * (0.5 + torch.rand(rows.total, 3, 1, 8, generator=generator))
        + 0.5 * torch.randn(rows.total, 3, 1, 8, generator=generator)
        for n in (35, keys, keys)
    )
    k = k + offset * torch.eye(8)[0]
    q = q * (1 - torch.eye(8)[0]) if offset else q
    site = Site(
        family="U-Net",
        kind=kind,
        layer=Layer(1, 16, "input", 1, 0),
        grid=(5, 7),
        image_tokens=slice(0, keys if kind == "self" else 0),
        text_tokens=slice(0, keys if kind == "cross" else 0),
        heads=3,
        percent=0.5,
        sigma=1.0,
        rows=rows,
    )
    return QKV(*(x.to(DEVICE, dtype) for x in (q, k, v))), site


def result(method: Specimen, shape: str, qkv: QKV, site: Site) -> Tensor:
    scale = qkv.logit_scale

    def backend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        if bias is not None:
            assert bias.is_floating_point() and bias.dtype == q.dtype, f"mask of {bias.dtype}"
            assert bool((bias.amax(-1) > -1000).all()), "a query sees nothing"
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)

    parts = method.make(model(shape)).begin(batch(shape, site))
    wanted = [part for part in parts if isinstance(part, AttentionPart) and part.wants(site)]
    assert wanted
    return chain(wanted, site, lambda x: attention(x, backend, backend))(qkv)


def batch(shape: str, site: Site) -> Batch:
    """The run that a call at this site is part of."""
    family = family_of(model(shape))
    return Batch(
        images=site.rows.images,
        latent=site.grid,
        layers=family.layer_map(),
        layer_sizes=family.layer_sizes(site.grid),
        presets=family.presets(site.grid),
        conditionings={"positive": [1], "negative": [1]},
        texts=[text for text in site.rows.texts if text is not None],
        tell=lambda line: None,
    )
