"""Write what the web UI shows of us in nine languages: `python scripts/locales.py [--help]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

OLDEST = (3, 10)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    options = argparse.ArgumentParser(
        prog="locales.py",
        description="Write locales/ from the nodes' schemas, web/*/texts.js and translations/, and say "
        "what each language lacks.",
    )
    either = options.add_mutually_exclusive_group()
    either.add_argument(
        "--missing",
        action="store_true",
        help="print, as JSON, the English texts that each language lacks, with places for translations, "
        "and its stale entries, whose English is no longer there",
    )
    either.add_argument(
        "--fill",
        type=Path,
        metavar="FILE",
        help="take the translations of such a JSON into translations/, and drop the stale ones",
    )
    return options


def main() -> int:
    """Build the environment if need be and do the work in it; its exit status is ours."""
    from environment import environment
    from pins import ROOT

    parser().parse_args()
    return environment(needs=[]).run([str(ROOT / "scripts" / "run_locales.py"), *sys.argv[1:]])


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
