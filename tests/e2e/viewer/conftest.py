"""One browser for this folder, with the example in it or the viewer's modules alone."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host_server import Server

from .browser import EXAMPLE, RENDERERS, Ui, chromium, workflow

WEB = Path(__file__).resolve().parents[3] / "web"
Call = Callable[..., Any]

RUN = """async ([file, name, args]) => {
    const list = x => Array.isArray(x) || ArrayBuffer.isView(x);
    const wrap = x => list(x?.values) ? { ...x, values: Float32Array.from(x.values) } : x;
    const plain = x => list(x?.values) ? { ...x, values: plain(x.values) } : list(x) ? Array.from(x) : x;
    return plain((await import(`/viewer/${file}.js`))[name](...args.map(wrap)));
}"""


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One Chromium; Playwright keeps an event loop as long, so it must not outlive this folder."""
    with chromium() as running:
        yield running


def opened(browser: Any, server: Server) -> Iterator[Ui]:
    """The web UI in a page of its own."""
    ui = Ui.open(browser, server.address)
    yield ui
    ui.page.context.close()


own = pytest.fixture(scope="package", name="own")(opened)  # for tests that show a workflow of their own
shared = pytest.fixture(scope="package", name="shared")(opened)


@pytest.fixture(scope="package", params=RENDERERS)
def ran(request: pytest.FixtureRequest, shared: Ui) -> Ui:
    """The example in either renderer of nodes, run once."""
    shared.show(workflow(EXAMPLE), request.param)
    shared.run()
    return shared


@pytest.fixture
def ui(ran: Ui) -> Iterator[Ui]:
    """The same page for every test; afterwards nothing is pinned and the sliders are at the mean."""
    yield ran
    viewer = ran.viewer
    for _ in range(2):
        viewer.stage.press("Escape")
    for name in ("time", "layer"):
        viewer.slider(name).fill("0")
    viewer.panel.get_by_label("Opacity").fill("0.85")
    viewer.panel.get_by_label("Colour map").select_option("magma")
    viewer.panel.get_by_label("View").select_option("single")
    viewer.leave()
    ran.look()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of web/, without a line per request."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="package")
def call(browser: Any) -> Iterator[Call]:
    """`call("atlas", "tileOf", ...)`: an exported function of a module of the viewer."""
    handler = functools.partial(Quiet, directory=str(WEB))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        threading.Thread(target=files.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{files.server_port}/viewer/viewer.css")
        yield lambda file, name, *args: page.evaluate(RUN, [file, name, list(args)])
        page.close()
        files.shutdown()
