"""A font for a text: Pillow's own has the letters of English only."""

import unicodedata
from collections.abc import Iterator
from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FAMILIES = (  # of Linux, Windows and macOS, those of the most scripts first
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf"),
    *("NotoSansArabic-Regular.ttf", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf"),
    *("segoeui.ttf", "arial.ttf", "msyh.ttc", "msjh.ttc", "meiryo.ttc", "malgun.ttf"),
    *("Arial Unicode.ttf", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Arial.ttf"),
)
NOWHERE = "\uffff"  # no letter: drawn as a font draws what it lacks


def legible(text: str, size: float) -> tuple[str, Font]:
    """The text and a font of this size (pixels) that has all of its letters, of those on the machine.

    Letters that none has lose their accents, or are written as what they are in Unicode (U+8D64).
    """
    letters = frozenset(text)
    complete = (font for font in _fonts(size) if letters == _known(font, letters))
    found = next(complete, None) or max(_fonts(size), key=lambda font: len(_known(font, letters)))
    known = _known(found, letters)
    return "".join(letter if letter in known else _spelled(letter, found) for letter in text), found


def _fonts(size: float) -> Iterator[Font]:
    yield _own(size)
    yield from filter(None, (_installed(name, size) for name in FAMILIES))


@cache
def _own(size: float) -> Font:
    return ImageFont.load_default(size)


@cache
def _installed(name: str, size: float) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@cache
def _known(font: Font, letters: frozenset[str]) -> frozenset[str]:
    lacking = _drawn(font, NOWHERE)
    return frozenset(letter for letter in letters if letter.isspace() or _drawn(font, letter) != lacking)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _spelled(letter: str, font: Font) -> str:
    """A letter that the font lacks."""
    plain = unicodedata.normalize("NFKD", letter)[0]
    return plain if plain in _known(font, frozenset(plain)) else f"U+{ord(letter):04X}"
