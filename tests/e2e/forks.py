"""Runs scripts, each in a fork of this process, which has imported the host and the pack: that takes long.

Reads one job a line, JSON: [script, its options, the file for what it prints]. Answers each with the script's
exit status when it has ended.
"""

import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
READY = (  # the largest parts of the host, what it and the pack compute with, most of the pack
    "attention_control.nodes.demo.load_demo_model_node",
    "comfy.sample",
    "sklearn.cluster",
    "attention_control.nodes.host.run.install",
    "attention_control.nodes.style.cross_image_attention_node",
    "attention_control.nodes.edit.shape_variations_node",
    "attention_control.nodes.inspect.attention_probe_node",
)


def run(script: str, options: list[str]) -> int:
    """The script as the command line would run it."""
    sys.argv = [script, *options]
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def fork(script: str, options: list[str], log: str) -> int:
    """The same in a process of its own, which prints into a file."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(log, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    status = run(script, options)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    from measure.setting import host

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the host prints is no answer
    host.start()
    for name in READY:
        importlib.import_module(name)

    from attention_control.demo_model.world import Sprites

    for line in sys.stdin:
        script, options, log = json.loads(line)
        if "--cache" in options:  # the drawings, which are read once for all scripts
            Sprites.load(Path(options[options.index("--cache") + 1]))
        print(fork(script, options, log), file=answers, flush=True)


if __name__ == "__main__":
    main()
