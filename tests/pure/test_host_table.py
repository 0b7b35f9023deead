"""The table of hosts is what was found on them."""

from pathlib import Path

import pytest

import host_table
import pins

RESULTS = """<testsuites><testsuite>
<testcase classname="tests.host.test_laws" name="test_law[equals_naive-plain-sd15]"/>
<testcase classname="tests.host.test_laws" name="test_law[equals_naive-all images-sd15]"><failure/></testcase>
<testcase classname="tests.e2e.test_nodes" name="test_node_explains_itself[A]"><error/></testcase>
<testcase classname="tests.pure.test_other" name="test_other"/>
</testsuite></testsuites>"""


def test_the_page_is_that_of_the_record() -> None:
    """`python scripts/hosts.py` writes both."""
    assert host_table.PAGE.read_text(encoding="utf-8") == host_table.written()
    assert host_table.record().keys() <= pins.HOSTS.keys()


def test_what_failed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the method that a law was tried on, or by the test; what belongs to no area is left out."""
    results = tmp_path / "results.xml"
    results.write_text(RESULTS)
    monkeypatch.setattr(host_table, "RECORD", tmp_path / "record.json")
    host_table.recorded("0.30.0", host_table.found_in(results))
    row = next(line for line in host_table.written().splitlines() if line.startswith("| 0.30.0"))
    assert "1 of 2 passed; not: all images" in row
    assert "0 of 1 passed; not: test_node_explains_itself[A]" in row
    assert "| 0 passed |" not in row.replace("| 0 passed | 0 passed |", "")
