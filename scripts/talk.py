"""The figures of the talk on one page: `python scripts/talk.py [--help]`."""

import sys

OLDEST = (3, 10)


def main() -> int:
    """Build the environment if need be and make the page in it; its exit status is ours."""
    from environment import environment
    from pins import ROOT
    from talk_options import parser

    parser().parse_args()
    return environment(needs=[]).run([str(ROOT / "scripts" / "run_talk.py"), *sys.argv[1:]])


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
