"""A model switched on a device: checked first, in one step, with the old one kept."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.signature import sign
from edge_runtime.deployment.golden import check_files
from edge_runtime.deployment.update import update
from edge_runtime.system.atomic import exchange

from ...conftest import Run
from ...support.helpers import TIMEOUT, copy_bundle, edit_manifest, environment, flip_byte
from ..bundle.test_signature import keys
from .test_golden import edit_golden


def version(bundle: Path) -> str:
    check_files(bundle)
    return Classifier(bundle).spec.version


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    folder = copy_bundle(tmp_path / "newer")
    edit_manifest(folder, lambda data: data.update(version="9.9"))
    return folder


def test_the_new_bundle_takes_the_place_and_the_old_one_is_kept(
    run: Run, tmp_path: Path, bundle: Path, newer: Path
) -> None:
    first = version(bundle)
    done = run("update", newer, bundle)
    assert b"the old bundle is kept as " in done.stdout
    assert (version(bundle), version(tmp_path / "bundle.old")) == ("9.9", first)
    edit_manifest(newer, lambda data: data.update(version="10"))
    run("update", newer, bundle)
    assert (version(bundle), version(tmp_path / "bundle.old")) == ("10", "9.9")
    done = run("update", tmp_path / "bundle.old", bundle, status=3)
    (line,) = done.stderr.decode().splitlines()
    assert "is version 9.9 of digits, older than " in line
    assert "version 10 of digits; --allow-older takes it" in line
    assert version(bundle) == "10"
    older = run("update", "--json", "--allow-older", tmp_path / "bundle.old", bundle)
    said = json.loads(older.stdout)
    assert (said["version"], said["old"]) == ("9.9", str(tmp_path / "bundle.old"))
    assert version(bundle) == "9.9"
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "bundle.old", "newer", "home"}


def test_a_first_bundle_is_put_where_there_was_none(run: Run, tmp_path: Path, newer: Path) -> None:
    run("update", newer, tmp_path / "models" / "digits")
    assert version(tmp_path / "models" / "digits") == "9.9"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["digits"]


def test_a_replay_of_an_older_signed_bundle_is_refused(
    run: Run, tmp_path: Path, bundle: Path, newer: Path
) -> None:
    pytest.importorskip("cryptography", reason="needs edge-runtime[sign]")
    private, public = keys(tmp_path)
    sign(bundle, private)
    sign(newer, private)
    device = tmp_path / "device"
    run("update", bundle, device, "--key", public)
    run("update", newer, device, "--key", public)
    run("update", bundle, device, "--key", public, status=3)
    assert version(device) == "9.9"
    run("update", bundle, device, "--key", public, "--allow-older")
    flip_byte(device / "manifest.json")
    run("update", bundle, device, "--key", public)  # what is damaged has no version


VERSIONS = ["0.9", "v0.10", "1.0a2", "1.0rc1", "1", "1.0.1", "1.99", "2026-02-28", "2026-11-27"]


def test_versions_are_ordered_by_their_numbers(bundle: Path, newer: Path) -> None:
    for lower, higher in pairwise(VERSIONS):
        edit_manifest(bundle, lambda data, higher=higher: data.update(version=higher))
        edit_manifest(newer, lambda data, lower=lower: data.update(version=lower))
        with pytest.raises(BundleError, match=rf"version {lower} of digits, older than "):
            update(newer, bundle)
    edit_manifest(newer, lambda data: data.update(version="V2026.11.27.0"))
    update(newer, bundle)


BAD = {
    "a flipped byte": lambda new: flip_byte(new / "model.onnx"),
    "a wrong golden vector": lambda new: edit_golden(new, lambda v: v[3].update(label="other")),
    "no golden vectors": lambda new: edit_manifest(new, lambda data: data.update(files=[])),
    "a file too many": lambda new: (new / "extra").touch(),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_bundle_changes_nothing(
    run: Run, tmp_path: Path, bundle: Path, newer: Path, spoil: object
) -> None:
    first = version(bundle)
    spoil(newer)  # type: ignore[operator]
    before = set(tmp_path.rglob("*"))
    done = run("update", newer, bundle, status=3)
    assert len(done.stderr.splitlines()) == 1
    assert set(tmp_path.rglob("*")) == before
    assert version(bundle) == first


def test_only_a_bundle_is_replaced(run: Run, tmp_path: Path, newer: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("newer")
    for name in ("photos", "link"):
        run("update", newer, tmp_path / name, status=3)


def test_one_update_at_a_time(tmp_path: Path, bundle: Path, newer: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another update"):
            update(newer, bundle)
    finally:
        os.close(handle)
    assert update(newer, bundle) == tmp_path / "bundle.old"


def test_an_update_killed_at_any_moment_leaves_a_whole_bundle(
    tmp_path: Path, bundle: Path, newer: Path, home: Path
) -> None:
    """And the next update goes through."""
    chance = random.Random(0)
    code = f"""
import edge_runtime.deployment.update as u
from pathlib import Path
print(".", flush=True)
u.update(Path({str(newer)!r}), Path({str(bundle)!r}))
"""
    versions = set()
    seconds = 0.0
    for number in range(12):
        edit_manifest(newer, lambda data, number=number: data.update(version=f"1.{number}"))
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment(home)
        )
        assert process.stdout
        assert process.stdout.readline() == b".\n"
        started = time.monotonic()
        if number:
            time.sleep(chance.random() * seconds)
            process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.wait(TIMEOUT)
        seconds = seconds or time.monotonic() - started
        versions.add(version(bundle))
        version(tmp_path / "bundle.old")
    assert "1.0" in versions
    update(newer, bundle)
    assert version(bundle) == "1.11"
    assert not list(tmp_path.glob(".*"))


def test_an_update_killed_at_any_rename_or_removal_leaves_two_whole_bundles(
    tmp_path: Path, bundle: Path, newer: Path, home: Path
) -> None:
    """Moments too short to be met by chance: the process ends itself at the n-th of them."""
    code = f"""
import os, signal, sys
import edge_runtime.deployment.update as u
from pathlib import Path
left = int(sys.argv[1])
def count(event, _):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "ctypes.dlopen"):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
u.prove(Path({str(newer)!r}))
sys.addaudithook(count)
u.update(Path({str(newer)!r}), Path({str(bundle)!r}))
"""
    edit_manifest(newer, lambda data: data.update(version="1.0"))
    update(newer, bundle)
    for step in (1, 2, 3, 4, 5, 6, 8, 12, 1000):
        edit_manifest(newer, lambda data, step=step: data.update(version=f"1.{step}"))
        process = subprocess.run(
            [sys.executable, "-c", code, str(step)], env=environment(home), timeout=TIMEOUT
        )
        assert process.returncode == (0 if step == 1000 else -signal.SIGKILL)
        version(bundle)
        version(tmp_path / "bundle.old")
        shutil.rmtree(tmp_path / ".bundle.new", ignore_errors=True)  # or it is met first
    assert version(bundle) == "1.1000"
    assert version(tmp_path / "bundle.old") == "1.12"


def test_folders_are_exchanged(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    exchange(tmp_path / "a", tmp_path / "b")
    assert [(tmp_path / name / "x").read_text() for name in "ab"] == ["b", "a"]
    with pytest.raises(OSError, match="No such file"):
        exchange(tmp_path / "a", tmp_path / "absent")
