"""The sheet shows every picture of every batch, in order, batch beside batch."""

import colorsys
from pathlib import Path

import pytest
from PIL import Image

from contact_sheet import Batch, contact_sheet, thumbnail
from demo_pictures import Result, encoded, save_all
from host_client import Picture


def colours(count: int, first: float) -> list[tuple[int, int, int]]:
    """Distinct saturated colours."""
    hues = [first + i / (2 * count) for i in range(count)]
    return [
        (round(255 * r), round(255 * g), round(255 * b))
        for r, g, b in (colorsys.hsv_to_rgb(hue, 1, 1) for hue in hues)
    ]


def centre_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    """The centre of the area of exactly this colour; fails if there is none."""
    grid = [(x, y) for x in range(0, sheet.width, 4) for y in range(0, sheet.height, 4)]
    spots = [place for place in grid if sheet.getpixel(place) == colour]
    assert spots, f"{colour} is not on the sheet"
    return sum(x for x, _ in spots) / len(spots), sum(y for _, y in spots) / len(spots)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [(32, 32), (300, 200)])
def test_every_picture_is_on_the_sheet_in_reading_order(count: int, size: tuple[int, int]) -> None:
    """The second batch lies right of the first, and each reads from left to right, row by row."""
    shades = [colours(count, 0.0), colours(count, 0.5)]
    sheet = contact_sheet([Batch("x", [Image.new("RGB", size, c) for c in batch]) for batch in shades])
    places = [[centre_of(sheet, colour) for colour in batch] for batch in shades]
    assert max(x for x, _ in places[0]) < min(x for x, _ in places[1])
    for batch in places:
        assert batch == sorted(batch, key=lambda place: (round(place[1]), place[0]))


def test_many_batches_stand_in_lines() -> None:
    """Six batches make two lines of three, in reading order."""
    shades = colours(6, 0.0)
    sheet = contact_sheet([Batch("x", [Image.new("RGB", (128, 128), shade)]) for shade in shades])
    places = [centre_of(sheet, shade) for shade in shades]
    assert places == sorted(places, key=lambda place: (round(place[1]), place[0]))
    assert [len({round(place[axis]) for place in places}) for axis in (0, 1)] == [3, 2]


def test_small_pictures_stand_beside_large_ones_at_their_size() -> None:
    """A batch of small pictures is enlarged to about the size of the other's."""
    red, blue = (255, 0, 0), (0, 0, 255)
    sheet = contact_sheet([Batch("x", [Image.new("RGB", (s, s), c)]) for c, s in ((red, 64), (blue, 640))])
    areas = {colour: number for number, colour in sheet.getcolors(sheet.width * sheet.height) or ()}
    assert areas[red] == pytest.approx(areas[blue], rel=0.1)


@pytest.mark.parametrize("size", [(64, 64), (512, 128)])
def test_a_thumbnail_is_a_square_of_the_result(size: tuple[int, int]) -> None:
    """Every picture of the last batch, of any aspect ratio, and none of the others."""
    plain, *result = colours(3, 0.0)
    batches = [[plain], result]
    square = thumbnail([Batch("x", [Image.new("RGB", size, c) for c in batch]) for batch in batches])
    assert square.size == (400, 400)
    seen = {colour for number, colour in square.getcolors(400 * 400) or () if number > 1000}
    assert seen - {(255, 255, 255)} == set(result)


@pytest.mark.parametrize(
    ("folders", "saved"),
    [
        (("plain", "plain"), ["one.png", "two.png"]),
        (("plain", "styled"), ["plain/cat.png", "styled/cat.png"]),
    ],
)
def test_pictures_of_one_name_stay_apart(tmp_path: Path, folders: tuple[str, str], saved: list[str]) -> None:
    """They keep their subfolders; others stand in one folder."""
    names = ("one.png", "two.png") if folders[0] == folders[1] else ("cat.png", "cat.png")
    pictures = [
        Picture(str(node), name, folder, "output")
        for node, name, folder in zip((1, 2), names, folders, strict=True)
    ]
    prompt = {picture.node: {"class_type": "SaveImage", "inputs": {}} for picture in pictures}
    contents = [encoded(Image.new("RGB", (64, 64), colour), "PNG") for colour in ("red", "blue")]
    paths = save_all(Result(prompt, pictures, contents), tmp_path, "sheet", None)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [*saved, "sheet.png"]
    assert [path.read_bytes() for path in paths[:2]] == contents
