"""What the viewer's own outputs show: one drawing per picture and word, or per picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...attention_patches.maps.components import Features, components
from ...attention_patches.maps.point import cell_at, correspondence_from, self_from
from ...attention_patches.maps.word_maps import normalised, ranking, word_maps
from .captions import captioned, marked
from .heat_map import enlarged, heat_over
from .view import MapView, has_cross

LEADING = 3  # words named beside a point


@dataclass(frozen=True)
class Drawing:
    """A picture (height, width, 3) and the heat (height, width) in 0..1 that it shows."""

    picture: Tensor
    heat: Tensor


def draw_words(view: MapView) -> Iterator[Drawing]:
    """All words of the first picture, then all of the second, and so on."""
    if has_cross(view.maps, view.role) and not view.words:
        raise ValueError("prompt: there is no word in it to show; name one in `words`")
    for image in range(view.maps.images):
        heats = normalised(enlarged(_word_maps(view, image), view.size))
        for column in view.asked:
            yield _drawing(view, image, heats[column], view.words[column].text)


def draw_self(view: MapView) -> Iterator[Drawing]:
    """What the point looks at, in each picture."""
    grid = view.finest_grid
    for image in range(view.maps.images):
        seen = self_from(
            view.maps, view.point, grid, image=image, role=view.role, layers=view.layers, slices=view.slices
        )
        words = ", ".join(leading_words(view, image))
        text = f"from here: {words}" if words else "from here"
        yield _drawing(view, image, _heat(seen, view.size), text, mark=True)


def draw_correspondence(view: MapView, source: int) -> Iterator[Drawing]:
    """Where the point of the source picture finds itself again, in each picture."""
    if not 0 <= source < view.maps.images or view.maps.images < 2:
        raise ValueError(
            f"point_image is {source}, and the batch has {view.maps.images} pictures, counted from 0; "
            "correspondence needs a batch of at least 2 and a picture of it"
        )
    grid = view.finest_grid
    for image in range(view.maps.images):
        seen = correspondence_from(
            view.maps,
            view.point,
            grid,
            images=(source, image),
            role=view.role,
            layers=view.layers,
            slices=view.slices,
        )
        text = "the point" if image == source else f"in picture {image}"
        yield _drawing(view, image, _heat(seen, view.size), text, mark=image == source)


def draw_components(view: MapView, features: Features) -> Iterator[Drawing]:
    """Each chosen time slice of the first picture, then of the second, ...; heat is the first component."""
    colours = components(view.maps, features, role=view.role, layers=view.layers, slices=view.slices)
    slices = range(len(view.maps.slices)) if view.slices is None else view.slices
    for image in range(view.maps.images):
        for number, slice_ in enumerate(slices):
            planes = colours[number, image].permute(2, 0, 1)[None]
            large = F.interpolate(planes, view.size, mode="nearest-exact")[0].permute(1, 2, 0)
            caption = f"{features} · t {view.maps.slices[slice_].time:.2f}"
            yield Drawing(captioned(large, caption), large[..., 0])


def outputs(drawings: Iterator[Drawing], threshold: float) -> tuple[Tensor, Tensor]:
    """IMAGE (n, height, width, 3), and MASK (n, height, width): 1 where the heat reaches the threshold."""
    drawn = list(drawings)
    masks = torch.stack([drawing.heat >= threshold for drawing in drawn]).float()
    return torch.stack([drawing.picture for drawing in drawn]), masks


def leading_words(view: MapView, image: int) -> list[str]:
    """The words that are strongest at the point, if words were recorded."""
    if not view.words:
        return []
    maps = _word_maps(view, image, any_layer=True)
    best = ranking(maps, cell_at(view.point, (maps.shape[1], maps.shape[2])))
    return [view.words[column].text for column in best[:LEADING]]


def _word_maps(view: MapView, image: int, any_layer: bool = False) -> Tensor:
    """(words, h, w) on the finest grid."""
    return word_maps(
        view.maps,
        view.words,
        view.finest_grid,
        image=image,
        role=view.role,
        layers=None if any_layer else view.layers,
        slices=view.slices,
    )


def _heat(seen: Tensor, size: tuple[int, int]) -> Tensor:
    return normalised(enlarged(seen[None], size))[0]


def _drawing(view: MapView, image: int, heat: Tensor, text: str, mark: bool = False) -> Drawing:
    picture = heat_over(view.pictures[image], heat, view.colour_map)
    if mark:
        picture = marked(picture, view.point)
    return Drawing(captioned(picture, text + view.where()), heat)
