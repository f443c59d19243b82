"""The rows of an output, CSV or JSONL: written from results, and read back by a resumed run."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

from ..errors import OutputError
from ..inference.results import Result

FormatName = Literal["csv", "jsonl"]
FileFormat = Literal["csv", "jsonl", "parquet"]

# A name that is not UTF-8 keeps its bytes visible instead of ending the run.
_ENCODING = {"encoding": "utf-8", "errors": "backslashreplace"}
# Python's csv leaves a lone carriage return unquoted before 3.13, and cannot read that back.
_quoted = re.compile(r'[,"\r\n]').search
_JSONL_START = b'{"path": "'
_LONGEST = 1 << 20  # bytes, longer than any row


class Row(NamedTuple):
    """A row that was read back from an output."""

    path: str
    """As the output holds it: see `written`."""
    status: str
    label: str
    """Empty unless `status` is `ok`."""
    score: float
    """0 unless `status` is `ok`."""
    bytes: bytes
    """The row itself, with its line break."""


class RowFormat:
    """Writes results as rows of CSV or JSONL, and reads such rows back."""

    def __init__(self, name: FormatName, top_k: int = 1) -> None:
        """top_k: how many labels a row holds, at least 1."""
        self.name = name
        self.top_k = top_k

    def header(self) -> bytes:
        """The bytes before the first row: the column names of CSV, none for JSONL."""
        if self.name == "jsonl":
            return b""
        columns = ["path", "status", "label", "score", "error"]
        for place in range(2, self.top_k + 1):
            columns += [f"label_{place}", f"score_{place}"]
        return _csv_line(columns).encode(**_ENCODING)

    def rows(self, results: Iterable[Result]) -> bytes:
        """The rows of the results, in their order. UTF-8, each ended by a line feed."""
        if self.name == "csv":
            return "".join(map(self._csv_line, results)).encode(**_ENCODING)
        lines = (json.dumps(self.fields(each), ensure_ascii=False) + "\n" for each in results)
        return "".join(lines).encode(**_ENCODING)

    def _csv_line(self, result: Result) -> str:
        found = result.prediction
        if found is None or self.top_k > 1:
            return _csv_line(self._columns(result))
        return f"{_csv_field(result.path)},ok,{_csv_field(found.label)},{_score(found.score)},\n"

    def _columns(self, result: Result) -> list[str]:
        found = result.prediction
        if found is None:
            row = [result.path, result.status, "", "", result.error or ""]
            return row + [""] * (2 * (self.top_k - 1))
        row = [result.path, result.status, found.label, _score(found.score), ""]
        for label, score in found.others[: self.top_k - 1]:
            row += [label, _score(score)]
        return row + [""] * (2 * self.top_k + 3 - len(row))

    def fields(self, result: Result) -> dict[str, Any]:
        """The object that is a row of JSONL."""
        found = result.prediction
        row: dict[str, Any] = {
            "path": written(result.path),
            "status": result.status,
            "label": found and found.label,
            "score": found and round(found.score, 6),
            "error": result.error and written(result.error),
        }
        if self.top_k > 1:
            top = found.top[: self.top_k] if found else ()
            row["top"] = [{"label": label, "score": round(score, 6)} for label, score in top]
        return row

    def read_header(self, stream: BinaryIO, file: str) -> int:
        """Read the header of an earlier output, and return its length in bytes.

        The length is 0 where the header was not written completely; after a power failure, zeros
        may stand in its place. file: the output's name, for the error. Raises OutputError when the
        output does not begin as one of this format with this `top_k` does.
        """
        header = self.header()
        if self.name == "csv":
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
                f"{file}: cannot be resumed: it begins with {start[:80]!r}, which is not what this"
                f" run would write ({expected!r}); give the --format and --top-k that it was"
                " written with, or another -o"
            )
        return 0

    def read_rows(self, stream: BinaryIO) -> Iterator[Row]:
        """Yield the rows of an earlier output, from the stream's position up to the first bytes
        that are not a whole row of this format.
        """
        record = b""
        while len(record) < _LONGEST and (line := stream.readline(_LONGEST)).endswith(b"\n"):
            record += line
            if self.name == "csv" and record.count(b'"') % 2:
                continue  # the line break is inside a quoted field
            row = self._parse(record)
            if row is None:
                return
            yield row
            record = b""

    def _parse(self, record: bytes) -> Row | None:
        """Parse a line; None if this format would write the same row in other bytes, or not at
        all.
        """
        try:
            text = record.decode("utf-8")
            return self._csv_row(text) if self.name == "csv" else self._jsonl_row(text)
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
            return None

    def _csv_row(self, text: str) -> Row | None:
        (fields,) = csv.reader(io.StringIO(text, newline=""))
        if _csv_line(fields) != text or len(fields) != 2 * self.top_k + 3:
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
    """The text as an output holds it: bytes of a path that are not UTF-8 become `\\udcff`."""
    return text.encode(**_ENCODING).decode("utf-8")


def _csv_line(fields: Iterable[str]) -> str:
    return ",".join(map(_csv_field, fields)) + "\n"


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _quoted(text) else text


def _score(score: float) -> str:
    return f"{score:.6f}"
