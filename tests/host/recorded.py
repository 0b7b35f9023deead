"""Runs that are recorded, and the same softmax, in float64, of what the host's attention was given."""

from dataclasses import dataclass
from typing import Any

import torch
from attention_control.attention_patches.maps.recorded import MapStore
from attention_control.attention_patches.maps.recorders.recorder import Recorder
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .specimen import fresh_model
from .tiny import conditioning, sample
from .tiny.precision import nearly

IMAGES = 2
SIZE = {"batch": IMAGES, "height": 6, "width": 10}


@dataclass
class Given:
    """One call of the host's attention."""

    place: tuple[Any, ...]
    sources: list[int]
    sigma: float
    heads: int
    q: torch.Tensor
    k: torch.Tensor

    def softmax(self, source: int) -> torch.Tensor:
        """(images, N, M): head mean in float64 of the rows of one conditioning."""
        rows = self.sources.index(source)
        q, k = (
            x.chunk(len(self.sources))[rows].double().unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.q, self.k)
        )
        return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)


def spied(model):
    """A clone whose every attention call is written down, in the slot that the host offers for that."""
    calls = []

    def spy(func, q, k, v, heads, *rest, **kwargs):
        options = kwargs["transformer_options"]
        place = (*options["block"], options["block_index"])
        sigma = float(options["sigmas"][0])
        calls.append(Given(place, list(options["cond_or_uncond"]), sigma, heads, q.clone(), k.clone()))
        return func(q, k, v, heads, *rest, **kwargs)

    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = spy
    return clone, calls


def recorder(model, **settings):
    """A recorder of everything, and its store."""
    every = family_of(model).layer_map().parse("all")
    store = MapStore()
    return Recorder(**{"store": store, "cross_layers": every, "self_layers": every, **settings}), store


def record(shape_or_model, positive_tokens=77, negative_tokens=77, settings=None, further=(), **how):
    """Maps of one run, and what the attention was given in it."""
    base = fresh_model(shape_or_model) if isinstance(shape_or_model, str) else shape_or_model
    model, calls = spied(base)
    patch, store = recorder(model, **(settings or {}))
    model = install(model, patch)
    for other in further:
        model = install(model, other)
    positive = conditioning(model, seed=1, tokens=positive_tokens)
    negative = conditioning(model, seed=2, tokens=negative_tokens)
    sample(model, positive, negative, **{**SIZE, **how})
    return store.read(), calls


def expected(calls, layer, kind, source, sigmas=None, tokens=77):
    """(images, N, M): the mean over the calls at these noise levels, appended keys and repeats put right."""
    place = (layer.layer.block, layer.layer.number, layer.layer.index)
    number = layer.grid[0] * layer.grid[1]
    softmaxes = []
    for call in calls:
        own = call.k.shape[1] % 77 != 0
        fits = call.place == place and own == (kind == "self") and source in call.sources
        if fits and (sigmas is None or call.sigma in sigmas):
            map_ = call.softmax(source)
            copies = [map_[..., i : i + tokens] for i in range(0, map_.shape[-1], tokens)]
            softmaxes.append(map_[..., :number] if kind == "self" else sum(copies))
    return torch.stack(softmaxes).mean(0)


def assert_maps(maps, calls, source=0, role="positive", tokens=77, slices=None):
    """Every recorded map is what the softmax says, to half precision."""
    assert maps.layers
    for layer in maps.layers:
        place = (layer.layer.block, layer.layer.number, layer.layer.index)
        assert {layer.heads} == {call.heads for call in calls if call.place == place}
        for kind, kept in (("cross", layer.cross_attention), ("self", layer.self_attention)):
            for number, sigmas in enumerate(slices or [None]):
                wanted = expected(calls, layer, kind, source, sigmas, tokens)
                got = kept[role][number, :, 0]
                assert got.shape == wanted.shape
                assert nearly(got.double(), wanted, rtol=2e-3, atol=1e-6)
