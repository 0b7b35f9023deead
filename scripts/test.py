"""Run the whole test suite: `python scripts/test.py [pytest arguments]`."""

import os
import sys

OLDEST = (3, 10)
WORKERS = 3  # one more than most small machines' cores: tests wait for servers and browsers
KEPT = str(1 << 34)  # bytes that glibc keeps when freed: asking for them anew takes as long as computing


def main() -> int:
    """Build the environment if need be and run pytest in it; its exit status is ours."""
    from environment import cache_folder, environment
    from pins import ROOT

    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))
    for threshold in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        os.environ.setdefault(threshold, KEPT)
    # Hypothesis reads the constants of all that the host consists of, once for each folder it keeps them in
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_folder() / "hypothesis"))
    modules = ["pytest", "pytest_timeout", "xdist", "hypothesis"]
    workers = ["-n", str(WORKERS), "--dist", "loadscope", "--no-loadscope-reorder"]
    return environment(needs=modules).run(["-m", "pytest", *workers, *sys.argv[1:]])


if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        found = sys.version.split()[0]
        sys.exit(f"error: this is Python {found}: run the command with Python 3.10 or newer")
    from failures import command

    sys.exit(command(main))
