"""The page that classifies images in a browser: its files, and a local web server for them.

The same files are served and exported: the page itself, onnxruntime-web, and under `bundle/` the
manifest, the fp32 model and the golden vectors. They are read and checked once and kept in memory.
"""

from __future__ import annotations

import hashlib
import json
import socketserver
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Any

from ..bundle.integrity import read_file
from ..bundle.manifest import BUILT_IN, MANIFEST_NAME, MAX_MANIFEST_BYTES, read_model, read_verified
from ..errors import BundleError, OutputError
from ..inputs.formats import PLURALS

PAGE = Path(__file__).parent / "static"
LIBRARY = "onnxruntime-web"
"""The npm package, and the folder of its files in the page."""

_LIBRARY_FOLDERS = (PAGE / LIBRARY, Path("node_modules") / LIBRARY / "dist")
_MAX_LIBRARY_BYTES = 64 << 20
_NOTICES = {"LICENSE": "LICENSE.txt", "ThirdPartyNotices.txt": "ThirdPartyNotices.txt"}
"""The licences of onnxruntime and of what is in it: file in its Python package, and in the page."""

# By extension. Nothing else is served.
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "wasm": "application/wasm",
    "json": "application/json",
    "onnx": "application/octet-stream",
    "png": "image/png",
    "jpg": "image/jpeg",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "tif": "image/tiff",
    "webp": "image/webp",
    "txt": "text/plain; charset=utf-8",
}

_HEADERS = {
    # What the page may load, it says itself, wherever it is served.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page_files(bundle: Path | None) -> dict[str, bytes]:
    """Every file of the page for that bundle (None: the built-in one), by its path in the address.

    Raises BundleError for a bundle that cannot be used, also one of sounds or series, OutputError
    without onnxruntime-web.
    """
    folder = bundle or BUILT_IN
    manifest, model, data = read_model(folder, "fp32")
    reads = manifest.spec.preprocessing.reads
    if reads != "image":
        raise BundleError(
            f"{folder}: is a model of {PLURALS[reads]}, and the page reads images only;"
            f" edge-runtime predict --model {quote(str(folder))} reads {PLURALS[reads]}"
        )
    files = {
        path.name: path.read_bytes()
        for path in sorted(PAGE.iterdir())
        if path.suffix in (".html", ".css", ".js", ".svg")
    }
    files |= _library()
    files[f"bundle/{MANIFEST_NAME}"] = read_file(folder / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    files[f"bundle/{model.relative_to(folder).as_posix()}"] = data
    for file in manifest.files:
        if file.path.startswith("golden/"):
            files[f"bundle/{file.path}"] = read_verified(folder, file)
    return files


def _library() -> dict[str, bytes]:
    """The files of onnxruntime-web, whose hashes are as the page was tested with."""
    package: dict[str, Any] = json.loads((PAGE / "package.json").read_bytes())
    name = f"{LIBRARY}@{package['dependencies'][LIBRARY]}"
    hashes: dict[str, str] = package["sha256"]
    for folder in _LIBRARY_FOLDERS:
        if not all((folder / file).is_file() for file in hashes):
            continue
        files = {file: read_file(folder / file, _MAX_LIBRARY_BYTES) for file in hashes}
        for file, data in files.items():
            if hashlib.sha256(data).hexdigest() != hashes[file]:
                raise OutputError(
                    f"{folder / file}: is not the file of {name}, with which the page was tested;"
                    f" install that: npm install --ignore-scripts {name}"
                )
        files |= _notices()
        return {f"{LIBRARY}/{file}": data for file, data in files.items()}
    raise OutputError(
        f"the page needs {name}, which is not here;"
        f" in this folder: npm install --ignore-scripts --no-package-lock {name}"
    )


def _notices() -> dict[str, bytes]:
    """The licences, for whoever passes the page on: npm's package lacks them."""
    package = find_spec("onnxruntime")
    folders = (package and package.submodule_search_locations) or []
    places = {Path(folder, name): page for folder in folders for name, page in _NOTICES.items()}
    return {page: path.read_bytes() for path, page in places.items() if path.is_file()}


def export(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files into a new or empty folder. Raises OutputError."""
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; remove it or name another folder")
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None


class PageServer(ThreadingHTTPServer):
    """Serves files on 127.0.0.1, to requests whose Host is this machine."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], port: int) -> None:
        """Listen on the port, 0 for any free one. Raises OutputError."""
        self.files = files
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise OutputError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); --port 0 takes any"
                " free one"
            ) from None
        port = self.server_address[1]
        self.address = f"http://127.0.0.1:{port}/"
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    def server_bind(self) -> None:
        """Bind as HTTPServer does, but do not look up this machine's name on the network."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away in the middle is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a request, after which a connection is closed
    server: PageServer

    def do_GET(self) -> None:
        """Answer with one of the files, or with a status."""
        # A page elsewhere may have its own name point here: it would be asked for by that name.
        if self.headers.get("Host") not in self.server.hosts:
            self._answer(403, "text/plain", b"This page is served to this machine only.\n")
            return
        name = self.path.partition("?")[0].removeprefix("/") or "index.html"
        data = self.server.files.get(name)
        kind = _TYPES.get(name.rpartition(".")[2])
        if data is None or kind is None:
            self._answer(404, "text/plain", b"There is no such file.\n")
        else:
            self._answer(200, kind, data)

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        for header, value in _HEADERS.items():
            self.send_header(header, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def version_string(self) -> str:
        """The Server header, without versions of this machine's software."""
        return "edge-runtime"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""
