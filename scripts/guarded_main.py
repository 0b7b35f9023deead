"""Run the host's main.py in this process, for as long as the process that started it is there.

`python guarded_main.py COMFYUI/main.py [arguments]`. Standard input is the leash: when it ends, because the
starter closed it or died in whatever way, the server stops as on Ctrl-C.
"""

import os
import runpy
import signal
import sys
import threading
import time

PATIENCE = 10.0


def follow_starter() -> None:
    """Wait for the end of standard input, then stop this process, by force if it does not listen."""
    # Not through sys.stdin, whose lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        # To the main thread, whose wait for events it must interrupt.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=follow_starter, daemon=True).start()
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
