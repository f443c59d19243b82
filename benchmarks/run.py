"""`make bench`: edge-runtime beside its limits and beside a plain script, as whole processes.

Draws its own images, runs each program on the same files in turn, several times, and prints the
median images a second of each and its ratio to edge-runtime in the same round.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
MODEL = HERE.parent / "exported" / "digits" / "model.onnx"


def draw(folder: Path, count: int, size: tuple[int, int], ending: str) -> None:
    """`count` images (width, height) of one drawn stroke each, dark on light."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32) / min(size)
    for number in range(count):
        centre, radius = rng.uniform(0.4, 0.6, 2), rng.uniform(0.2, 0.35)
        ring = np.abs(np.hypot(y - centre[0], x - centre[1]) - radius)
        pixels = 230 - 190 / (1 + np.exp((ring - 0.05) * 60))
        if ending == "jpg":
            pixels = np.stack([pixels, pixels, pixels * 0.97], axis=2) + rng.normal(
                0, 3, (*pixels.shape, 3)
            )
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:06}.{ending}")


def programs(folder: Path, workers: int) -> dict[str, list[str]]:
    """Command lines by name; all read the images of `folder`."""
    script = [sys.executable, str(HERE / "plain.py"), str(folder), str(MODEL)]
    return {
        "edge-runtime": [
            *(str(BIN / "edge-runtime"), "predict", str(folder), "-o", "/dev/null", "--quiet"),
            *("--workers", str(workers)),
        ],
        "reading and decoding alone": [
            *(sys.executable, str(HERE / "decode.py"), str(folder), str(workers)),
        ],
        "plain script, one image a call": [*script, "1"],
        "plain script, batches of 64": [*script, "64"],
    }


def seconds(command: list[str]) -> float:
    """How long the whole process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print one table for each set of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=5000, help="28x28 PNG")
    parser.add_argument("--photos", type=int, default=500, help="500x400 JPEG")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sets = {
            "28x28 PNG": (options.small, (28, 28), "png"),
            "500x400 JPEG": (options.photos, (500, 400), "jpg"),
        }
        for name, (count, size, ending) in sets.items():
            folder = Path(scratch) / ending
            draw(folder, count, size, ending)
            commands = programs(folder, options.workers)
            rounds = [
                {program: seconds(command) for program, command in commands.items()}
                for _ in range(options.rounds)
            ]
            print(f"\n{count} {name}, {options.workers} workers, median of {options.rounds}")
            print(f"{'':<34}{'images/s':>10}{'edge-runtime is':>18}")
            for program in commands:
                rate = statistics.median(count / each[program] for each in rounds)
                times = statistics.median(each[program] / each["edge-runtime"] for each in rounds)
                print(f"{program:<34}{rate:>10,.0f}{times:>17.2f}x")


if __name__ == "__main__":
    main()
