"""What several of the runtime's tests need: bundles to damage, images to encode."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_runtime.bundle.integrity import sealed
from edge_runtime.bundle.manifest import BUILT_IN

EXECUTABLE = Path(sys.executable).parent / "edge-runtime"
GOLDEN = BUILT_IN / "golden"
VECTORS: list[dict[str, Any]] = json.loads((GOLDEN / "golden.json").read_text("utf-8"))
DIGITS = [vector for vector in VECTORS if vector["label"] != "unknown"]
LABELS: dict[str, str] = {vector["image"]: vector["label"] for vector in VECTORS}
LEAST_SURE = GOLDEN / min(DIGITS, key=lambda vector: max(vector["probabilities"]))["image"]
TIMEOUT = float(os.environ.get("TEST_TIMEOUT", "60"))  # seconds; an emulated device needs more
# Under pytest's -W error these become errors; a user sees nothing of them.
DECODER_WARNINGS = "ignore::UserWarning"

# A sitecustomize.py that stands in for decoders of C that crash, and that hang with Python's lock,
# by the names of the files that a process opens.
BAD_DECODERS = """
import ctypes, os, signal, sys
def watch(event, details):
    if event == "open" and str(details[0]).endswith("crash.png"):
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "open" and str(details[0]).endswith("hang.png"):
        ctypes.PyDLL(None).sleep(1000)
sys.addaudithook(watch)
"""


def copy_bundle(target: Path) -> Path:
    """A bundle of its own, to be damaged."""
    return shutil.copytree(BUILT_IN, target, symlinks=False)


def snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every path below, with what changes when it is written, replaced or made anew."""
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        found[str(path)] = (stat.st_mode, stat.st_ino)
        if not path.is_dir():
            found[str(path)] += (stat.st_size, stat.st_mtime_ns)
    return found


def edit_manifest(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "manifest.json"
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(sealed(data), "utf-8")


def flip_byte(path: Path, position: int = -1000) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def without_metadata(model: bytes) -> bytes:
    """An ONNX file's bytes without its metadata_props (field 14 of the outermost message)."""
    kept, place = b"", 0
    while place < len(model):
        start = place
        key, place = _varint(model, place)
        if key & 7 == 2:
            length, place = _varint(model, place)
            place += length
        else:
            _, place = _varint(model, place)
        if key >> 3 != 14:
            kept += model[start:place]
    return kept


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def drawn_seven(height: int = 60, width: int = 44) -> NDArray[np.uint8]:
    """A seven as (height, width) uint8: 0 is ground, 255 is ink."""
    image = Image.new("L", (width, height))
    corner = (width * 0.8, height * 0.2)
    line = [(width * 0.2, height * 0.2), corner, (width * 0.4, height * 0.85)]
    ImageDraw.Draw(image).line(line, fill=255, width=5, joint="curve")
    return np.asarray(image)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header promises that size and whose data holds a few bytes."""

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's, as an ordinary user's machine has it: no CI, a home of its own."""
    left_out = {"CI", "ORT_DISABLE_TELEMETRY", "PYTHONPATH"}
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in left_out and not key.startswith("XDG_")
    }
    return kept | {"HOME": str(home), "PYTHONWARNINGS": "default"} | more


def rows_of(output: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output.decode("utf-8"), newline="")))


Completed = subprocess.CompletedProcess[bytes]
