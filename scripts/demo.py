"""Make four pictures in one style: `python scripts/demo.py [--help]`."""

import sys

OLDEST = (3, 10)


def main() -> int:
    """Build the environment if need be and run the demo in it; its exit status is ours."""
    from demo_options import parser
    from environment import environment
    from host_server import checked_port
    from pins import ROOT
    from workflow_file import read_workflow

    options = parser().parse_args()
    if not options.serve:  # what is wrong with these is told before anything takes its time
        read_workflow(options.workflow)
        if options.port is not None:
            checked_port(options.port)
    return environment(needs=[]).run([str(ROOT / "scripts" / "run_demo.py"), *sys.argv[1:]])


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
