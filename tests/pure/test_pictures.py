"""Heat over pictures, captions, colour maps."""

import pytest
import torch
from attention_control.nodes.pictures import fonts
from attention_control.nodes.pictures.captions import captioned, marked
from attention_control.nodes.pictures.colour_maps import COLOURS, colour_table, coloured
from attention_control.nodes.pictures.fonts import legible
from attention_control.nodes.pictures.heat_map import enlarged, heat_over

LUMA = torch.tensor([0.2126, 0.7152, 0.0722])
BRIGHT, MIDDLE, DARK = (torch.full((96, 160, 3), x) for x in (1.0, 0.5, 0.0))


@pytest.mark.parametrize("name", [n for n in COLOURS if n != "turbo"])
def test_more_heat_is_brighter(name):
    """Every colour map but the rainbow grows steadily in lightness."""
    assert (colour_table(name) @ LUMA).diff().min() > 0


@pytest.mark.parametrize("name", COLOURS)
def test_tables_begin_and_end_as_written(name):
    """256 colours in 0..1 through the first and the last stop."""
    table, stops = colour_table(name), COLOURS[name].split()
    assert table.shape == (256, 3)
    for colour, stop in ((table[0], stops[0]), (table[-1], stops[-1])):
        assert bytes((colour * 255).round().byte().tolist()).hex() == stop
    assert torch.equal(coloured(torch.tensor([[0.0, 1.0]]), name)[0], table[[0, -1]])


@pytest.mark.parametrize("picture", [BRIGHT, MIDDLE, DARK], ids=["bright", "middle", "dark"])
@pytest.mark.parametrize("name", COLOURS)
def test_heat_shows_on_every_picture(picture, name):
    """Hot, warm and cold places can be told apart."""
    heat = torch.zeros(96, 160)
    heat[:, 50:100], heat[:, 100:] = 0.5, 1.0
    seen = heat_over(picture, heat, name)
    cold, warm, hot = seen[0, 0], seen[0, 60], seen[0, -1]
    assert min((cold - warm).norm(), (warm - hot).norm(), (cold - hot).norm()) > 0.15
    assert seen.min() >= 0 and seen.max() <= 1


@pytest.mark.parametrize("picture", [BRIGHT, MIDDLE, DARK], ids=["bright", "middle", "dark"])
def test_captions_are_white_on_dark_in_the_lower_left(picture):
    """On bright, middling and dark pictures; nothing else of the picture changes."""
    drawn = captioned(picture, "cat")
    changed = ((drawn - picture).abs() > 0.01).any(-1).nonzero()
    assert changed[:, 0].min() > 60 and changed[:, 1].max() < 60
    label = drawn[75:92, 5:30] @ LUMA
    assert label.max() > 0.9 and label.median() < 0.35


def test_long_captions_are_shortened():
    """They stay inside the picture, however narrow."""
    for width in (24, 64, 160):
        drawn = captioned(torch.ones(96, width, 3), "a very long caption " * 9)
        assert drawn.shape == (96, width, 3)
        assert torch.equal(drawn[:, -1], torch.ones(96, 3))


def test_letters_of_other_languages_can_be_told_apart():
    """A font of the machine draws them; any browser brings one that has Greek and Cyrillic."""
    words = ["\u043a\u043e\u0442", "\u043a\u0438\u0442", "\u03b3\u03ac\u03c4\u03b1", "caf\u00e9"]
    shown = [legible(word, 20) for word in words]
    assert [text for text, _ in shown] == words
    assert not torch.equal(captioned(BRIGHT, words[0]), captioned(BRIGHT, words[1]))


def test_letters_that_no_font_has_are_spelled(monkeypatch):
    """Without their accents, or as what they are in Unicode; what Pillow has of its own stays."""
    monkeypatch.setattr(fonts, "FAMILIES", ("no such font.ttf",))
    assert legible("a caf\u00e9 \u00b7 \u732b\u2026", 20)[0] == "a cafe \u00b7 U+732B\u2026"


@pytest.mark.parametrize("picture", [BRIGHT, DARK], ids=["bright", "dark"])
def test_marks_stand_where_the_point_is(picture):
    """A black and white ring, its centre at (x, y)."""
    changed = ((marked(picture, (0.25, 0.75)) - picture).abs() > 0.01).any(-1).nonzero().float()
    assert (changed.mean(0) - torch.tensor([72.0, 40.0])).abs().max() < 1.5


def test_enlarging_is_smooth_and_never_negative():
    """To sizes that are no multiple of the grid; a map of that size stays as it is."""
    maps = torch.zeros(2, 3, 5)
    maps[0, 1, 2] = 1
    large = enlarged(maps, (101, 67))
    assert large.shape == (2, 101, 67) and large.min() == 0
    peak = divmod(int(large[0].argmax()), 67)
    assert abs(peak[0] - 50) <= 1 and abs(peak[1] - 33) <= 1
    assert torch.equal(enlarged(large, (101, 67)), large)
