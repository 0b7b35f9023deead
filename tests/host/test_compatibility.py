"""The table of what works where is what the families say."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


def test_the_table_is_that_of_the_families(monkeypatch):
    """`python benchmarks/compatibility.py` writes it anew."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compatibility

    try:
        assert compatibility.FILE.read_text(encoding="utf-8") == compatibility.table()
    finally:
        sys.modules.pop("compatibility")
