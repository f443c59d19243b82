"""The same 50,000 small images through the local engine and through Ray, in turn.

    python -m benchmarks.scale [--images 50000] [--rounds 3] [--folder DIR]

Compares the rows byte for byte and prints images a second (start-up apart), processor time and
peak memory of a worker. The start-up of Ray ends when each worker has made its first part, that
of the local engine is the time of a run on one batch for each worker.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from .images import SETS, draw

assert sys.platform != "win32"
WORKERS = 2
TICKS = os.sysconf("SC_CLK_TCK")
EDGE = [str(Path(sys.executable).parent / "edge-runtime"), "predict"]


class Watch(threading.Thread):
    """Ray's workers while a run lasts: their processor time and peak memory."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.seconds: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}

    def run(self) -> None:
        while not self.ended.wait(0.05):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if b"_ShardWorker" not in (folder / "cmdline").read_bytes():
                        continue
                    times = (folder / "stat").read_text().rpartition(")")[2].split()
                    status = (folder / "status").read_text()
                except OSError:
                    continue
                self.seconds[folder.name] = (int(times[11]) + int(times[12])) / TICKS
                peak = status.partition("VmHWM:")[2].split()
                if peak:
                    self.megabytes[folder.name] = int(peak[0]) / 1024


def local(images: Path, output: Path) -> float:
    """Seconds of a whole run."""
    start = time.monotonic()
    options = ["--force", "--workers", str(WORKERS), "--quiet"]
    command = [*EDGE, str(images), "-o", str(output), *options]
    subprocess.run(command, check=True)
    return time.monotonic() - start


def on_ray(images: Path, output: Path) -> tuple[float, float, Watch]:
    """Seconds of a whole run; images a second after each worker's first part; what was watched."""
    watch = Watch()
    watch.start()
    start = time.monotonic()
    options = ["--engine", "ray", "--format", "csv", "--workers", str(WORKERS), "--quiet"]
    subprocess.run([*EDGE, str(images), "-o", str(output), *options], check=True)
    seconds = time.monotonic() - start
    watch.ended.set()
    watch.join()
    parts = sorted(output.glob("part-*"), key=lambda part: part.stat().st_mtime)
    begun = parts[WORKERS - 1].stat().st_mtime
    rows = sum(part.read_bytes().count(b"\n") - 1 for part in parts[WORKERS:])
    return seconds, rows / (parts[-1].stat().st_mtime - begun), watch


def whole(output: Path) -> bytes:
    """The rows of all parts, in order, below one header."""
    parts = [part.read_bytes() for part in sorted(output.glob("part-*"))]
    header = parts[0].partition(b"\n")[0] + b"\n"
    return header + b"".join(part.removeprefix(header) for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="Where the images stay for the next time.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        images = draw(options.folder or top / "images", SETS["small"], options.images)
        few, fifth = top / "few", top / "fifth"
        for folder, count in ((few, WORKERS * 64), (fifth, options.images // 5)):
            folder.mkdir()
            for path in sorted(images.iterdir())[:count]:
                shutil.copyfile(path, folder / path.name)
        ratios = []
        for number in range(options.rounds):
            begun = local(few, top / "few.csv")
            alone = local(images, top / "rows.csv")
            seconds, rate, watch = on_ray(images, top / f"parts{number}")
            rows = (top / "rows.csv").read_bytes()
            same = whole(top / f"parts{number}") == rows
            local_rate = options.images / (alone - begun)
            ratios.append(rate / local_rate)
            print(
                f"round {number}: local {alone:.1f} s, {begun:.1f} of them start-up,"
                f" {local_rate:,.0f} images/s; Ray {seconds:.1f} s, then {rate:,.0f} images/s"
                f" ({ratios[-1]:.0%}); workers {sum(watch.seconds.values()):.1f} CPU s,"
                f" peak {max(watch.megabytes.values()):.0f} MB; same rows: {same}",
                flush=True,
            )
        _, _, watch = on_ray(fifth, top / "fifth-parts")
        print(f"peak memory of a worker, a fifth: {max(watch.megabytes.values()):.0f} MB")
        print(f"Ray beside local, median: {statistics.median(ratios):.0%}")


if __name__ == "__main__":
    main()
