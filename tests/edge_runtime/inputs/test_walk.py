"""Which files a run reads, in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.inputs.walk import walk


def tree(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def walked(top: Path, **options: bool) -> tuple[list[str], list[str]]:
    over: list[str] = []
    taken = walk([str(top)], passed_over=over.append, **options)
    return tuple(  # type: ignore[return-value]
        [os.path.relpath(path, top) for path in paths] for paths in (list(taken), sorted(over))
    )


def test_a_folder_is_walked_in_sorted_order_for_image_endings_of_any_case(tmp_path: Path) -> None:
    images = ["B.PNG", "a.jpg", "b/1.tif", "b/2.TIFF", "b/c/x.webp", "b.gif", "c.bmp", "d.JPeG"]
    tree(tmp_path, *images, "notes.txt", "b/data.csv", "png")
    taken, over = walked(tmp_path)
    assert taken == ["B.PNG", "a.jpg", "b/1.tif", "b/2.TIFF", "b/c/x.webp", *images[5:]]
    assert over == ["b/data.csv", "notes.txt", "png"]


def test_a_folder_of_many_names_is_sorted_as_one_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A million names are too many for a test.
    monkeypatch.setattr("edge_runtime.inputs.walk._RUN", 4)
    names = [f"{number * 37 % 100}.png" for number in range(100)]
    odd = [
        "a b.png",
        "a\nb.png",
        "\udcff.png",
        "\u00e9.png",
        "\U0001f600.png",
        "7/x.png",
        "70/x.png",
    ]
    tree(tmp_path, *names, *odd)
    assert walked(tmp_path) == (sorted(names + odd, key=lambda path: path.split("/")), [])


def test_hidden_files_and_folders_are_passed_over_even_with_all_files(tmp_path: Path) -> None:
    tree(tmp_path, "a.png", ".b.png", ".hidden/c.png", "d")
    assert walked(tmp_path) == (["a.png"], [".b.png", ".hidden", "d"])
    assert walked(tmp_path, all_files=True) == (["a.png", "d"], [".b.png", ".hidden"])


def test_inner_folders_are_left_out_on_request(tmp_path: Path) -> None:
    tree(tmp_path, "a.png", "b/c.png")
    assert walked(tmp_path, recursive=False) == (["a.png"], [])


def test_paths_given_by_name_are_taken_whatever_they_are(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden.txt", "b/x.png")
    given = [str(tmp_path / name) for name in ("z", ".hidden.txt", "b", "z")]
    inside = str(tmp_path / "b" / "x.png")
    assert list(walk(given)) == [given[0], given[1], inside, given[3]]


@pytest.mark.parametrize("all_files", [False, True])
def test_links_in_a_loop_end_the_walk_and_links_to_files_are_taken(
    tmp_path: Path, all_files: bool
) -> None:
    tree(tmp_path, "a/x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "up.png").symlink_to(tmp_path)
    (tmp_path / "link.png").symlink_to("a/x.png")
    (tmp_path / "nowhere.png").symlink_to("absent.png")
    (tmp_path / "self.png").symlink_to("self.png")
    os.mkfifo(tmp_path / "pipe.png")
    taken, over = walked(tmp_path, all_files=all_files)
    assert taken == ["a/x.png", "link.png", "nowhere.png", "self.png"]
    assert over == ["a/up", "a/up.png", "pipe.png"]


def test_a_folder_without_a_file_to_take_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "full/a.png", "other/notes.txt", "inner/empty/.keep", "inner/b.png")
    (tmp_path / "none").mkdir()
    paths = [str(tmp_path / name) for name in ("full", "other", "none", "inner", "gone.png")]
    empty: list[str] = []
    assert len(list(walk(paths, empty=empty.append))) == 3
    assert empty == paths[1:3]
