import json
import re
import shutil

import pytest

from edge_runtime.bundle.manifest import BUILT_IN
from model_build.errors import BuildError
from model_build.evaluation import evaluate

from .conftest import run


@pytest.fixture
def folder(tmp_path):
    """The golden digits in a folder for each label, and one file that is no image."""
    for vector in json.loads((BUILT_IN / "golden" / "golden.json").read_text()):
        if vector["label"].isdigit():
            home = tmp_path / "scans" / vector["label"]
            home.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(BUILT_IN / "golden" / vector["image"], home / vector["image"])
    (tmp_path / "scans" / "3" / "broken.png").write_text("no image")
    return tmp_path / "scans"


def test_a_folder_per_class_is_read_and_compared(folder, tmp_path):
    done = run("evaluate", "--data", folder, "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["images"] == 12
    assert figures["accuracy"] == 1
    assert len(figures["unreadable"]) == 1
    assert "12 images, 1 unreadable" in done.stdout


def test_a_mistake_is_counted_where_it_belongs(folder, tmp_path):
    shutil.move(next((folder / "7").iterdir()), folder / "4" / "seven.bmp")
    done = run("evaluate", "--data", folder, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["confusion"][4][7] == 1
    assert figures["accuracy"] == pytest.approx(11 / 12)
    four, seven = (figures["classes"][k] for k in (4, 7))
    assert (four["label"], four["support"]) == ("4", 2)
    assert (seven["label"], seven["support"], seven["precision"]) == ("7", 0, 0)
    assert (four["precision"], four["recall"]) == (1, pytest.approx(1 / 2))
    assert four["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert re.search(r"^ +4 +100.00% +50.00% +66.67% +1/2  7: 1$", done.stdout, re.MULTILINE)


def test_cross_validation_sets_the_network_beside_svc_and_neighbours(tmp_path):
    done = run(
        *("evaluate", "--folds", 2, "--epochs", 1),
        *("--json", tmp_path / "figures.json"),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["shuffled"]) == {"network", "SVC", "3-nearest"}
    assert figures["shuffled"]["SVC"]["accuracy"] > figures["unshuffled"]["SVC"]["accuracy"] > 0.9
    assert 0 < figures["unshuffled"]["network"]["accuracy"] < 1
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_bundle_without_data_for_it_is_refused_and_nothing_is_begun():
    done = run("evaluate", "--model", BUILT_IN)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        f"model-build: --model {BUILT_IN}: with --data digits networks are trained and no bundle"
        " is read; give --data PATH, the examples that the bundle is to read"
    )


def test_more_folds_than_digits_are_a_users_mistake():
    with pytest.raises(BuildError, match="--folds 100000: at most 1797, as there are digits"):
        evaluate(folds=100_000)
