"""What the widget in the browser gets: numbers and names, and which files to load when they are needed."""

from typing import Any

import numpy as np

from ....attention_patches.maps.components import Features
from ....attention_patches.maps.recorded import RecordedLayer
from ..captions import to_pillow
from ..view import MapView
from .atlas_files import AtlasFiles
from .counterparts import too_large
from .row_files import Save

VERSION = 1


def payload(
    view: MapView, mode: str, features: Features, save: Save, remark: str | None = None
) -> dict[str, Any]:
    """Version 1. `chosen` are the columns of the words that were asked for; a remark is shown below the
    picture."""
    maps = view.maps
    files = AtlasFiles(view, save)
    matches = [files.correspondence(image) for image in range(maps.images)]
    lacking = too_large(view) if mode == "correspondence" and not any(matches) else ""
    coloured = files.components(features) if mode == "components" else [[] for _ in view.pictures]
    return {
        "version": VERSION,
        "model": {"layers_total": len(maps.model.layers), "family": maps.model.family},
        "size": [view.size[1], view.size[0]],
        "slices": [{"start": s.start, "end": s.end, "time": round(s.time, 4)} for s in maps.slices],
        "layers": [_layer(layer) for layer in maps.layers],
        "words": [{"text": word.text, "positions": list(word.positions)} for word in view.words],
        "chosen": list(view.asked),
        "colormap": view.colour_map,
        "threshold": view.threshold,
        "mode": mode,
        "remark": " ".join(filter(None, (remark, lacking))),
        "point": list(view.point),
        "layer": _only([n for n, x in enumerate(maps.layers) if x.layer.ordinal in (view.layers or ())]),
        "time": _only(view.slices or ()),
        "images": [
            {
                "picture": save(np.array(to_pillow(view.pictures[image]))),
                "cross": files.cross(image),
                "self": files.own(image),
                "correspondence": matches[image],
                "components": coloured[image],
            }
            for image in range(maps.images)
        ],
    }


def without_maps(message: str) -> dict[str, Any]:
    """Version 1, where there is nothing to show but a sentence."""
    return {"version": VERSION, "images": [], "message": message}


def _layer(layer: RecordedLayer) -> dict[str, Any]:
    place = layer.layer
    return {"ordinal": place.ordinal, "total": place.total, "name": str(place), "grid": list(layer.grid)}


def _only(chosen: Any) -> int | None:
    return chosen[0] if len(chosen) == 1 else None
