"""Damage images in many small ways; each must be read or refused, quickly and in bounded memory.

    python -m tests.campaigns.mutate_images [--images 20000] [--seed N]

A mutation keeps the file's beginning recognisable: bytes flipped, numbers replaced by extreme
ones, parts cut, doubled, moved or taken from another file. PNG checksums are mended, or none
would get past them.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from edge_runtime import Classifier
from edge_runtime.inference.batch import classify_chunk
from edge_runtime.inputs.image import ignore_decoder_warnings

from ..support.helpers import GOLDEN
from .attack_files import contents

DOCUMENTED = {"ok", "empty", "wrong_kind", "not_an_image", "corrupt", "too_large"}
if find_spec("pi_heif") is None:
    DOCUMENTED.add("unreadable")  # HEIC
LARGEST = 20_000  # bytes of a file that is damaged, so that there is time for many
MAX_PIXELS = 4_000_000
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass
class Found:
    """What became of the damaged images."""

    statuses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0
    """Seconds."""
    slowest_error: str = ""


def seeds() -> list[bytes]:
    files = [path.read_bytes() for path in sorted(GOLDEN.iterdir()) if path.suffix != ".json"]
    files += [data for data, _ in contents().values()]
    return [data for data in files if 0 < len(data) <= LARGEST]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    whole = seeds()
    for _ in range(count):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            _mutate(data, chance, whole)
        yield mended(bytes(data)) if chance.random() < 0.8 else bytes(data)


def _mutate(data: bytearray, chance: random.Random, whole: list[bytes]) -> None:
    # Headers stand in front: half of the damage goes there.
    reach = len(data) if chance.random() < 0.5 else min(len(data), 100)
    place = chance.randrange(reach) if reach else 0
    kind = chance.randrange(7)
    if kind == 0 and data:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1 and data:
        data[place] = chance.randrange(256)
    elif kind == 2:
        size, order = chance.choice((1, 2, 4)), chance.choice("<>")
        number = chance.choice(EXTREMES) & (256**size - 1)
        data[place : place + size] = (
            struct.pack(f"{order}I", number)[:size]
            if order == "<"
            else (struct.pack(">I", number)[4 - size :])
        )
    elif kind == 3:
        del data[place : place + chance.choice((1, 4, 50, len(data)))]
    elif kind == 4:
        data[place:place] = data[place : place + chance.choice((1, 12, 300))]
    elif kind == 5:
        other = chance.choice(whole)
        start = chance.randrange(len(other))
        data[place : place + 40] = other[start : start + chance.choice((4, 40, 400))]
    else:
        data[place:place] = chance.randbytes(chance.choice((1, 2, 20)))


def mended(data: bytes) -> bytes:
    """A PNG with the checksums that its chunks should have; other data as it is."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, place = data[:8], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunk = data[place + 4 : place + 8 + length]
        out += data[place : place + 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
        place += 12 + length
    return out + data[place:]


def read_all(folder: Path, images: Iterator[bytes], classifier: Classifier) -> Found:
    """Read them one by one through a file, as a run does. Raises AssertionError for a status that
    is not documented; a crash ends this process."""
    found = Found()
    path = folder / "image"
    for data in images:
        path.write_bytes(data)
        started = time.monotonic()
        (result,) = classify_chunk(classifier, [str(path)], MAX_PIXELS)
        seconds = time.monotonic() - started
        assert result.status in DOCUMENTED, (result, data)
        assert result.error is None or "\n" not in result.error, result
        found.statuses[result.status] += 1
        if seconds > found.slowest:
            found.slowest, found.slowest_error = seconds, result.error or "ok"
    return found


def peak_memory() -> int:
    """Of this process, in bytes."""
    kilo = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ignore_decoder_warnings()
    classifier = Classifier()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = read_all(Path(folder), mutants(options.images, options.seed), classifier)
    print(f"{options.images} images in {time.monotonic() - started:.0f} s: {dict(found.statuses)}")
    print(f"slowest {found.slowest:.2f} s ({found.slowest_error})")
    print(f"peak memory {peak_memory() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
