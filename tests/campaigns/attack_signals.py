"""Write a folder of WAV and NPY files that a stranger could put before the runtime.

    python -m tests.campaigns.attack_signals FOLDER

All of it is made here, by this code. `write` returns, for each file, the status that is right
for a model of sounds, and for one of series.
"""

from __future__ import annotations

import os
import random
import struct
import sys
from pathlib import Path

import numpy as np

from ..edge_runtime.inputs.test_npy import REFUSED as REFUSED_ARRAYS
from ..edge_runtime.inputs.test_wav import REFUSED as REFUSED_SOUNDS
from ..support.small_bundles import RATE, chunk, format_chunk, npy, riff, rise, tone, wav

HOLE = 8 << 30
"""Bytes that a file claims to have; on the disk they are a hole."""


def write(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the files into a new folder; name -> (status with sounds, status with series)."""
    folder.mkdir()
    expected = {}
    for name, (data, *statuses) in contents().items():
        (folder / name).write_bytes(data)
        expected[name] = (statuses[0], statuses[1])
    for name, data, statuses in (
        ("hole.wav", b"RIFF\xff\xff\xff\xffWAVE", ("too_large", "too_large")),
        ("hole.npy", b"\x93NUMPY\1\0", ("too_large", "too_large")),
    ):
        (folder / name).write_bytes(data)
        os.truncate(folder / name, HOLE)
        expected[name] = statuses
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "nowhere.npy").symlink_to("absent.npy")
    os.mkfifo(folder / "pipe.wav")  # passed over
    return expected | {
        "zero.wav": ("not_a_file", "not_a_file"),
        "nowhere.npy": ("not_found", "not_found"),
    }


def contents() -> dict[str, tuple[bytes, str, str]]:
    """File name -> its bytes, its status with sounds, its status with series."""
    chance = random.Random(0)
    files = {}
    for name, (data, status, _) in REFUSED_SOUNDS.items():
        other = "wrong_kind" if data[8:12] == b"WAVE" or status == "wrong_kind" else "not_a_series"
        files[f"sound, {name}.wav"] = (data, status, other)
    for name, (data, status, _) in REFUSED_ARRAYS.items():
        other = "wrong_kind" if data[:6] == b"\x93NUMPY" or status == "wrong_kind" else ""
        files[f"array, {name}.npy"] = (data, other or "not_a_sound", status)
    # What the other kind's tests have is of this kind, and says no more than its first bytes.
    files["sound, an array.wav"] = (REFUSED_SOUNDS["an array"][0], "wrong_kind", "not_a_series")
    files["array, a sound.npy"] = (REFUSED_ARRAYS["a sound"][0], "corrupt", "wrong_kind")
    odd = wav(np.tile(tone(300, rate=44101), 20), 44101)
    return {
        **files,
        "nothing.wav": (b"", "empty", "empty"),
        "nothing.npy": (b"", "empty", "empty"),
        "random.wav": (chance.randbytes(5000), "not_a_sound", "not_a_series"),
        "many-channels.wav": (_many_channels(), "ok", "wrong_kind"),
        "one-sample.wav": (wav(np.ones(1)), "ok", "wrong_kind"),
        "odd-rate.wav": (odd, "ok", "wrong_kind"),
        "highest-rate.wav": (wav(tone(300, 2, 383_999), 383_999), "ok", "wrong_kind"),
        "lowest-rate.wav": (wav(tone(300, 2, 1000), 1000), "ok", "wrong_kind"),
        "huge-floats.wav": (wav(tone(300) * 1e9, form="<f8"), "ok", "wrong_kind"),
        "tiny-floats.wav": (wav(tone(300) * 1e-40, form="<f4"), "ok", "wrong_kind"),
        "claims-4-gigabytes.wav": (
            riff(format_chunk(1, 1, RATE, 16), chunk(b"data", bytes(100), 0x7FFFEFFF)),
            "corrupt",
            "wrong_kind",
        ),
        "just-allowed.wav": (_silence(64_000_000), "ok", "wrong_kind"),
        "too-long.wav": (_silence(64_000_001), "too_large", "wrong_kind"),
        "good.npy": (npy(rise()), "wrong_kind", "ok"),
        "flat.npy": (npy(np.zeros(50)), "wrong_kind", "ok"),
        "huge.npy": (npy(np.where(np.arange(50) % 2, 1e308, -1e308)), "wrong_kind", "ok"),
        "tiny.npy": (npy(np.arange(50) * 5e-324), "wrong_kind", "ok"),
        "other.npy": (npy(np.zeros(51)), "wrong_kind", "wrong_shape"),
        "million.npy": (npy(np.zeros((1_000_000, 2), np.int8)), "wrong_kind", "wrong_shape"),
    }


def _many_channels() -> bytes:
    return wav(np.array([[0.1], [0.3], [0.0]]) * np.ones(60_000), form="u1")


def _silence(frames: int) -> bytes:
    """8-bit samples: silence is 128."""
    data = b"\x80" * frames
    return riff(format_chunk(1, 1, RATE, 8), b"data" + struct.pack("<I", frames), data)


if __name__ == "__main__":
    for name, statuses in sorted(write(Path(sys.argv[1])).items()):
        print(ascii(name), *statuses)
