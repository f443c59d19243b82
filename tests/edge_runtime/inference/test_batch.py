"""Files into an ordered stream: one result for each, whatever the batch size and the workers."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from edge_runtime import Classifier, InputError, Result
from edge_runtime.inference.batch import classify_files

from ...support.helpers import DIGITS, GOLDEN

GOOD = str(GOLDEN / "7.bmp")


@pytest.fixture(scope="module")
def reference(classifier: Classifier, scans: Path) -> list[Result]:
    return list(classifier.predict_folder(scans))


def test_every_file_of_a_folder_gives_one_result_in_sorted_order(
    scans: Path, reference: list[Result]
) -> None:
    assert [result.path for result in reference] == sorted(str(path) for path in scans.rglob("*.*"))
    for result in reference:
        number = int(Path(result.path).stem)
        if number % 97 in (5, 6):
            assert result.status == ("corrupt", "empty")[number % 97 - 5]
            assert result.prediction is None
            assert result.error
        else:
            assert (result.status, result.error) == ("ok", None)
            assert result.prediction is not None
            assert result.prediction.label == DIGITS[number % len(DIGITS)]["label"]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (7, 1), (64, 2), (7, 2)])
def test_batch_size_and_workers_change_no_result(
    classifier: Classifier,
    scans: Path,
    reference: list[Result],
    batch_size: int,
    workers: int,
) -> None:
    found = list(classifier.predict_folder(scans, batch_size=batch_size, workers=workers))
    assert found == reference


@pytest.mark.parametrize(("files", "processes"), [(511, 0), (512, 2)])
def test_processes_are_started_for_many_files_only_and_end_with_the_run(
    classifier: Classifier, files: int, processes: int
) -> None:
    results = classify_files(classifier, [GOOD] * files, workers=2)
    next(results)
    assert len(multiprocessing.active_children()) == processes
    assert len(list(results)) == files - 1
    assert multiprocessing.active_children() == []


def test_a_time_limit_is_kept_by_a_process(classifier: Classifier) -> None:
    results = classify_files(classifier, [GOOD] * 3, timeout=60)
    assert next(results).label == "7"
    assert len(multiprocessing.active_children()) == 1
    assert [result.label for result in results] == ["7", "7"]
    assert multiprocessing.active_children() == []


def test_a_bad_file_does_not_disturb_its_neighbours(classifier: Classifier) -> None:
    bad = ["absent.png", __file__, str(GOLDEN), "a\0b"]
    mixed = [bad[0], GOOD, bad[1], bad[2], GOOD, bad[3], GOOD]
    for batch_size in (1, 3, 64):
        results = list(classify_files(classifier, mixed, batch_size=batch_size))
        assert [result.path for result in results] == mixed
        statuses = ["not_found", "ok", "not_an_image", "not_a_file", "ok", "unreadable", "ok"]
        assert [result.status for result in results] == statuses
        labels = {result.prediction.label for result in results if result.prediction}
        assert labels == {"7"}


def test_a_batch_of_nothing_but_bad_files_gives_their_rows(classifier: Classifier) -> None:
    results = classify_files(classifier, ["x", "y"])
    assert [result.status for result in results] == ["not_found", "not_found"]
    assert list(classify_files(classifier, [])) == []


def test_results_stream_with_no_more_than_a_batch_read_ahead(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield GOOD

    results = list(islice(classify_files(classifier, endless(), batch_size=5), 11))
    assert len(results) == 11
    assert taken == 15


def test_the_same_file_over_the_limit_of_pixels_is_too_large_in_every_process(
    classifier: Classifier,
) -> None:
    for workers in (1, 2):
        paths = [GOOD] * 513
        results = classify_files(classifier, paths, workers=workers, max_pixels=10)
        assert {result.status for result in results} == {"too_large"}


def test_a_folder_that_is_absent_is_an_error(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such folder"):
        classifier.predict_folder(tmp_path / "absent")
    assert list(classifier.predict_folder(tmp_path)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_gives_its_own_row(
    classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "z.png").touch()
    (tmp_path / "shut").chmod(0)
    try:
        results = list(classifier.predict_folder(tmp_path))
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert [os.path.basename(result.path) for result in results] == ["shut", "z.png"]
    assert all(result.status != "ok" for result in results)


def test_a_result_is_a_flat_row(tmp_path: Path) -> None:
    shutil.copyfile(GOOD, tmp_path / "a.bmp")
    (tmp_path / "b.png").touch()
    good, bad = Classifier(top_k=2).predict_folder(tmp_path)
    assert good.prediction
    assert (good.label, good.score) == (good.prediction.label, good.prediction.score)
    assert (bad.label, bad.score) == (None, None)
    row = good.to_dict()
    assert list(row) == ["path", "status", "label", "score", "error", "label_2", "score_2"]
    assert (row["label"], row["label_2"]) == (good.label, good.prediction.top[1].label)
    assert bad.to_dict() == {
        "path": str(tmp_path / "b.png"),
        "status": "empty",
        "label": None,
        "score": None,
        "error": bad.error,
    }
    (unsure, _) = Classifier(top_k=2, min_score=1).predict_folder(tmp_path)
    assert (unsure.label, unsure.to_dict()["label_2"]) == ("unknown", good.label)


def test_a_program_without_a_main_guard_is_told_of_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(513):
        shutil.copyfile(GOOD, tmp_path / f"many/{number}.bmp")
    bare = "print(len(list(Classifier().predict_folder('many', workers=2))))"
    (tmp_path / "bare.py").write_text(f"from edge_runtime import Classifier\n{bare}\n")
    done = subprocess.run(
        [sys.executable, "bare.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]
