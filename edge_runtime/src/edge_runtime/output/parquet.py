"""Rows as a table of Parquet. Needs pyarrow, which the `parquet` and `ray` extras bring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP = 16384  # rows of a row group; a fixed number, so that batches change no byte


def table(rows: Iterable[Mapping[str, Any]], top_k: int) -> pa.Table:
    """The rows as columns of strings, with scores as float64, and null where the CSV is empty.

    rows: as the objects of JSONL.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _schema(top_k).names}
    for row in rows:
        top = row.get("top", ())
        if top and top[0]["label"] == row["label"]:
            top = top[1:]
        for name in ("path", "status", "label", "score", "error"):
            columns[name].append(row[name])
        for place in range(2, top_k + 1):
            other = top[place - 2] if len(top) > place - 2 else {"label": None, "score": None}
            columns[f"label_{place}"].append(other["label"])
            columns[f"score_{place}"].append(other["score"])
    return pa.table(columns, schema=_schema(top_k))


def _schema(top_k: int) -> pa.Schema:
    text, number = pa.string(), pa.float64()
    fields = [("path", text), ("status", text), ("label", text), ("score", number), ("error", text)]
    for place in range(2, top_k + 1):
        fields += [(f"label_{place}", text), (f"score_{place}", number)]
    return pa.schema(fields)


class ParquetWriter:
    """Takes the bytes of JSONL rows and writes them to a stream as one Parquet file."""

    def __init__(self, stream: BinaryIO, top_k: int) -> None:
        self._stream = stream
        self._top_k = top_k
        self._rows: list[Mapping[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def write(self, data: bytes) -> None:
        """Take whole rows; a row group is written once it is full."""
        self._rows += map(json.loads, data.splitlines())
        while len(self._rows) >= _GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the rows that are left, and the end of the file."""
        if self._rows or self._writer is None:
            self._write_group()
        assert self._writer
        self._writer.close()

    def _write_group(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, _schema(self._top_k))
        self._writer.write_table(table(self._rows[:_GROUP], self._top_k))
        del self._rows[:_GROUP]
