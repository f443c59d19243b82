"""Regular files are read within a bound; anything else is refused without waiting for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime import BundleError, InputError
from edge_runtime.bundle.integrity import read_file
from edge_runtime.inputs.files import file_bytes


def test_a_file_is_read_up_to_its_bound_by_bundles_and_inputs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"12345"):
        path.write_bytes(data)
        assert read_file(path, 5) == file_bytes(path, 5) == data
    with pytest.raises(BundleError, match="file: has 5 bytes, expected at most 4"):
        read_file(path, 4)
    with pytest.raises(InputError, match="5 bytes are more than 4") as refused:
        file_bytes(path, 4)
    assert refused.value.status == "too_large"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_folders_and_pipes_are_refused_at_once_and_nothing_stays_open(
    tmp_path: Path, make: object
) -> None:
    path = tmp_path / "special"
    make(path)  # type: ignore[operator]
    link = tmp_path / "link"
    link.symlink_to(path)
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    for place in (path, link):
        with pytest.raises(BundleError, match=r"(not a regular file|\(Is a directory\))$"):
            read_file(place, 9)
        with pytest.raises(InputError, match=r"^(not a regular file|a folder)$") as refused:
            file_bytes(place, 9)
        assert refused.value.status == "not_a_file"
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before)
