"""The programs that are compared, as command lines, and the time and memory of a process."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.preprocessing import Fit
from edge_runtime.inputs.jpeg import DRAFT_SIDE

HERE = Path(__file__).parent
ROOT = HERE.parent
EXECUTABLES = Path(sys.executable).parent
BUNDLE = ROOT / "exported" / "digits"

EDGE = "edge-runtime"
EDGE_ONE = "edge-runtime, 1 worker"
EDGE_INT8 = "edge-runtime, int8"
DECODE = "reading and decoding alone, all cores"
FLOOR = "the floor: decoding and the model alone, all cores"
PLAIN = "Pillow + onnxruntime, one image a call"
OPENCV = "OpenCV + onnxruntime, batches of 64"
OPENCV_INT8 = "OpenCV + onnxruntime, batches of 64, int8"

_POLL_SECONDS = 0.05


class ProgramError(Exception):
    """A program ended with another exit status than 0; the message is what it said last."""


@dataclass(frozen=True)
class Program:
    """A command line, and the module without which it cannot run."""

    command: tuple[str, ...]
    needs: str = "onnxruntime"

    def is_missing(self) -> bool:
        """True where that module is not installed."""
        return importlib.util.find_spec(self.needs) is None


def readers(folder: Path, workers: int, bundle: Path) -> dict[str, Program]:
    """By name: all that read the images of `folder` and print a label for each, and the limits."""
    model, int8 = bundle / "model.onnx", bundle / "model.int8.onnx"
    edge = ("--model", str(bundle), "--workers")
    every = str(workers)
    found = {
        EDGE: predict(folder, *edge, every),
        EDGE_ONE: predict(folder, *edge, "1"),
        EDGE_INT8: predict(folder, *edge, every, "--precision", "int8"),
        FLOOR: script("floor.py", folder, model, workers, _decoded_side(bundle)),
        DECODE: script("decode.py", folder, workers),
        PLAIN: rival("plain.py", folder, model, 1),
        "Pillow + onnxruntime, batches of 64": rival("plain.py", folder, model, 64),
        OPENCV: rival("opencv_onnxruntime.py", folder, model, 64, needs="cv2"),
        OPENCV_INT8: rival("opencv_onnxruntime.py", folder, int8, 64, needs="cv2"),
    }
    if bundle != BUNDLE:  # the others read grey images
        return found
    return found | {
        "OpenCV imread + cv2.dnn": rival("plain_opencv.py", folder, model, 16, needs="cv2"),
        "Pillow + LiteRT, one image a call": rival(
            "plain_litert.py", folder, bundle / "model.tflite", needs="ai_edge_litert"
        ),
        "Keras image_dataset + SavedModel": rival(
            "plain_keras.py", folder, bundle / "saved_model", needs="tensorflow"
        ),
    }


def _decoded_side(bundle: Path) -> int:
    """px, that both sides of a JPEG keep where edge-runtime decodes it: the scenes are 4:3."""
    spec = Manifest.load(bundle).spec
    how = spec.preprocessing
    if not isinstance(how, Fit) or how.oversampling is None:
        return DRAFT_SIDE
    return round(how.oversampling * 0.75 * spec.input.width)


def predict(path: Path, *options: str) -> Program:
    """`edge-runtime predict`."""
    command = str(EXECUTABLES / "edge-runtime")
    return Program((command, "predict", str(path), "--quiet", *options))


def script(name: str, *arguments: object, needs: str = "onnxruntime") -> Program:
    """One of the scripts in this folder."""
    return Program((sys.executable, str(HERE / name), *map(str, arguments)), needs)


def rival(name: str, *arguments: object, needs: str = "onnxruntime") -> Program:
    """One of the programs in `rivals/`, which a user could write instead."""
    return script(f"rivals/{name}", *arguments, needs=needs)


def seconds(program: Program, output: Path | str = os.devnull) -> float:
    """How long the whole process takes; its standard output goes to a file. Raises ProgramError."""
    start = time.perf_counter()
    with open(output, "wb") as file:
        done = subprocess.run(program.command, stdout=file, stderr=subprocess.PIPE)
    taken = time.perf_counter() - start
    if done.returncode:
        raise ProgramError(done.stderr.decode().strip().rpartition("\n")[2])
    return taken


def peak_memory(program: Program) -> float:
    """Bytes: the highest resident memory (VmHWM) of each of its processes, added up.

    Pages that processes share, such as those of libraries, count once for each. Linux only.
    Raises ProgramError.
    """
    highest: dict[int, int] = {}
    process = subprocess.Popen(
        program.command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None:
        for pid in _session(process.pid):
            highest[pid] = max(highest.get(pid, 0), _high_water(pid))
        time.sleep(_POLL_SECONDS)
    if process.returncode:
        raise ProgramError(f"{' '.join(program.command)}: exit status {process.returncode}")
    return float(sum(highest.values()))


def _session(leader: int) -> list[int]:
    """That process and all that came from it."""
    if sys.platform == "win32":  # has no sessions, and no /proc
        return []
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def _high_water(pid: int) -> int:
    with suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def labels(output: Path) -> dict[str, str]:
    """Label by file name: edge-runtime's CSV, or the scripts' lines of name, label and score."""
    with open(output, encoding="utf-8", newline="") as file:
        if file.readline().startswith("path,"):
            file.seek(0)
            return {os.path.basename(row["path"]): row["label"] for row in csv.DictReader(file)}
        file.seek(0)
        rows = [line.split() for line in file]
    return {row[0]: row[1] for row in rows if len(row) == 3}
