"""The web UI that the demo command serves; it is stopped here, so this file stands behind all that use it."""

import signal
import urllib.request

from pack import ROOT

from .demo_runs import Served, demo, processes_of


def test_serve_prints_an_address_that_answers_until_it_is_stopped(served: Served) -> None:
    """With --serve the one line of output is the address of the web UI; Ctrl-C ends it in good order.

    A second --serve prints the same address, and ends.
    """
    with urllib.request.urlopen(served.address) as page:
        assert b"ComfyUI" in page.read()
    second = demo(ROOT, served.temporary, "--serve")
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0 and out.splitlines() == [served.address], err
    served.process.send_signal(signal.SIGINT)
    out, err = served.process.communicate()
    assert served.process.returncode == 0 and out == "" and "Traceback" not in err
    assert not list(processes_of(served.temporary)) and not list(served.temporary.rglob("address"))
