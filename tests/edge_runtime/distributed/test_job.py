"""A job without Ray: the files of each shard, the output, and what is never mixed."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inference.batch import classify_files
from edge_runtime.inputs.walk import walk

from ...support.helpers import GOLDEN, LABELS, rows_of

pytest.importorskip("pyarrow", reason="needs edge-runtime[ray]")

import pyarrow.parquet as pq

from edge_runtime.distributed.job import (
    Job,
    ShardSummary,
    begin,
    check_node,
    finish,
    list_shards,
    model_files,
)
from edge_runtime.distributed.shards import start_classifying, write_shard

ARGUMENTS = {"precision": "fp32", "top_k": 1, "min_score": 0.0, "threads": 1}


def job_of(output: Path | str, *sources: Path | str, **changes: Any) -> Job:
    job = Job(
        sources=tuple(map(str, sources)),
        output=str(output),
        format="csv",
        model=model_files(BUILT_IN, "fp32"),
        arguments=ARGUMENTS,
        shard_files=50,
    )
    return replace(job, **changes)


def run_all(job: Job) -> list[ShardSummary]:
    begin(job)
    classify = start_classifying(job)
    shards = list(list_shards(job))
    done = [write_shard(job, shard, classify) for shard in shards]
    finish(job, sum(bool(shard.paths) for shard in shards))
    return done


def test_parts_hold_the_walk_in_its_order_and_count_what_was_passed_over(
    scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    job = job_of("out", scans, "absent.png", tmp_path)
    shards = list(list_shards(job))
    paths = [path for shard in shards for path in shard.paths]
    assert paths == [*walk([str(scans)]), "absent.png"]
    assert [len(shard.paths) for shard in shards] == [50] * 10 + [41]
    assert [shard.number for shard in shards] == [*range(11)]
    assert [shard.passed_over for shard in shards] == [0] * 10 + [1]
    whole = list(list_shards(replace(job, shard_files=541)))
    assert [(shard.number, len(shard.paths), shard.passed_over) for shard in whole] == [
        (0, 541, 0),
        (-1, 0, 1),
    ]


def test_local_paths_are_as_given_whatever_folder_a_worker_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(GOLDEN, tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    job = job_of("out", "in/", ".", "in/7.bmp")
    monkeypatch.chdir("/")
    done = run_all(job)
    (shard,) = (tmp_path / "out").glob("part-*")
    rows = rows_of(shard.read_bytes())
    monkeypatch.chdir(tmp_path)
    expected = list(classify_files(Classifier(), walk(["in/"])))
    assert [row["path"] for row in rows][: len(expected)] == [r.path for r in expected]
    assert rows[-1]["path"] == "in/7.bmp"
    assert rows[-1]["label"] == LABELS["7.bmp"]
    assert {path.partition("/")[0] for path in (row["path"] for row in rows)} == {"in", "."}
    assert sum(d.counts.failed for d in done) == 0


def test_parquet_has_the_columns_and_null_where_there_is_nothing(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "in")
    (tmp_path / "in/bad\udcff.png").write_bytes(b"x")
    arguments = ARGUMENTS | {"top_k": 2}
    run_all(job_of(tmp_path / "p", tmp_path / "in", format="parquet", arguments=arguments))
    run_all(job_of(tmp_path / "c", tmp_path / "in", format="csv", arguments=arguments))
    text = rows_of((tmp_path / "c/part-0000000.csv").read_bytes())
    table = pq.read_table(tmp_path / "p")  # the folder, as people read it
    assert table.column_names == list(text[0])
    assert [str(kind) for kind in table.schema.types][:5] == [
        *("string", "string", "string", "double", "string")
    ]
    shown = [
        {k: "" if v is None else f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()}
        for row in table.to_pylist()
    ]
    assert shown == text
    assert sum(row["label"] is None for row in table.to_pylist()) == 1


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl"])
def test_a_resumed_run_keeps_whole_parts_and_makes_the_others(
    scans: Path, tmp_path: Path, format: str
) -> None:
    job = job_of(tmp_path / "out", scans, format=format)
    run_all(job)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert "_SUCCESS" in whole
    for number in (3, 7):
        (tmp_path / f"out/part-000000{number}.{format}").unlink()
    (tmp_path / "out/_SUCCESS").unlink()
    (tmp_path / f"out/.part-0000003.{format}.123").write_bytes(b"half")
    done = run_all(replace(job, resume=True))
    assert [d.earlier for d in done] == [n not in (3, 7) for n in range(11)]
    assert sum(d.counts.files for d in done) == 540
    assert sum(d.counts.failed for d in done) == 12
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == whole


def test_an_output_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    begin(job_of(tmp_path / "out", GOLDEN))
    with pytest.raises(OutputError, match="not empty; --resume"):
        begin(job_of(tmp_path / "out", GOLDEN))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").touch()
    for resume in (False, True):
        with pytest.raises(OutputError, match="other"):
            begin(job_of(tmp_path / "other", GOLDEN, resume=resume))
    assert os.listdir(tmp_path / "other") == ["mine.txt"]
    with pytest.raises(OutputError, match="is a file"):
        begin(job_of(tmp_path / "other/mine.txt", GOLDEN))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "jsonl"},
        {"arguments": ARGUMENTS | {"min_score": 0.5}},
        {"arguments": ARGUMENTS | {"providers": ["openvino"]}},
        {"sources": ("elsewhere",)},
        {"max_pixels": 100},
        {"all_files": True},
        {"shard_files": 51},
        {"model": {"model.onnx": b"another"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_rows_of_two_kinds_are_never_mixed(tmp_path: Path, change: dict[str, Any]) -> None:
    job = job_of(tmp_path / "out", GOLDEN)
    run_all(job)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputError, match="cannot be resumed: it was written with"):
        begin(replace(job, resume=True, **change))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_resuming_after_the_files_changed_is_refused(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "in")
    job = job_of(tmp_path / "out", tmp_path / "in", shard_files=5)
    run_all(job)
    resumed = replace(job, resume=True)
    (tmp_path / "in/00-new.png").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"part-0000000\.csv holds the rows of other files"):
        run_all(resumed)
    (tmp_path / "in/00-new.png").unlink()
    for path in sorted((tmp_path / "in").iterdir())[5:]:
        path.unlink()
    with pytest.raises(OutputError, match="has rows of files that are gone"):
        run_all(resumed)
    assert not (tmp_path / "out/_SUCCESS").exists()


def test_a_node_without_the_folder_or_the_output_makes_no_rows(tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", tmp_path / "in")
    begin(job)
    with pytest.raises(EdgeRuntimeError, match="is not on node"):
        check_node(job, [str(tmp_path / "in")])
    check_node(job, [])
    for other in (replace(job, output=str(tmp_path / "x")), replace(job, max_pixels=5)):
        with pytest.raises(EdgeRuntimeError, match="does not see this run's"):
            check_node(other, [])


def test_a_bucket_and_a_folder_give_the_same_rows_but_for_their_names(
    s3: str, scans: Path, tmp_path: Path
) -> None:
    from edge_runtime.distributed import storage

    for path in scans.glob("a/00[0-4]*"):
        storage.write(f"{s3}/scans/{path.name}", path.read_bytes())
    done = run_all(job_of(f"{s3}/rows", f"{s3}/scans", format="jsonl", shard_files=20))
    assert [d.counts.files for d in done] == [20, 20, 10]
    names = [found.base_name for found in storage.listed(f"{s3}/rows")]
    assert "_SUCCESS" in names
    there = b"".join(storage.load(f"{s3}/rows/part-000000{n}.jsonl") for n in range(3))
    (tmp_path / "in").mkdir()
    for path in scans.glob("a/00[0-4]*"):
        shutil.copyfile(path, tmp_path / "in" / path.name)
    run_all(job_of(tmp_path / "out", tmp_path / "in", format="jsonl"))
    here = (tmp_path / "out/part-0000000.jsonl").read_bytes()
    assert there.replace(f"{s3}/scans".encode(), bytes(tmp_path / "in")) == here
    assert b'"status": "corrupt"' in here
