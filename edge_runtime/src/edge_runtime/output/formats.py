"""Results as text: CSV and JSONL, one line a result, and what a resumed run finds of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal, NamedTuple

from ..errors import OutputError
from ..inference.results import Result

Format = Literal["csv", "jsonl"]

# A name that is not UTF-8 keeps its bytes visible instead of ending the run.
_ENCODING = {"encoding": "utf-8", "errors": "backslashreplace"}
# Python's csv leaves a lone carriage return unquoted before 3.13, and cannot read that back.
_QUOTED = re.compile(r'[,"\r\n]')
_JSONL_START = b'{"path": "'
_LONGEST = 1 << 20  # bytes, longer than any row


class Row(NamedTuple):
    """A row of an earlier output."""

    path: str
    """As it is written: see `written`."""
    status: str
    label: str
    """Empty unless `status` is `ok`."""
    score: float
    """0 unless `status` is `ok`."""
    bytes: bytes
    """The row itself, with its line break."""


class Sink:
    """Turns results into the bytes of one output format."""

    def __init__(self, format: Format, top_k: int = 1) -> None:
        """top_k: how many labels a row holds, at least 1."""
        self.format = format
        self.top_k = top_k

    def header(self) -> bytes:
        """What stands before the first row: CSV's column names, nothing for JSONL."""
        if self.format == "jsonl":
            return b""
        columns = ["path", "status", "label", "score", "error"]
        for place in range(2, self.top_k + 1):
            columns += [f"label_{place}", f"score_{place}"]
        return _csv_bytes([columns])

    def rows(self, results: Iterable[Result]) -> bytes:
        """One line for each result."""
        if self.format == "csv":
            return _csv_bytes(map(self._columns, results))
        return "".join(map(self._object, results)).encode(**_ENCODING)

    def _columns(self, result: Result) -> list[str]:
        found = result.prediction
        if found is None:
            row = [result.path, result.status, "", "", result.error or ""]
            return row + [""] * (2 * (self.top_k - 1))
        row = [result.path, result.status, found.label, _score(found.score), ""]
        for label, score in found.top[1 : self.top_k]:
            row += [label, _score(score)]
        return row + [""] * (2 * self.top_k + 3 - len(row))

    def _object(self, result: Result) -> str:
        found = result.prediction
        row: dict[str, object] = {
            "path": written(result.path),
            "status": result.status,
            "label": found and found.label,
            "score": found and round(found.score, 6),
            "error": result.error and written(result.error),
        }
        if self.top_k > 1:
            top = found.top[: self.top_k] if found else ()
            row["top"] = [{"label": label, "score": round(score, 6)} for label, score in top]
        return json.dumps(row, ensure_ascii=False) + "\n"

    def read_header(self, stream: BinaryIO, name: str) -> int:
        """Read over the header of an earlier output; returns its length in bytes, or 0 when it
        was never wholly written (after a power failure, zeros may stand there).

        Raises OutputError when `name` begins as no output with these options does.
        """
        header = self.header()
        if self.format == "csv":
            start, expected = stream.read(len(header)), header.rstrip()
            if start == header:
                return len(header)
            fits = header.startswith(start.rstrip(b"\0")) and not any(stream.read(_LONGEST))
        else:
            start, expected = stream.readline(_LONGEST), _JSONL_START
            stream.seek(0)
            if start.endswith(b"\n"):
                fits = self._parse(start) is not None
            else:
                begun = start.rstrip(b"\0")[: len(_JSONL_START)]
                fits = _JSONL_START.startswith(begun)
        if not fits:
            raise OutputError(
                f"{name}: cannot be resumed: it begins with {start[:80]!r}, which is not what this"
                f" run would write ({expected!r}); give the --format and --top-k that it was"
                " written with, or another -o"
            )
        return 0

    def read_rows(self, stream: BinaryIO) -> Iterator[Row]:
        """The rows of an earlier output from here on, up to the first thing that is no row."""
        record = b""
        while len(record) < _LONGEST and (line := stream.readline(_LONGEST)).endswith(b"\n"):
            record += line
            if self.format == "csv" and record.count(b'"') % 2:
                continue  # the line break is inside a quoted field
            row = self._parse(record)
            if row is None:
                return
            yield row
            record = b""

    def _parse(self, record: bytes) -> Row | None:
        """A row, when the record is exactly what this sink writes of it; None for anything else."""
        try:
            text = record.decode("utf-8")
            return self._csv_row(text) if self.format == "csv" else self._jsonl_row(text)
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
            return None

    def _csv_row(self, text: str) -> Row | None:
        (fields,) = csv.reader(io.StringIO(text, newline=""))
        if _csv_bytes([fields]) != text.encode() or len(fields) != 2 * self.top_k + 3:
            return None
        path, status, label, score = fields[:4]
        ok = status == "ok"
        if not status or bool(label) != ok or bool(score) != ok or (ok and fields[4]):
            return None
        value = float(score or 0)
        if ok and _score(value) != score:
            return None
        if "\0" in path and status != "unreadable":  # zeros before a row, after a power failure
            return None
        return Row(path, status, label, value, text.encode())

    def _jsonl_row(self, text: str) -> Row | None:
        data = json.loads(text)
        keys = ["path", "status", "label", "score", "error"] + ["top"] * (self.top_k > 1)
        if list(data) != keys or json.dumps(data, ensure_ascii=False) + "\n" != text:
            return None
        ok = data["status"] == "ok"
        if not isinstance(data["path"], str) or not isinstance(data["status"], str):
            return None
        if isinstance(data["label"], str) != ok or isinstance(data["score"], float) != ok:
            return None
        if len(data.get("top", ())) not in (0, self.top_k):
            return None
        return Row(
            data["path"], data["status"], data["label"] or "", data["score"] or 0.0, text.encode()
        )


def written(text: str) -> str:
    """A path, or text with one in it, as an output holds it: bytes that are not UTF-8 visible."""
    return text.encode(**_ENCODING).decode("utf-8")


def _csv_bytes(rows: Iterable[list[str]]) -> bytes:
    return "".join(",".join(map(_csv_field, row)) + "\n" for row in rows).encode(**_ENCODING)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _score(score: float) -> str:
    return f"{score:.6f}"
