"""WAV files: every usual way of writing samples is read, every unusual one refused by name."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from edge_runtime import InputError
from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.inputs.wav import read_wav

from ...support.small_bundles import RATE, chunk, format_chunk, riff, tone, wav

TONE = tone(300)
GUID = bytes.fromhex("000000001000800000aa00389b71")


@pytest.mark.parametrize(
    ("form", "step"),
    [("u1", 1 / 128), ("<i2", 2**-15), ("3u1", 2**-23), ("<i4", 2**-23), ("<f4", 0), ("<f8", 0)],
)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_usual_sample_is_read_to_its_last_bit(form: str, step: float, channels: int) -> None:
    sound = read_wav(wav(np.stack([TONE] * channels, axis=1), form=form), MAX_PIXELS)
    assert sound.rate == RATE
    assert sound.samples.dtype == np.float32
    assert np.abs(sound.samples - TONE).max() <= 1.5 * step + 1e-7


def test_what_python_writes_is_read_exactly() -> None:
    levels = np.array([-32768, -1, 0, 1, 32767], np.int16)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 11025, 0, "NONE", ""))
        file.writeframes(levels.astype("<i2").tobytes())
    sound = read_wav(stream.getvalue(), MAX_PIXELS)
    assert sound.rate == 11025
    assert (sound.samples * 32768).tolist() == levels.tolist()


def test_channels_become_their_mean() -> None:
    left_and_right = np.array([[0.5, -0.5], [0.25, 0.75]])
    assert read_wav(wav(left_and_right, form="<f4"), MAX_PIXELS).samples.tolist() == [0.0, 0.5]


@pytest.mark.parametrize(("code", "form"), [(1, "<i2"), (3, "<f4")])
def test_the_extensible_format_and_foreign_chunks_are_read(code: int, form: str) -> None:
    plain = wav(TONE, form=form)
    bits = 8 * np.dtype(form).itemsize
    more = struct.pack("<HHIH", 22, bits, 4, code) + GUID
    data = riff(
        *(chunk(b"JUNK", b"odd"), format_chunk(0xFFFE, 1, RATE, bits, more)),
        *(chunk(b"LIST", b"\0" * 999), plain[plain.index(b"data") :], chunk(b"cue ", b"")),
    )
    assert np.array_equal(read_wav(data, MAX_PIXELS)[0], read_wav(plain, MAX_PIXELS)[0])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_size_that_was_not_known_while_writing_means_all_that_is_there(size: int) -> None:
    samples = np.arange(10, dtype="<i2")
    data = riff(format_chunk(1, 1, RATE, 16), chunk(b"data", samples.tobytes(), size))
    assert len(read_wav(data, MAX_PIXELS).samples) == 10


def with_format(*, code: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16) -> bytes:
    return riff(format_chunk(code, channels, rate, bits), chunk(b"data", bytes(1000)))


REFUSED = {
    "prose": (b"no sound at all, whatever its name", "not_a_sound", "not a WAV file"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(99), "wrong_kind", "an image; this model reads so"),
    "an array": (b"\x93NUMPY\1\0" + bytes(99), "wrong_kind", "an array"),
    "a WebP": (b"RIFF\1\0\0\0WEBPVP8 ", "wrong_kind", "an image"),
    "another RIFF": (b"RIFF\1\0\0\0AVI LIST", "not_a_sound", "not a WAV file"),
    "a head alone": (riff(), "corrupt", "no format and samples"),
    "no format": (riff(chunk(b"data", bytes(100))), "corrupt", "no format and samples"),
    "no samples": (riff(format_chunk(1, 1, RATE, 16)), "corrupt", "no format and samples"),
    "empty samples": (riff(format_chunk(1, 1, RATE, 16), chunk(b"data", b"")), "empty", "samples"),
    "half a sample": (riff(format_chunk(1, 1, RATE, 16), chunk(b"data", b"\0")), "empty", "sam"),
    "a short format": (riff(chunk(b"fmt ", bytes(15)), chunk(b"data", bytes(9))), "corrupt", "15"),
    "cut short": (wav(TONE)[:-1], "corrupt", "cut short: 7999 of 8000 bytes"),
    "mu-law": (with_format(code=7, bits=8), "not_a_sound", "mu-law (format 7): convert it"),
    "an unknown code": (with_format(code=999), "not_a_sound", "unknown (format 999)"),
    "12 bits": (with_format(bits=12), "corrupt", "1 channels of 12 bits"),
    "16-bit floats": (with_format(code=3), "corrupt", "of 16 bits"),
    "no channels": (with_format(channels=0), "corrupt", "0 channels"),
    "no rate": (with_format(rate=0), "corrupt", "0 samples a second, expected 1000 to 384000"),
    "a rate of gigahertz": (with_format(rate=0xFFFFFFFF), "corrupt", "4294967295 samples"),
    "many chunks": (riff(*[chunk(b"JUNK", b"")] * 1001), "corrupt", "more than 1000 chunks"),
    "an endless chunk": (riff(chunk(b"JUNK", b"", 0xFFFFFFFF)), "corrupt", "no format and"),
    "not a number": (wav(np.full(9, np.nan), form="<f4"), "corrupt", "a sample is nan"),
    "without end": (wav(np.full(9, -np.inf), form="<f8"), "corrupt", "a sample is inf"),
    "beyond measure": (wav(np.full(9, 1e200), form="<f8"), "corrupt", "expected -1 to 1"),
}


@pytest.mark.parametrize(("data", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(data: bytes, status: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_wav(data, MAX_PIXELS)
    assert refused.value.status == status
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_more_samples_than_allowed_are_too_large() -> None:
    stereo = wav(np.zeros((500, 2)))
    assert len(read_wav(stereo, 1000).samples) == 500
    with pytest.raises(InputError, match="1000 samples are more than 999") as refused:
        read_wav(stereo, 999)
    assert refused.value.status == "too_large"
