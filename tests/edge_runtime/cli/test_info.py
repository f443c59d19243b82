"""`edge-runtime info`, as a real process."""

from __future__ import annotations

import json
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


def test_info_as_json_is_the_manifest_and_where_it_is(run: Run, bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    del manifest["manifest_sha256"]
    assert json.loads(run("info", bundle, "--json").stdout) == {"bundle": str(bundle)} | manifest
    assert run("info", "absent", "--json", status=3).stdout == b""


def test_info_describes_a_lone_file_as_far_as_it_tells(run: Run, bundle: Path) -> None:
    whole = run("info", bundle).stdout.decode().splitlines()
    lone = run("info", bundle / "model.onnx").stdout.decode().splitlines()
    assert lone[1:6] == whole[1:6]
    assert str(bundle / "model.onnx") in lone[0]
    assert lone[6:] == ["a lone file; what was measured stands in its bundle"]
