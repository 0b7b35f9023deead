"""The README is short and says what the results say."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from pack import ROOT

PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md"]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
DRAWN = {  # their figures are of pictures of the demo model
    *("style_alignment", "style_of_a_picture", "layout", "appearance", "independent"),
    *("editing", "shapes", "panorama", "maps", "diagnosis", "inversion"),
}
LONGEST = {"README.md": 120, "ARCHITECTURE.md": 150}  # lines


@pytest.fixture
def readme(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/readme.py`, which writes the figures into the pages."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("benchmarks_readme", ROOT / "benchmarks" / "readme.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", LONGEST)
def test_first_pages_are_short(page: str) -> None:
    """They are read to their end; what is long has a page of its own."""
    assert len((ROOT / page).read_text().splitlines()) <= LONGEST[page]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_figures_are_those_of_the_results(page: Path, readme: ModuleType) -> None:
    """What stands between comments is what `benchmarks/readme.py` makes of the committed figures."""
    text = page.read_text()
    assert "<!-- /" in text
    assert readme.filled(text) == text


@pytest.mark.parametrize("result", RESULTS, ids=lambda path: path.stem)
def test_result_is_told_with_machine_and_date(result: Path) -> None:
    """Every committed result has a table and a sentence, and both name the machine and the day, and say
    if another demo model drew the pictures."""
    made = ", ".join(json.loads(result.read_text())[key] for key in ("machine", "date"))
    if result.stem in DRAWN and json.loads(result.read_text())["weights"] != weights():
        made += ", with an earlier demo model"
    first, second = (page.read_text() for page in PAGES)
    (table,) = re.findall(f"<!-- {result.stem} -->(.*)<!-- /{result.stem} -->", second, re.DOTALL)
    assert table.rstrip().endswith(f", {made}.")
    heading = re.findall(r"^### (.*)$", second.partition(f"<!-- {result.stem} -->")[0], re.MULTILINE)[-1]
    (sentence,) = re.findall(rf"^- .*\]\(benchmarks/README\.md#{slug(heading)}\).*$", first, re.MULTILINE)
    assert sentence.endswith(f"({made})")


def weights() -> str:
    """The demo model's, as results name them."""
    listed = json.loads((ROOT / "demo_model" / "weights" / "weights.json").read_text())
    return str(listed["unet.safetensors"]["sha256"][:12])


def test_figures_of_an_earlier_model_say_so(readme: ModuleType) -> None:
    """In the table and in the sentence; what a step costs does not hang on the weights."""
    records = {path.stem: json.loads(path.read_text()) for path in RESULTS}
    records = {name: record | {"weights": "of another"} for name, record in records.items()}
    tables = {name: readme.section(name, records) for name in records}
    assert {name for name, table in tables.items() if table.endswith("an earlier demo model.")} == DRAWN
    told = readme.section("sentences", records).splitlines()
    assert sum(line.endswith("an earlier demo model)") for line in told) == len(DRAWN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture is a file of the checkout, and its anchor a heading there."""
    targets = [target.strip("<>") for target in re.findall(r"\]\(([^):]+)\)", page.read_text())]
    assert targets
    assert [target for target in targets if not leads(page, *target.partition("#")[::2])] == []


def leads(page: Path, file: str, anchor: str) -> bool:
    """Whether a link on a page has its file and, if it names one, its heading."""
    path = page.parent / file if file else page
    if not path.exists() or not anchor:
        return path.exists()
    return anchor in map(slug, re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE))


def slug(heading: str) -> str:
    """The anchor that code hosts give a heading."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
