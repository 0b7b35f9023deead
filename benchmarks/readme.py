"""Write the figures of `results/`: as sentences into the README, as tables into the one of this folder."""

import json
import re
from collections.abc import Callable
from typing import Any

from measure.pages import tables_of_cost, tables_of_quality
from measure.pages.record import MODEL, RESULTS
from measure.pages.sentences import sentences

FOLDER = RESULTS.parent
PAGES = (FOLDER.parent / "README.md", FOLDER / "README.md")
MARKED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)

TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "model": tables_of_quality.model,
    "style_alignment": tables_of_quality.style_alignment,
    "style_of_a_picture": tables_of_quality.style_of_a_picture,
    "layout": tables_of_quality.layout,
    "appearance": tables_of_quality.appearance,
    "independent": tables_of_quality.independent,
    "diagnosis": tables_of_quality.diagnosis,
    "editing": tables_of_quality.editing,
    "shapes": tables_of_quality.shapes,
    "panorama": tables_of_quality.panorama,
    "maps": tables_of_quality.maps,
    "inversion": tables_of_quality.inversion,
    "overhead": tables_of_cost.overhead,
    "editing_cost": tables_of_cost.editing_cost,
    "cross_image_cost": tables_of_cost.cross_image_cost,
    "guidance_cost": tables_of_cost.guidance_cost,
    "panorama_cost": tables_of_cost.panorama_cost,
    "transformer_costs": tables_of_cost.transformer_costs,
    "live_cost": tables_of_cost.live_cost,
}


def section(name: str, records: dict[str, dict[str, Any]]) -> str:
    """The text between the comments of that name: a table, or all sentences."""
    return sentences(records) if name == "sentences" else TABLES[name](records[name])


def filled(page: str) -> str:
    """A page with each of its marked sections made anew from the results."""
    paths = {"model": MODEL, **{path.stem: path for path in RESULTS.glob("*.json")}}
    records = {name: json.loads(path.read_text()) for name, path in paths.items()}

    def anew(marked: re.Match[str]) -> str:
        name = marked[1]
        return f"<!-- {name} -->\n\n{section(name, records)}\n\n<!-- /{name} -->"

    return MARKED.sub(anew, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text()))
