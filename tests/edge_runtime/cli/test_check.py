"""`edge-runtime check`, as a real process."""

from __future__ import annotations

import json
from pathlib import Path

from ...conftest import Run
from ...support.helpers import (
    DIGITS,
    LABELS,
    VECTORS,
)
from ..deployment.test_golden import edit_golden


def test_check_passes_on_the_built_in_bundle_and_names_each_image(run: Run) -> None:
    text = run("check").stdout.decode()
    assert "files have the hashes of the manifest" in text
    assert all(vector["image"] in text for vector in DIGITS)
    assert text.rstrip().endswith("golden vectors passed")
    assert "FAILED" not in text


def test_check_says_which_golden_vector_fails_with_status_three(run: Run, bundle: Path) -> None:
    edit_golden(bundle, lambda vectors: vectors[7].update(label="other"))
    done = run("check", bundle, status=3)
    (line,) = [line for line in done.stdout.decode().splitlines() if "FAILED" in line]
    assert line.startswith("7.bmp")
    assert f"{LABELS['7.bmp']}, not other" in line
    assert f"1 of {len(VECTORS)} golden vectors failed" in done.stderr.decode()
    done = run("check", bundle, "--json", status=3)
    said = json.loads(done.stdout)
    assert said["passed"] is False
    (failed,) = [result for result in said["golden"] if not result["passed"]]
    assert (failed["image"], failed["expected"]) == ("7.bmp", "other")


def test_check_as_json_holds_what_the_table_says(run: Run, bundle: Path) -> None:
    (bundle / "labels.txt").unlink()
    said = json.loads(run("check", bundle, "--json").stdout)
    assert (said["bundle"], said["name"], said["passed"]) == (str(bundle), "digits", True)
    assert said["files_absent"].count("labels.txt") == 1
    assert "model.onnx" in said["files_checked"]
    assert [result["image"] for result in said["golden"]] == [v["image"] for v in VECTORS]
