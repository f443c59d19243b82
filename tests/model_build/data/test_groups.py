"""Examples of one group are never divided, and groups that make no split possible are refused."""

import csv

import numpy as np
import pytest

from model_build.data.split import stratified
from model_build.errors import BuildError
from model_build.recipes.generic.recipe import DataOptions
from model_build.recipes.registry import recipe_for

from ...support import drawn_data


@pytest.fixture
def load(workspace):
    return lambda path, by: recipe_for(str(path), DataOptions(group_by=by)).load(workspace)


def walks(folder, count=8, each=5, seed=0):
    """Photos of several walks in a folder each, of two classes."""
    rng = np.random.default_rng(seed)
    for label in ("dull", "fine"):
        for walk in range(count):
            for number in range(each):
                path = folder / label / f"{label}-walk{walk}" / f"{label}{walk}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                drawn_data.shape("circle", rng).save(path)
    return folder


def sides(dataset, group_of):
    """The part that each group is in; fails for one that is divided."""
    found = {}
    for name in ("train", "validation", "test"):
        for position in getattr(dataset, name):
            group = group_of(dataset.images.name(position))
            assert found.setdefault(group, name) == name
    return found


@pytest.mark.parametrize(
    ("by", "group_of"),
    [
        ("folder", lambda name: name.rpartition("/")[0]),
        ("prefix", lambda name: name.rpartition("/")[2].partition("_")[0]),
    ],
)
def test_photos_of_one_walk_are_in_one_part(tmp_path, load, by, group_of):
    dataset = load(walks(tmp_path), by)
    found = sides(dataset, group_of)
    assert len(found) == 16
    # A fifth of 8 groups is nearest to 2, and a fifth of the other 6 to 1.
    assert sorted(found.values()).count("test") == 4
    assert sorted(found.values()).count("validation") == 2
    for part in (dataset.train, dataset.validation, dataset.test):
        assert set(dataset.labels[part]) == {0, 1}


def test_a_column_of_a_table_tells_the_groups(tmp_path, load):
    walks(tmp_path)
    paths = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    day = {str(path): f"day {int(path.stem.split('_')[0][-1]) // 2}" for path in paths}
    day[str(paths[0])] = ""  # alone
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["day", "path", "label"])
        rows.writerows([day[str(path)], path, path.parts[0]] for path in paths)
    dataset = load(tmp_path / "list.csv", "day")
    found = sides(dataset, lambda name: day[name] or name)
    assert set(found) == {"day 0", "day 1", "day 2", "day 3", str(paths[0])}
    assert set(found.values()) == {"train", "validation", "test"}
    with pytest.raises(BuildError) as refused:
        load(tmp_path / "list.csv", "weather")
    assert str(refused.value) == (
        "--group-by weather: images in a table of path,label have no such groups; give folder or"
        " prefix or a column of the table (day)"
    )


def test_a_class_of_too_few_groups_is_refused_in_one_line(tmp_path, load):
    with pytest.raises(BuildError) as refused:
        load(walks(tmp_path, count=2), "folder")
    assert str(refused.value) == (
        f"--data {tmp_path}: --group-by folder: class 'dull' has 2 groups, at least 3 are needed"
        " (to train, to choose and to test); group by something smaller"
    )


def test_groups_that_their_owner_divided_are_named(tmp_path, load):
    for seed, part in enumerate(("train", "val", "test")):
        walks(tmp_path / part, count=1, each=20, seed=seed)
    dataset = load(tmp_path, "prefix")
    assert [finding.line() for finding in dataset.findings if "group" in finding.about] == [
        "2 groups by prefix in more than one part, kept as divided: dull0, fine0"
    ]


def test_arrays_have_no_groups(tmp_path, load):
    images = np.random.default_rng(0).integers(0, 256, (12, 10, 14)).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", x=images, y=np.arange(12) % 2)
    with pytest.raises(BuildError, match="images in NumPy arrays have no such groups; leave it"):
        load(tmp_path / "mine.npz", "folder")


def test_the_test_part_is_not_drawn_from_a_validation_part_of_its_own(tmp_path, load):
    drawn_data.shapes(tmp_path / "train", 20, seed=1)
    drawn_data.shapes(tmp_path / "val", 6, seed=2)
    dataset = load(tmp_path, None)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (48, 18, 12)
    parts = [dataset.train, dataset.validation, dataset.test]
    assert sorted(np.concatenate(parts)) == list(range(78))


def test_a_share_is_met_as_nearly_as_groups_allow():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 12, 60))
    labels = groups % 3
    first, second = stratified(np.arange(len(labels)), labels, 0.2, groups)
    assert not set(groups[first]) & set(groups[second])
    assert sorted([*first, *second]) == list(range(len(labels)))
    for label in range(3):
        share = (labels[second] == label).sum() / (labels == label).sum()
        assert 0.15 < share < 0.25
