"""Results as text: CSV and JSONL, one line a result, and what a resumed run finds of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal

from .results import Result

Format = Literal["csv", "jsonl"]

# A name that is not UTF-8 keeps its bytes visible instead of ending the run.
_ENCODING = {"encoding": "utf-8", "errors": "backslashreplace"}
# Python's csv leaves a lone carriage return unquoted before 3.13, and cannot read that back.
_QUOTED = re.compile(r'[,"\r\n]')


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

    def read_back(self, stream: BinaryIO) -> Iterator[tuple[str, str, int]]:
        """The whole rows of an earlier output: (path, status, offset of the row's end in bytes).

        A last row that is not whole, or anything that is not a row, ends the reading.
        Raises ValueError when the header is another one.
        """
        header = self.header()
        start = stream.read(len(header))
        if start != header:
            if header.startswith(start):
                return
            raise ValueError(f"its first line is not {header.decode().strip()!r}")
        offset = len(header)
        record = b""
        for line in stream:
            record += line
            fields = self._parse(record)
            if fields is None:
                continue
            offset += len(record)
            record = b""
            yield fields[0], fields[1], offset

    def _parse(self, record: bytes) -> tuple[str, str] | None:
        """(path, status) of a whole row; None when it goes on in the next line."""
        if not record.endswith(b"\n"):
            return None
        text = record.decode("utf-8")
        if self.format == "jsonl":
            row = json.loads(text)
            return row["path"], row["status"]
        if text.count('"') % 2:
            return None
        try:
            fields = next(csv.reader(io.StringIO(text, newline="")))
        except csv.Error as error:
            raise ValueError(f"not a row of CSV ({error})") from None
        return fields[0], fields[1]


def written(text: str) -> str:
    """A path, or text with one in it, as an output holds it: bytes that are not UTF-8 visible."""
    return text.encode(**_ENCODING).decode("utf-8")


def _csv_bytes(rows: Iterable[list[str]]) -> bytes:
    return "".join(",".join(map(_csv_field, row)) + "\n" for row in rows).encode(**_ENCODING)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _score(score: float) -> str:
    return f"{score:.6f}"
