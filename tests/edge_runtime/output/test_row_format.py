"""The written rows: the contract's columns and keys, any name, and where a cut output ends."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import get_args

import pytest

from edge_runtime import Prediction, Result, Score
from edge_runtime.errors import OutputError
from edge_runtime.output.row_format import FormatName, Row, RowFormat, written

FORMATS = get_args(FormatName)
TOP = (Score("7", 0.9876543), Score("1", 0.01), Score("2", 0.002))
NAMES = [
    "plain.png",
    "with, comma.png",
    'a "quoted" name.png',
    "two\nlines.png",
    '"\n",\n"',
    "carriage\rreturn.png",
    "both\r\n.png",
    " leading and trailing ",
    "日本/ä.png",
    os.fsdecode(b"not-utf8-\xff.png"),
    "back\\slash.png",
    "'=1+2",
    "\u2028\x0b\x0c\x85.png",
]


def read(path: str) -> Result:
    return Result(path, "ok", Prediction("7", TOP[0].score, 7, TOP), None)


RESULTS = [
    *(read(name) for name in NAMES),
    Result("bad.png", "corrupt", None, 'truncated, "so it says"\nand more'),
    Result("blank.png", "ok", Prediction("unknown", 0.0, -1, ()), None),
]


def output(row_format: RowFormat, results: list[Result] = RESULTS) -> bytes:
    return row_format.header() + row_format.rows(results)


def test_csv_has_exactly_the_columns_of_the_contract() -> None:
    assert output(RowFormat("csv"), [read("a.png"), *RESULTS[-2:]]).decode() == (
        "path,status,label,score,error\n"
        "a.png,ok,7,0.987654,\n"
        'bad.png,corrupt,,,"truncated, ""so it says""\nand more"\n'
        "blank.png,ok,unknown,0.000000,\n"
    )


def test_csv_with_top_k_adds_a_pair_of_columns_for_each_further_label() -> None:
    assert output(RowFormat("csv", 3), [read("a.png"), *RESULTS[-1:]]).decode() == (
        "path,status,label,score,error,label_2,score_2,label_3,score_3\n"
        "a.png,ok,7,0.987654,,1,0.010000,2,0.002000\n"
        "blank.png,ok,unknown,0.000000,,,,,\n"
    )


def test_jsonl_has_exactly_the_keys_of_the_contract() -> None:
    lines = output(RowFormat("jsonl"), [read("a.png"), *RESULTS[-2:]]).decode().splitlines()
    first = {"path": "a.png", "status": "ok", "label": "7", "score": 0.987654, "error": None}
    failed = {"path": "bad.png", "status": "corrupt", "label": None, "score": None}
    assert [json.loads(line) for line in lines] == [
        first,
        failed | {"error": RESULTS[-2].error},
        {"path": "blank.png", "status": "ok", "label": "unknown", "score": 0.0, "error": None},
    ]
    assert list(json.loads(lines[0])) == ["path", "status", "label", "score", "error"]


def test_jsonl_with_top_k_lists_the_labels_best_first() -> None:
    lines = output(RowFormat("jsonl", 2), [read("a.png"), *RESULTS[-2:]]).decode().splitlines()
    rounded = [{"label": label, "score": round(score, 6)} for label, score in TOP[:2]]
    assert [json.loads(line)["top"] for line in lines] == [rounded, [], []]


@pytest.mark.parametrize("format", FORMATS)
def test_every_name_is_read_back_by_an_ordinary_parser(format: FormatName) -> None:
    text = output(RowFormat(format, 3)).decode("utf-8")
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    else:
        rows = [json.loads(line) for line in text.split("\n")[:-1]]
    assert len(rows) == len(RESULTS)
    for row, result in zip(rows, RESULTS, strict=True):
        assert row["path"] == written(result.path)
        assert row["path"] == result.path or "\\udcff" in row["path"]
        assert row["error"] == (result.error or ("" if format == "csv" else None))


def read_back(row_format: RowFormat, data: bytes) -> list[tuple[Row, int]]:
    """The rows of an earlier output, with the offset of each one's end."""
    stream = io.BytesIO(data)
    end = row_format.read_header(stream, "rows")
    found = []
    for row in row_format.read_rows(stream):
        end += len(row.bytes)
        found.append((row, end))
    return found


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("top_k", [1, 3])
def test_an_output_cut_at_any_byte_is_known_up_to_its_last_whole_row(
    format: FormatName, top_k: int
) -> None:
    row_format = RowFormat(format, top_k)
    whole = output(row_format)
    ends = [len(row_format.header())]
    for result in RESULTS:
        ends.append(ends[-1] + len(row_format.rows([result])))
    assert ends[-1] == len(whole)
    for cut in range(len(whole) + 1):
        known = read_back(row_format, whole[:cut])
        expected = [end for end in ends[1:] if end <= cut]
        assert [end for _, end in known] == expected
        for (row, _), result in zip(known, RESULTS, strict=False):
            assert (row.path, row.status) == (written(result.path), result.status)
            assert row.bytes == row_format.rows([result])


TAILS = {
    "zeros": bytes(5000),
    "zeros and more": bytes(100) + b"x.png,ok,7,0.900000,\n",
    "not UTF-8": b"\xff\xfe\n",
    "a quote left open": b'"x.png,ok,7,0.900000,\n',
    "a stray quote": b'x"y.png,ok,7,0.900000,\n',
    "a field too few": b"x.png,ok,7,0.900000\n",
    "another score": b"x.png,ok,7,0.9,\n",
    "a score that is none": b"x.png,ok,7,high,\n",
    "no label": b"x.png,ok,,0.900000,\n",
    "a Windows line break": b"x.png,ok,7,0.900000,\r\n",
    "another key": b'{"path": "x", "status": "ok", "label": "7", "score": 0.9}\n',
    "no object": b"[]\n",
    "deeply nested": b"[" * 100_000 + b"\n",
    "an empty line": b"\n",
    "a line without an end": b"x" * 3_000_000,
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_what_is_no_row_ends_the_rows(format: FormatName, tail: bytes) -> None:
    row_format = RowFormat(format)
    assert len(read_back(row_format, output(row_format) + tail)) == len(RESULTS)
    assert len(read_back(row_format, output(row_format) + tail + output(row_format))) == len(
        RESULTS
    )


@pytest.mark.parametrize("format", FORMATS)
def test_an_output_that_was_begun_and_not_written_holds_nothing(format: FormatName) -> None:
    row_format = RowFormat(format)
    begin = output(row_format)[: len(row_format.header()) or 12]
    for cut in range(len(begin)):
        for zeros in (0, 1, 4096):
            assert read_back(row_format, begin[:cut] + bytes(zeros)) == []


def test_an_output_of_other_options_or_another_file_is_refused() -> None:
    csv_, jsonl = RowFormat("csv"), RowFormat("jsonl")
    foreign = [b"name,size\na,1\n", b"PK\x03\x04" + bytes(50), b'{"name": "x"}\n', b"\0" * 9 + b"x"]
    cases = [
        (csv_, [output(RowFormat("csv", 2)), output(jsonl), *foreign]),
        (RowFormat("csv", 2), [output(csv_)]),
        (jsonl, [output(csv_), output(RowFormat("jsonl", 2)), *foreign]),
        (RowFormat("jsonl", 2), [output(jsonl), output(RowFormat("jsonl", 3))]),
    ]
    for row_format, earlier in cases:
        for data in earlier:
            with pytest.raises(OutputError, match=r"^rows: cannot be resumed: it begins with"):
                read_back(row_format, data)
