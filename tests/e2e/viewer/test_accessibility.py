"""The viewer is for everybody: checked by axe-core, by keys alone, with larger letters, without motion."""

from .accessibility import complaints
from .browser import VIEWER, Ui, once, renderer

FOCUSED = """() => {
    const element = document.activeElement;
    if (!element.closest(".amv")) return null;
    const ring = getComputedStyle(element).outlineStyle !== "none";
    return [element.getAttribute("aria-label") ?? element.textContent, ring];
}"""
SIZES = """rem => {
    document.documentElement.style.fontSize = rem;
    const measured = [".amv-title", ".amv-chip", ".amv-place", ".amv-toolbar select"].map(part => {
        const element = document.querySelector(part);
        return [parseFloat(getComputedStyle(element).fontSize), element.offsetHeight];
    });
    document.documentElement.style.fontSize = "";
    return measured.flat();
}"""
RANKED = """() => [...document.querySelectorAll(".amv-ranking > div")].map(row => {
    const painted = paints => {
        const pixel = new OffscreenCanvas(1, 1).getContext("2d");
        for (const paint of paints) {
            pixel.fillStyle = paint;
            pixel.fillRect(0, 0, 1, 1);
        }
        return Array.from(pixel.getImageData(0, 0, 1, 1).data.slice(0, 3));
    };
    const bar = getComputedStyle(row).backgroundImage.match(/^linear-gradient\\((.*?\\)) 0/)[1];
    const ground = getComputedStyle(row.parentElement).backgroundColor;
    return [painted(["white", ground, bar]), painted([getComputedStyle(row).color])];
})"""
STAGE = "The picture. Arrow keys move the crosshair, Enter keeps it, Escape lets go."


def test_nobody_is_shut_out(ui: Ui, axe: str) -> None:
    """In either renderer and theme, with a word kept: nothing serious or critical."""
    ui.viewer.chip("cat").click()
    ui.viewer.point_at(0.7, 0.4)
    found = list(complaints(ui, axe, ".amv", VIEWER))
    ui.picture(f"{renderer(ui)}-accessible")
    assert found == []
    rows = ui.page.evaluate(RANKED)
    assert rows and min(contrast(*row) for row in rows) >= 4.5  # WCAG 2.1, 1.4.3, over a white picture


def test_keys_reach_everything_in_order(ui: Ui) -> None:
    """By Tab, each with a ring round it, and out again at either end."""
    viewer = ui.viewer
    viewer.chips.first.focus()
    ui.page.keyboard.press("ArrowRight")
    found = []
    while (focused := ui.page.evaluate(FOCUSED)) and len(found) < 20:
        found.append(focused)
        ui.page.keyboard.press("Tab")
    row = ["View", "Colour map", "Opacity of the map", "Use for outputs", "Save PNG"]
    assert [name for name, _ in found] == ["cat", STAGE, "Play over time", "time", "layer", *row]
    assert [name for name, ring in found if not ring] == []
    viewer.chip("cat").focus()
    ui.page.keyboard.press("Shift+Tab")
    assert ui.page.evaluate(FOCUSED) is None


@once
def test_sizes_follow_the_letters(ui: Ui) -> None:
    """A quarter larger where the page's letters are."""
    plain, large = (ui.page.evaluate(SIZES, size) for size in ("16px", "20px"))
    assert all(1.2 <= one / other <= 1.3 for one, other in zip(large, plain, strict=True)), (plain, large)


@once
def test_nothing_moves_where_motion_is_reduced(ui: Ui) -> None:
    """Chips change at once; without that wish they fade."""
    lasts = "chip => getComputedStyle(chip).transitionDuration"
    fading = ui.viewer.chips.first.evaluate(lasts)
    ui.page.emulate_media(reduced_motion="reduce")
    calm = ui.viewer.chips.first.evaluate(lasts)
    ui.page.emulate_media(reduced_motion="no-preference")
    assert "0.12s" in fading and calm == "0s"


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
