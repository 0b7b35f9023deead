"""The table of nodes in the README, as the tests read it."""

import re

from pack import ROOT

ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def documented_nodes() -> list[str]:
    """The id at the head of each row, in the order of the table."""
    _, _, after = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Nodes\n")
    table, _, _ = after.partition("\n## ")
    return ROW.findall(table)
