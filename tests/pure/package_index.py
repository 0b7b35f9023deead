"""A real package index on the loopback interface, which can be told to misbehave."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

NAME, VERSION = "tiny-source", "1.0"
FILE = "tiny_source-1.0.tar.gz"
INNER = {"main.py": "print('main')\n", "deep/er/data.txt": "x" * 200_000}
Fault = Literal["none", "cut short"]

BACKEND = """
import pathlib
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = pathlib.Path(folder) / "tiny_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tiny-source\\nVersion: 1.0\\n")
    return info.name
def build_wheel(folder, settings=None, metadata=None):
    raise NotImplementedError
def build_sdist(folder, settings=None):
    raise NotImplementedError
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def archive() -> bytes:
    """A source distribution with INNER beneath vendor/inner, and files beside it."""
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND, "PKG-INFO": "Metadata-Version: 2.1\n"}
    files |= {f"vendor/inner/{name}": text for name, text in INNER.items()} | {"vendor/other/no.txt": "no"}
    buffer = io.BytesIO()
    # Stored, not compressed: a limit on the size of files must hit it.
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"tiny_source-1.0/{name}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


ARCHIVE = archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@contextmanager
def package_index(content: bytes = ARCHIVE, fault: Fault = "none") -> Iterator[str]:
    """Serve `content` as the one file of the one package; gives the index's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<a href="/files/{FILE}">{FILE}</a>'.encode()
            is_file = self.path.endswith(FILE)
            body = content if is_file else page
            self.send_response(200)
            self.send_header("Content-Type", "application/gzip" if is_file else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if is_file and fault == "cut short" else body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
