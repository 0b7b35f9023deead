"""The pictures of the help pages and of the README: `python scripts/help_pictures.py [NAME ...]`."""

import sys

OLDEST = (3, 10)


def main() -> int:
    """Build the environment if need be and make the pictures in it; its exit status is ours."""
    from environment import environment
    from help_options import parser
    from pins import ROOT

    parser().parse_args()
    return environment(needs=[]).run([str(ROOT / "scripts" / "run_help_pictures.py"), *sys.argv[1:]])


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
