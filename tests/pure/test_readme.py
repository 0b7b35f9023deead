"""The README says what the results say."""

import importlib.util

from pack import ROOT


def test_tables_are_those_of_the_results(monkeypatch):
    """Every table between comments is what `benchmarks/readme.py` makes of the committed figures."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("benchmarks_readme", ROOT / "benchmarks" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "README.md").read_text()
    assert module.filled(text) == text


def test_links_lead_somewhere():
    """Every relative link and picture of the README is a file of the checkout."""
    import re

    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
