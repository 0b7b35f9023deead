"""The host's caches, which answer some calls of the model by what earlier ones have given."""

from collections.abc import Mapping
from typing import Any

CACHES = {"easycache": "EasyCache", "lazycache": "LazyCache"}  # by the keys of their wrappers


def caches_on(model: Any) -> list[str]:
    """The names of those on a MODEL."""
    return [name for key, name in CACHES.items() if any(key in by_key for by_key in model.wrappers.values())]


def without_caches(model: Any) -> Any:
    """The MODEL, or a clone of it on which there are none."""
    if not caches_on(model):
        return model
    clone = model.clone()
    for place in clone.wrappers:
        for key in CACHES:
            clone.remove_wrappers_with_key(place, key)
    return clone


def computed(wrappers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of a call's options, by place and key, without the caches'."""
    return {
        place: {key: wrapper for key, wrapper in by_key.items() if key not in CACHES}
        for place, by_key in wrappers.items()
    }
