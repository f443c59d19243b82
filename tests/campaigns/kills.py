"""Kill real runs at random moments, again and again, and compare what --resume makes of it.

    python -m tests.campaigns.kills [--kills 200] [--format csv|jsonl] [--seed N]

Each cycle starts `edge-runtime predict ... --resume`, kills it (SIGKILL) somewhere between its
start and its usual end, two to five times in a row, and then lets it finish.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from ..support.helpers import DIGITS, EXECUTABLE, GOLDEN, TIMEOUT, environment


def fill(folder: Path, images: int) -> None:
    """Digits under odd names, with unreadable files among them."""
    folder.mkdir()
    for number in range(images):
        source = GOLDEN / DIGITS[number % len(DIGITS)]["image"]
        odd = ("", ", ", '"', "\n", "é")[number % 5]
        target = folder / f"{number:05}{odd}{source.suffix}"
        shutil.copyfile(source, target)
        if number % 31 == 7:
            target.write_bytes(target.read_bytes()[:60])


class Campaign:
    """Runs that are killed, of one folder into one format."""

    def __init__(self, top: Path, format: str, images: int, seed: int) -> None:
        self.kills = self.midway = 0
        self._chance = random.Random(seed)
        self._home = top / "home"
        self._home.mkdir(exist_ok=True)
        folder = top / f"images-{images}"
        if not folder.exists():
            fill(folder, images)
        self._command = [EXECUTABLE, "predict", str(folder), "--quiet", "--resume", "--top-k", "2"]
        self._output = top / f"rows.{format}"
        self._output.unlink(missing_ok=True)
        self._start().wait(TIMEOUT)  # with cold files
        self._output.unlink()
        started = time.monotonic()
        assert self._start().wait(TIMEOUT) == 1
        self._seconds = time.monotonic() - started
        self.whole = self._output.read_bytes()
        assert self.whole.count(b"\n") >= images
        self._output.unlink()

    def _start(self) -> subprocess.Popen[bytes]:
        sizes = ["--batch-size", str(self._chance.choice([1, 8, 64]))]
        sizes += ["--workers", str(self._chance.choice([1, 1, 2]))]
        return subprocess.Popen(
            [*self._command, "-o", str(self._output), *sizes],
            env=environment(self._home),
            start_new_session=True,
        )

    def cycle(self, most: int) -> None:
        """Kill up to `most` runs in a row, then let one finish.

        Raises AssertionError when the finished bytes are not those of an uninterrupted run.
        """
        self._output.unlink(missing_ok=True)
        left = 1.0
        for _ in range(min(most, self._chance.randint(2, 5))):
            process = self._start()
            startup = 0.3
            time.sleep(self._chance.random() * self._seconds * (startup + (1 - startup) * left))
            if process.poll() is None:
                self.kills += 1
                # The whole group, as in a power failure, or the run alone.
                kill = os.killpg if self._chance.random() < 0.5 else os.kill
                kill(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # workers that outlive the run
            earlier = self._output.read_bytes() if self._output.exists() else b""
            assert self.whole.startswith(earlier), "rows that an uninterrupted run has not"
            self.midway += 0 < len(earlier) < len(self.whole)
            left = 1 - len(earlier) / len(self.whole)
        status = self._start().wait(TIMEOUT)
        assert status == 1, f"the last run ended with {status}"
        assert self._output.read_bytes() == self.whole, "the finished bytes differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="of each format")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=["csv", "jsonl"], action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        for format in options.format or ["csv", "jsonl"]:
            campaign = Campaign(Path(top), format, options.images, options.seed)
            while campaign.kills < options.kills:
                campaign.cycle(options.kills - campaign.kills)
            print(
                f"{format}: {campaign.kills} kills ({campaign.midway} with some of the rows"
                " written), every output equal, byte for byte"
            )


if __name__ == "__main__":
    main()
