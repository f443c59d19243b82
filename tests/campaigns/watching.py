"""Copy files into a folder that is watched, kill the watch again and again, and count its rows.

    python -m tests.campaigns.watching [--files 5000] [--kills 10] [--how rows|sorted|both]

A thread copies the files in, each in two pieces, while `edge-runtime watch` is started, killed
(SIGKILL) at a random moment, and started again. In the end every file must have one row, the
right one, or be in the folder of its class, once.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from ..support.helpers import DIGITS, EXECUTABLE, GOLDEN, TIMEOUT, environment, rows_of

READY = b"watching "


class Campaign:
    """A folder that is watched and filled at the same time."""

    def __init__(self, top: Path, how: str, files: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self._incoming, self._sorted, self._rows = top / "in", top / "out", top / "rows.csv"
        self._incoming.mkdir()
        (top / "home").mkdir()
        self._home = top / "home"
        self._command = [EXECUTABLE, "watch", self._incoming]
        if how != "sorted":
            self._command += ["-o", self._rows]
        if how != "rows":
            self._command += ["--sort-into", self._sorted]
        self._how = how
        self.kills = self.midway = 0
        self._expected: dict[str, str] = {}  # name -> the folder it belongs in
        self._content: dict[str, bytes] = {}
        for number in range(files):
            vector = DIGITS[number % len(DIGITS)]
            source = GOLDEN / vector["image"]
            name = f"{number:05}{source.suffix}"
            bad = number % 97 == 5
            self._content[name] = b"" if bad else source.read_bytes()
            self._expected[name] = "failed/empty" if bad else vector["label"]

    def _fill(self, seconds: float) -> None:
        pause = seconds / len(self._content)
        for name, content in self._content.items():
            with open(self._incoming / name, "wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                time.sleep(pause)
                file.write(content[len(content) // 2 :])

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=environment(self._home),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, kills: int, seconds: float) -> None:
        """Fill the folder in about so many seconds, and kill meanwhile.

        Raises AssertionError when a file is missing, doubled or wrong in the end.
        """
        filling = threading.Thread(target=self._fill, args=(seconds,))
        filling.start()
        for _ in range(kills):
            process = self._start()
            assert process.stderr
            assert process.stderr.readline().count(READY)
            time.sleep(self._chance.random() * 1.5 * seconds / kills)
            process.send_signal(signal.SIGKILL)
            process.wait(TIMEOUT)
            process.stderr.close()
            self.kills += 1
            self.midway += 0 < self._done() < len(self._content)
        process = self._start()
        filling.join()
        end = time.monotonic() + TIMEOUT
        while self._done() < len(self._content) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.5)  # for what would be one too many
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, said.decode()
        self._check()

    def _done(self) -> int:
        if self._how == "sorted":
            return sum(path.is_file() for path in self._sorted.rglob("[0-9]*.*"))
        return max(0, self._rows.read_bytes().count(b"\n") - 1) if self._rows.exists() else 0

    def _check(self) -> None:
        if self._how != "sorted":
            found = {}
            rows = rows_of(self._rows.read_bytes())
            for row in rows:
                failed = row["status"] != "ok"
                found[Path(row["path"]).name] = (
                    f"failed/{row['status']}" if failed else row["label"]
                )
            assert len(rows) == len(found), f"{len(rows) - len(found)} rows twice"
            assert found == self._expected
        if self._how != "rows":
            assert not list(self._incoming.iterdir())
            moved = {
                path.name: str(path.relative_to(self._sorted).parent)
                for path in self._sorted.rglob("[0-9]*.*")
            }
            assert moved == self._expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30, help="for the copying")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--how", choices=["rows", "sorted", "both"], action="append")
    options = parser.parse_args()
    for how in options.how or ["rows", "sorted", "both"]:
        with tempfile.TemporaryDirectory() as top:
            campaign = Campaign(Path(top), how, options.files, options.seed)
            campaign.run(options.kills, options.seconds)
            print(
                f"{how}: {campaign.kills} kills ({campaign.midway} with some of the files done),"
                f" {options.files} files, each once"
            )


if __name__ == "__main__":
    main()
