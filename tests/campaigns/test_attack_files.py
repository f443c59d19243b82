"""Everything that a stranger could put in the folder: a row each, in bounded memory, in one run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier, ImageError
from edge_runtime.inputs.image import decode
from edge_runtime.output.row_format import written

from ..conftest import Run
from ..support.helpers import DECODER_WARNINGS, EXECUTABLE, GOLDEN, environment, rows_of
from .attack_files import OK, PASSED_OVER, Statuses, huge_tiles, many_scans, seven, write
from .mutate_images import mutants, read_all

BYTES_A_PIXEL = 20  # as docs/security.md promises, with
BYTES_BESIDE = 200_000_000

pytestmark = pytest.mark.filterwarnings(DECODER_WARNINGS, "ignore::RuntimeWarning")


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Statuses]]:
    folder = tmp_path_factory.mktemp("attack") / "files"
    expected = write(folder)
    yield folder, {written(os.fsdecode(name)): statuses for name, statuses in expected.items()}
    (folder / "shut").chmod(0o700)


def test_every_hostile_file_gives_one_documented_row_in_bounded_memory(
    attack: tuple[Path, dict[str, Statuses]], tmp_path: Path
) -> None:
    folder, expected = attack
    command = [EXECUTABLE, "predict", folder, "-o", tmp_path / "rows.csv", "--batch-size", "5"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, env=environment(tmp_path), cwd=tmp_path
    )
    assert process.stderr
    stderr = process.stderr.read().decode()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 2, stderr
    assert f"{len(PASSED_OVER)} other files passed over" in stderr
    rows = rows_of((tmp_path / "rows.csv").read_bytes())
    found = {os.path.relpath(row["path"], folder): row["status"] for row in rows}
    assert found.keys() == expected.keys()
    assert len(rows) == len(expected)
    wrong = {name: status for name, status in found.items() if status not in expected[name]}
    assert not wrong
    assert usage.ru_maxrss * 1024 < 64_000_000 * BYTES_A_PIXEL + BYTES_BESIDE
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.csv"]


def test_what_is_no_file_gives_its_row_by_name(
    run: Run, attack: tuple[Path, dict[str, Statuses]]
) -> None:
    names = [attack[0] / os.fsdecode(name) for name in PASSED_OVER[:2]]
    done = run("predict", *names, "/dev/zero", GOLDEN / "7.bmp", status=1)
    statuses = [row["status"] for row in rows_of(done.stdout)]
    assert statuses == ["not_a_file"] * 3 + ["ok"]


def test_max_pixels_sets_what_is_too_large(
    run: Run, attack: tuple[Path, dict[str, Statuses]]
) -> None:
    image = attack[0] / "1-bit.png"
    limits = {1599: "too_large", 1600: "ok"}
    for limit, status in limits.items():
        done = run("predict", image, "--max-pixels", limit, status=status != "ok")
        (row,) = rows_of(done.stdout)
        assert row["status"] == status
    assert row["error"] == ""


def test_images_without_writing_to_speak_of_are_still_read(
    classifier: Classifier, attack: tuple[Path, dict[str, Statuses]]
) -> None:
    """The ink of the same seven, in all of the modes that have room for it."""
    folder, expected = attack
    ink = classifier.tensor(np.asarray(seven())).astype(int)
    names = ("1-bit", "16-bit", "cmyk", "lab", "palette", "int32", "float.", "grey-alpha", "icc.")
    for name, statuses in expected.items():
        if name.startswith(names) and statuses == OK:
            assert np.abs(classifier.tensor(folder / name) - ink).mean() < 6, name


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (huge_tiles(256), None),
        (huge_tiles(9000), "tiles of 9000x9000 are more than 64000000 pixels"),
        (many_scans(0), None),
        (many_scans(190), None),
        (many_scans(200), "more than 200 scans"),
        (many_scans(40_000), "more than 200 scans"),
        ((GOLDEN / "7.bmp").read_bytes(), None),
    ],
    ids=["a tile", "a huge tile", "scans", "many scans", "a scan too many", "endless", "neither"],
)
def test_work_that_the_size_does_not_tell_is_refused(data: bytes, words: str | None) -> None:
    if words:
        with pytest.raises(ImageError, match=words) as refused:
            decode(data)
        assert refused.value.status == "too_large"
    else:
        assert decode(data).size


def test_damaged_images_are_read_or_refused(tmp_path: Path, classifier: Classifier) -> None:
    """The short version of mutate_images.py."""
    found = read_all(tmp_path, mutants(400, seed=1), classifier)
    assert found.statuses.total() == 400
    assert found.statuses["ok"] > 30
    assert found.statuses["corrupt"] > 30
