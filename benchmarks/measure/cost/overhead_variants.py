"""The patches whose cost is measured, and the floor of StyleAligned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from attention_control.attention_patches.contract.attention_part import Attend, Order
from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.contract.call.site import Site
from attention_control.attention_patches.contract.method import Method, Part
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.attention_patches.methods.bounded_attention.method import (
    BoundedAttention,
)
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install


class Nowhere:
    """A part that wants no site."""

    order: ClassVar[Order] = "edit"

    def wants(self, site: Site) -> bool:
        return False

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> torch.Tensor:
        return attend(qkv)


@dataclass(frozen=True, kw_only=True)
class Bystander(Method):
    """What being asked at every site costs."""

    label: ClassVar[str] = "Bystander"

    def begin(self, batch: Batch) -> Sequence[Part]:
        return [Nowhere()]


def doubled_keys(func: Callable[..., Any], q: Any, k: Any, v: Any, heads: int, **kwargs: Any) -> Any:
    """An `optimized_attention_override`: every self-attention with its own keys twice."""
    if q.shape[1] == k.shape[1]:
        k, v = torch.cat([k, k], dim=1), torch.cat([v, v], dim=1)
    return func(q, k, v, heads, **kwargs)


def bounded(model: Any, images: int) -> Any:
    """Bounded Attention with its masks alone: three subjects, in places of their own in each image."""
    shifts = [0.02 * image for image in range(images)]
    places = [
        [
            ((2, 3), (0.05 + x, 0.2, 0.4 + x, 0.8)),
            ((6, 7), (0.5 + x, 0.2, 0.9 + x, 0.8)),
            ((9,), (0.1, 0.85, 0.9, 1)),
        ]
        for x in shifts
    ]
    subjects = [tuple(Subject("", tokens, (box,)) for tokens, box in image) for image in places]
    layout = Layout(tuple(subjects), fillers=(1, 4), ends=(12,))
    layers = family_of(model).layer_map().parse("all")
    return install(model, BoundedAttention(layers=layers, layout=layout, refine_from=1.0))


def variants(model: Any, images: int) -> dict[str, Any]:
    floor = model.clone()
    floor.model_options["transformer_options"]["optimized_attention_override"] = doubled_keys
    every = family_of(model).layer_map().parse("all")
    return {
        "unpatched": model,
        "a patch that wants no site": install(model, Bystander()),
        "floor: doubled keys": floor,
        "StyleAligned": install(model, StyleAligned(layers=every)),
        "StyleAligned, shared group norm": install(model, StyleAligned(layers=every, share_group_norm=True)),
        "recorder, cross-attention": install(model, Recorder(store=MapStore(), cross_layers=every)),
        "recorder, cross- and self-attention": install(
            model, Recorder(store=MapStore(), cross_layers=every, self_layers=every)
        ),
        "Bounded Attention, masks": bounded(model, images),
    }
