"""Files behind URIs, on an S3 server of this machine: listed, read and written as local ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_runtime.errors import EdgeRuntimeError, ImageError
from edge_runtime.inputs.walk import walk

from ...support.helpers import GOLDEN

pytest.importorskip("pyarrow", reason="needs edge-runtime[ray]")

from edge_runtime.distributed import storage

NAMES = [
    "b.png",
    "a b/%41?#.PNG",
    "a b/c.jpg",
    "a/日本.gif",
    ".hidden.png",
    "a b/.h/x.png",
    "n.txt",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def copy(folder: Path, uri: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.write(f"{uri}/{path.relative_to(folder)}", path.read_bytes())


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("all_files", [True, False])
def test_a_bucket_is_walked_as_a_folder_is(
    s3: str, tree: Path, recursive: bool, all_files: bool
) -> None:
    rules = {"recursive": recursive, "all_files": all_files}
    copy(tree, f"{s3}/tree")
    left_out: list[str] = []
    here = list(walk([str(tree)], **rules, passed_over=left_out.append))
    there = list(storage.walk(f"{s3}/tree/", **rules))
    assert [path.removeprefix(f"{s3}/tree") for path in there] == [
        path.removeprefix(str(tree)) for path in here
    ]
    missed: list[str] = []
    list(storage.walk(f"{s3}/tree", **rules, passed_over=missed.append))
    assert len(missed) == len(left_out)


def test_an_object_given_by_name_is_itself(s3: str) -> None:
    storage.write(f"{s3}/notes.txt", b"x")
    for name in ("notes.txt", "absent"):
        assert list(storage.walk(f"{s3}/{name}")) == [f"{s3}/{name}"]


@pytest.mark.parametrize("base", ["s3", "memory://box", "local"])
def test_what_is_written_is_read_and_what_is_not_there_has_the_status(
    s3: str, tmp_path: Path, base: str
) -> None:
    top = {"s3": s3, "local": str(tmp_path)}.get(base, base)
    data = (GOLDEN / "7.bmp").read_bytes()
    storage.write(f"{top}/deep/in here/7.bmp", data)
    assert storage.read(f"{top}/deep/in here/7.bmp") == data
    storage.write(f"{top}/empty.png", b"")
    for name, status in (("absent.png", "not_found"), ("empty.png", "empty")):
        with pytest.raises(ImageError) as raised:
            storage.read(f"{top}/{name}")
        assert raised.value.status == status
    assert [found.base_name for found in storage.listed(f"{top}/deep/in here")] == ["7.bmp"]
    storage.delete(f"{top}/deep/in here/7.bmp")
    assert storage.listed(f"{top}/deep/in here") == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        storage.write(str(path), b"x")
    assert path.is_dir()


def test_what_has_no_file_system_is_one_line(s3: str) -> None:
    for uri in ("nosuch://x/y", "gopher://x/y"):
        with pytest.raises(EdgeRuntimeError, match=uri[:8]) as raised:
            storage.info(uri)
        assert "\n" not in str(raised.value)
        with pytest.raises(ImageError) as failed:
            storage.read(uri)
        assert failed.value.status == "unreadable"


def test_a_file_uri_is_a_local_path() -> None:
    assert storage.plain("file:///data/my%20scans") == "/data/my scans"
    assert storage.plain("scans/50%20") == "scans/50%20"
    assert not storage.is_uri("scans/a:b")
    assert not storage.is_uri(r"C:\scans")


def test_files_are_read_ahead_in_their_order_a_few_at_a_time() -> None:
    asked: list[str] = []

    def source(path: str) -> bytes:
        asked.append(path)
        return path.encode()

    with ThreadPoolExecutor(4) as pool:
        ahead = storage.read_ahead(map(str, range(1000)), source, pool)
        found = [next(ahead)() for _ in range(100)]
        assert found == [str(number).encode() for number in range(100)]
        assert len(asked) <= 100 + storage._AHEAD
