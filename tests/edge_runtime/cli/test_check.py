"""`edge-runtime check`, as a real process."""

from __future__ import annotations

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
