"""Light and dark."""

from .browser import Ui, brief


def test_texts_can_be_read_in_either_theme(own: Ui) -> None:
    """Chips have a contrast of 4.5 : 1 (WCAG 2.1, 1.4.3) against their ground, pinned or not."""
    own.show(brief(), "vue")
    own.run()
    own.viewer.chip("cat").click()
    own.viewer.leave()
    for theme in ("light", "dark"):  # the dark one is the host's own, and stays for other tests
        own.set("Comfy.ColorPalette", theme)
        own.look()
        own.picture(f"vue-{theme}")
        for chip in own.viewer.chips.all():
            text, ground = chip.evaluate(PAINTED)
            assert contrast(text, ground) >= 4.5, (theme, chip.inner_text(), text, ground)


PAINTED = """chip => ["color", "backgroundColor"].map(name => {
    const pixel = new OffscreenCanvas(1, 1).getContext("2d");
    pixel.fillStyle = getComputedStyle(chip)[name];
    pixel.fillRect(0, 0, 1, 1);
    return Array.from(pixel.getImageData(0, 0, 1, 1).data.slice(0, 3));
})"""


def contrast(one: list[int], other: list[int]) -> float:
    """The ratio of two colours' relative luminances, 1 to 21."""
    light = sorted(
        sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), (channel / 255 for channel in colour), strict=True)
        )
        for colour in (one, other)
    )
    return (light[1] + 0.05) / (light[0] + 0.05)
