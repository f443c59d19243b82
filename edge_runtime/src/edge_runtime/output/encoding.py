"""What is between the rows and the output file: nothing, gzip, or Parquet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple, Protocol, cast

from .row_format import FileFormat

_FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_GZIP = 31  # zlib's window bits for a gzip header, without a time or a name
_LEVEL = 6


class Encoding(NamedTuple):
    """How an output is written, as the ending of its name tells."""

    format: FileFormat
    gzip: bool

    @property
    def can_be_resumed(self) -> bool:
        """False where the file's end cannot be cut off at a row."""
        return not self.gzip and self.format != "parquet"


def encoding_of(name: str) -> Encoding | None:
    """The encoding for the name of a file, whose ending may be in any case; None if unknown."""
    plain = name.lower().removesuffix(".gz")
    gzip = len(plain) < len(name)
    for ending, format in _FORMATS.items():
        if plain.endswith(ending) and not (gzip and format == "parquet"):
            return Encoding(format, gzip)
    return None


class RowStream(Protocol):
    """The part of a binary file that rows are written with."""

    def write(self, data: bytes, /) -> object:
        """Take whole rows."""

    def flush(self) -> object:
        """Pass on what can be passed on."""

    def truncate(self, size: int, /) -> object:
        """Cut off what the file held before."""


class _Encoder(Protocol):
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class _Encoded:
    """A file that rows are encoded into, from the first of them on."""

    def __init__(self, stream: BinaryIO, encoder: _Encoder) -> None:
        self._stream, self._encoder = stream, encoder
        self.truncate = stream.truncate
        self._begun = False

    def write(self, data: bytes) -> None:
        self._begun = True
        self._encoder.write(data)

    def flush(self) -> None:
        """Do nothing: where a batch ends must change no byte."""

    def close(self) -> None:
        if self._begun:
            self._encoder.close()


class _GzipEncoder:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._zip = zlib.compressobj(_LEVEL, wbits=_GZIP)

    def write(self, data: bytes) -> None:
        self._stream.write(self._zip.compress(data))

    def close(self) -> None:
        self._stream.write(self._zip.flush())


@contextmanager
def row_stream(stream: BinaryIO, encoding: Encoding, top_k: int) -> Iterator[RowStream]:
    """A stream that takes rows, JSONL for Parquet, and writes them to `stream` in this encoding.

    Its end is written on leaving, also by an error, so that what was written can be read.
    """
    if encoding.can_be_resumed:
        yield stream
        return
    encoder: _Encoder = _GzipEncoder(stream)
    if encoding.format == "parquet":
        from .parquet import ParquetWriter

        encoder = ParquetWriter(stream, top_k)
    file = _Encoded(stream, encoder)
    try:
        yield cast("RowStream", file)
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    file.close()
