"""`edge-runtime info`, as a real process."""

from __future__ import annotations

from pathlib import Path

from ...conftest import Run


def test_info_describes_the_bundle(run: Run, bundle: Path) -> None:
    text = run("info").stdout.decode()
    assert text.startswith("digits ")
    for words in ("10: 0, 1, 2", "16x16x1 uint8", "ink, max_stretch 2", "model.int8.onnx"):
        assert words in text
    inside = run("info", bundle).stdout.decode()
    assert inside.splitlines()[1:] == text.splitlines()[1:]
    assert str(bundle) in inside.splitlines()[0]
