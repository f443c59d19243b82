"""Whatever the values are: manifests, rows, resumed outputs and preprocessing, by hypothesis."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from edge_runtime import BundleError, EdgeRuntimeError, Prediction, Result, Score
from edge_runtime.bundle.manifest import BundleFile, Manifest
from edge_runtime.bundle.preprocessing import Crop, Fit, Ink, LogMel, Preprocessing, Series, Stretch
from edge_runtime.bundle.spec import InputSpec, ModelSpec
from edge_runtime.errors import OutputError
from edge_runtime.output.resume import EarlierRows, ThisRun, check_earlier_rows
from edge_runtime.output.row_format import FormatName, RowFormat, written
from edge_runtime.preprocessing.readers import reader_of

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

ordinary = hypothesis.settings(max_examples=30, deadline=None, database=None)
LABELS = tuple("abc")


def text(**more: object) -> object:
    """Text without line breaks, control characters or halves of characters."""
    excluded = ("Cc", "Cs", "Zl", "Zp")
    return st.text(st.characters(exclude_categories=excluded), **more)


preprocessings = st.one_of(
    st.builds(
        Ink,
        max_stretch=st.floats(1, 100),
        spread=st.floats(0, 1),
        reach=st.floats(0.1, 100),
    ),
    st.builds(Fit, fill=st.integers(0, 255)),
    st.builds(Crop),
    st.builds(Stretch),
)
inputs = st.builds(
    InputSpec,
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    name=text(),
)
sounds = st.tuples(
    st.builds(InputSpec, height=st.integers(1, 99), width=st.integers(1, 99), name=text()),
    st.builds(
        LogMel,
        sample_rate=st.integers(16_000, 384_000),
        window=st.integers(400, 65_536),
        hop=st.integers(1, 400),
        low_hz=st.floats(0, 1000),
        high_hz=st.floats(1001, 8000),
        range_db=st.floats(1, 200),
        silence_db=st.floats(-200, 0),
    ),
)


def series(bounds: list[tuple[float, float]], width: int, normalise: str) -> object:
    """The input and the preprocessing of that many values, with a (low, high) for each channel."""
    low, high = (tuple(column) for column in zip(*bounds, strict=True))
    how = Series(normalise=normalise, low=low, high=high)
    return InputSpec(height=1, width=width, channels=len(bounds)), how


numbers = st.floats(-1e300, 1e300)
bounds = st.tuples(numbers, numbers).map(sorted).filter(lambda ends: ends[0] < ends[1]).map(tuple)
shapes = st.one_of(
    st.tuples(inputs, preprocessings),
    sounds,
    st.builds(
        series,
        st.lists(bounds, min_size=1, max_size=5),
        st.integers(1, 65_536),
        st.sampled_from(["each", "none"]),
    ),
)
specs = st.builds(
    lambda shape, **rest: ModelSpec(input=shape[0], preprocessing=shape[1], **rest),
    shape=shapes,
    name=text(),
    version=text(),
    labels=st.lists(text(min_size=1), min_size=2, max_size=9, unique=True).map(tuple),
    output=text(),
    min_score=st.floats(0, 1),
)
files = st.lists(
    st.builds(
        BundleFile,
        path=st.from_regex(r"[a-z0-9_]{1,9}(/[a-z0-9_]{1,9}){0,3}\.onnx", fullmatch=True),
        bytes=st.integers(0, 1 << 30),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        format=st.sampled_from(["onnx", "other"]),
        precision=st.none() | st.just("fp32"),
    ),
    max_size=4,
    unique_by=lambda file: file.path,
).map(tuple)
manifests = st.builds(Manifest, spec=specs, files=files)


@ordinary
@hypothesis.given(manifests)
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert Manifest.loads(manifest.dumps(), "m") == manifest
    assert ModelSpec.from_metadata(manifest.spec.to_metadata(), "m") == manifest.spec


@ordinary
@hypothesis.given(manifests, st.data())
def test_a_manifest_with_any_byte_changed_is_refused(manifest: Manifest, data: object) -> None:
    raw = bytearray(manifest.dumps().encode("utf-8"))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError) as refused:
        Manifest.loads(bytes(raw), "m")
    assert "\n" not in str(refused.value)


@ordinary
@hypothesis.given(st.binary(max_size=300) | st.text(max_size=300))
def test_anything_else_is_refused_as_a_manifest(data: bytes | str) -> None:
    with pytest.raises(BundleError):
        Manifest.loads(data, "m")


# Any name that a file system gives: bytes without NUL, as Python holds them.
paths = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode)
scores = st.floats(0, 1)


def reading(values: list[float]) -> Prediction:
    values = sorted(values, reverse=True)
    top = tuple(Score(label, value) for label, value in zip(LABELS, values, strict=True))
    return Prediction(top[0].label, top[0].score, 0, top)


results = st.one_of(
    st.builds(
        lambda path, values: Result(path, "ok", reading(values), None),
        paths,
        st.lists(scores, min_size=3, max_size=3),
    ),
    st.builds(lambda path: Result(path, "ok", Prediction("unknown", 0.0, -1, ()), None), paths),
    st.builds(lambda path, error: Result(path, "corrupt", None, error), paths, st.text(min_size=1)),
)
row_formats = st.builds(RowFormat, st.sampled_from(get_args(FormatName)), st.integers(1, 3))


def output(row_format: RowFormat, rows: list[Result]) -> bytes:
    return row_format.header() + row_format.rows(rows)


@ordinary
@hypothesis.given(row_formats, st.lists(results, max_size=8))
def test_rows_are_read_back_as_they_were_written(row_format: RowFormat, rows: list[Result]) -> None:
    stream = io.BytesIO(output(row_format, rows))
    assert row_format.read_header(stream, "x") == len(row_format.header()) or not rows
    stream.seek(len(row_format.header()))
    found = list(row_format.read_rows(stream))
    assert [(row.path, row.status) for row in found] == [(written(r.path), r.status) for r in rows]
    assert b"".join(row.bytes for row in found) == row_format.rows(rows)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resume") / "rows"


def resumed(
    row_format: RowFormat, scratch: Path, data: bytes, now: list[Result], min_score: float = 0
) -> tuple[EarlierRows, Iterator[str]]:
    by_path = {result.path: result for result in now}
    scratch.write_bytes(data)
    this_run = ThisRun(
        frozenset(LABELS),
        min_score,
        lambda chunks: (row_format.rows([by_path[path]]) for (path,) in chunks),
    )
    left = iter([result.path for result in now])
    with open(scratch, "rb") as stream:
        return check_earlier_rows(stream, "rows", row_format, left, this_run), left


distinct = st.lists(results, min_size=1, max_size=12, unique_by=lambda result: result.path)


@ordinary
@hypothesis.given(row_formats, distinct, st.data())
def test_whatever_of_an_output_is_left_and_follows_going_on_gives_the_same_bytes(
    scratch: Path, row_format: RowFormat, rows: list[Result], data: object
) -> None:
    whole = output(row_format, rows)
    cut = data.draw(st.integers(0, len(whole)))
    # What a power failure can leave behind the end: zeros, or a block of what was there before.
    tail = data.draw(st.just(b"") | st.integers(1, 5000).map(bytes))
    earlier, left = resumed(row_format, scratch, whole[:cut] + tail, rows)
    finished = whole[: earlier.end] or row_format.header()
    rest = set(left)
    assert finished + row_format.rows([row for row in rows if row.path in rest]) == whole
    assert earlier.counts.failed == sum(
        result.status != "ok" for result in rows[: earlier.counts.files]
    )


@ordinary
@hypothesis.given(row_formats, distinct, st.data())
def test_a_row_that_would_be_another_now_is_never_kept(
    scratch: Path, row_format: RowFormat, rows: list[Result], data: object
) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    new = data.draw(results)
    now = [*rows]
    now[place] = Result(rows[place].path, new.status, new.prediction, new.error)
    hypothesis.assume(row_format.rows([now[place]]) != row_format.rows([rows[place]]))
    with pytest.raises(OutputError, match=r"^rows: cannot be resumed: "):
        resumed(row_format, scratch, output(row_format, rows), now)


@ordinary
@hypothesis.given(row_formats, distinct, scores)
def test_another_minimum_score_is_refused_where_a_row_tells(
    scratch: Path, row_format: RowFormat, rows: list[Result], min_score: float
) -> None:
    doubted = [
        r
        for r in rows
        if r.prediction and r.prediction.top and r.prediction.score < min_score - 1e-6
    ]
    hypothesis.assume(doubted)
    with pytest.raises(OutputError):
        resumed(row_format, scratch, output(row_format, rows), rows, min_score)


@ordinary
@hypothesis.given(
    inputs,
    preprocessings,
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 30, 256]),
)
def test_any_pixels_become_a_tensor_of_the_models_shape(
    spec: InputSpec,
    preprocessing: Preprocessing,
    shape: tuple[int, int],
    colour: bool,
    seed: int,
    levels: int,
) -> None:
    if preprocessing.kind == "ink":
        spec = InputSpec(height=spec.height, width=spec.height, channels=spec.channels)
    full = (*shape, 3) if colour else shape
    pixels = np.random.default_rng(seed).integers(0, levels, full).astype(np.uint8)
    try:
        tensor = reader_of(spec, preprocessing).tensor(pixels)
    except EdgeRuntimeError:
        pytest.fail("an image of one pixel or more was refused")
    assert tensor.shape == spec.shape
    assert tensor.dtype == np.uint8
    assert np.array_equal(tensor, reader_of(spec, preprocessing).tensor(pixels.copy()))
