"""Whole builds from data of a user's own, through the command lines."""

import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, InputError
from edge_runtime.deployment.golden import check_golden
from model_build.bundle.fonts import without_font
from model_build.errors import BuildError
from model_build.evaluation import evaluate
from model_build.recipes.registry import recipe_for
from model_build.training import callbacks
from model_build.training.config import TrainConfig
from model_build.training.trainer import train
from model_build.training.workspace import Workspace

from ....support import drawn_data
from ...conftest import interrupt, run

EDGE_RUNTIME = str(Path(sys.executable).parent / "edge-runtime")


def build(data, output, *options):
    """Build a bundle; (its folder, what was said on standard error)."""
    done = run("build", "--data", data, "--output", output, *options)
    assert done.returncode == 0, done.stderr
    return output / data.name, done.stderr


def accuracy(bundle):
    """Of the test part, as the manifest has it for the ONNX file."""
    file = Classifier(bundle).manifest.find("onnx", "fp32")
    assert file.measured["agreement"] == 1
    return file.measured["accuracy"]


def predicted(bundle, *paths):
    """{path: label} of edge-runtime predict."""
    done = subprocess.run(
        [EDGE_RUNTIME, "predict", "--model", bundle, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {row["path"]: row["label"] for row in csv.DictReader(io.StringIO(done.stdout))}


def of_keras(bundle, paths):
    """The same of the bundle's Keras model."""
    import keras

    classifier = Classifier(bundle)
    model = keras.models.load_model(bundle / "model.keras")
    tensors = np.stack([classifier.tensor(path) for path in paths]).astype(np.float32)
    found = np.asarray(model(tensors, training=False)).argmax(1)
    return {str(path): classifier.labels[index] for path, index in zip(paths, found, strict=True)}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of coloured shapes as people have them, its bundle, and what the build said."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    drawn_data.shapes(folder, 60)
    circles, triangles = folder / "circle", folder / "triangle"
    for number, keep in ((0, 90), (1, 0), (2, -300)):
        path = circles / f"00{number}.png"
        path.write_bytes(path.read_bytes()[:keep])
    shutil.copy(circles / "003.png", triangles / "found again.png")
    shutil.copy(triangles / "004.png", triangles / "copy.png")
    (circles / "more").mkdir()
    (circles / "005.png").rename(circles / "more" / "005.png")
    (folder / "square").mkdir()
    rng = np.random.default_rng(1)
    drawn_data.shape("triangle", rng).save(circles / "wrong.png")
    burst = drawn_data.shape_in_photo("circle", rng, 80)
    for number in range(2):
        burst.crop((number, 0, 78 + number, 80)).save(circles / f"burst_{number}.jpg", quality=90)
        drawn_data.shape_in_photo("circle", rng, 80).save(circles / f"alone_{number}.jpg")
    return folder, *build(folder, folder.parent / "out", "--epochs", 12, "--group-by", "prefix")


def test_photos_in_a_folder_per_class_become_a_bundle_that_reads_them(shapes):
    folder, bundle, said = shapes
    assert accuracy(bundle) >= 0.9
    found = predicted(bundle, folder / "triangle", folder / "é 漢")
    right = [label == Path(path).parent.name for path, label in found.items()]
    assert np.mean(right) >= 0.9
    assert set(Classifier(bundle).labels) == set(drawn_data.SHAPES)
    lines = said.splitlines()
    for start in (
        "no class, since nothing is in it (1): square",
        "part of the class around it (1): circle/more",
        "3 images unreadable, left out: circle/000.png (corrupt: ",
        "2 images of the same bytes under more than one class, left out of training:"
        " circle/003.png = triangle/found again.png",
        "1 image of the same bytes as another of the same class, left out: triangle/copy.png",
    ):
        assert [line for line in lines if line.startswith(f"  {start}")], start
        assert start in (bundle / "data_report.txt").read_text("utf-8")
    assert not list(bundle.parent.glob(".*"))
    without = without_font(Classifier(bundle).labels)  # of this machine: there may be one for 漢
    assert (without in lines) == (without is not None)
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert ("no. 2 is é 漢" in card) == (without is not None)


def test_the_device_gives_the_labels_of_keras_to_photos(shapes):
    folder, bundle, _ = shapes
    paths = [path for path in sorted(folder.rglob("*.png")) if path.name > "002.png"]
    found = predicted(bundle, *paths)
    assert len(found) > 170
    assert found == of_keras(bundle, paths)


def test_the_bundle_says_what_is_wrong_with_the_data(shapes):
    folder, bundle, said = shapes
    for name in ("0.jpg", "1.jpg"):
        assert f"circle/burst_{name}" in (bundle / "data_report.txt").read_text("utf-8")
    with open(bundle / "label_review.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {f"{row['label']}" for row in rows} == set(drawn_data.SHAPES)
    assert all((folder / row["path"]).is_file() and row["label"] in row["path"] for row in rows)
    counts = [int(count) for count in re.findall(r"(\d+) (?:train|validate|test)", said)]
    parts = [row["part"] for row in rows]
    assert [parts.count(part) for part in ("train", "val", "test")] == counts
    doubtful = [row["doubtful"] == "yes" for row in rows]
    assert doubtful == sorted(doubtful, reverse=True)
    assert f"{sum(doubtful)} of {len(rows)} labels to look at: {rows[0]['path']} (as " in said
    wrong = rows[0]
    assert wrong["path"] == "circle/wrong.png"
    assert wrong["other_label"] == "triangle"
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    for picture in ("near_duplicates.png", "label_review.png"):
        assert f"]({picture})" in card
        with Image.open(bundle / picture) as image:
            assert image.width > 500
    described = {file.path for file in Classifier(bundle).manifest.files}
    assert {"label_review.csv", "label_review.png", "near_duplicates.png"} <= described


def test_each_class_has_its_figures_in_the_card_and_the_manifest(shapes):
    _, bundle, _ = shapes
    classes = Classifier(bundle).manifest.training["classes"]
    assert [figures["label"] for figures in classes] == list(Classifier(bundle).labels)
    count = sum(figures["support"] for figures in classes)
    right = sum(figures["recall"] * figures["support"] for figures in classes)
    assert right / count == pytest.approx(accuracy(bundle))
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    for figures in classes:
        line = f"| {figures['label']} | {figures['precision']:.2%} | {figures['recall']:.2%} |"
        assert line in card


def test_verify_takes_the_same_data_again(shapes):
    folder, bundle, _ = shapes
    done = run("verify", bundle, "--data", folder)
    assert done.returncode == 0, done.stderr
    assert "model.int8.onnx" in done.stdout
    # The same split: the manifest says by what it was grouped.
    assert Classifier(bundle).manifest.training["group_by"] == "prefix"
    (line,) = re.findall(r"^model.onnx .*$", done.stdout, re.MULTILINE)
    assert f" {accuracy(bundle):.2%} " in line


def test_sounds_become_a_bundle_that_reads_them_and_refuses_a_picture(tmp_path, shapes):
    folder = tmp_path / "tones"
    drawn_data.tones(folder, 30)
    bundle, said = build(folder, tmp_path / "out", "--epochs", 12)
    assert "sounds named label_..." in said
    assert accuracy(bundle) >= 0.9
    found = predicted(bundle, folder)
    assert found == of_keras(bundle, sorted(folder.iterdir()))
    right = [Path(path).name.startswith(label) for path, label in found.items()]
    assert np.mean(right) >= 0.95
    figures = evaluate(str(folder), model=bundle)
    assert (figures.reads, figures.count, figures.accuracy) == ("sound", 90, np.mean(right))
    with pytest.raises(
        BuildError, match="images in a folder per class, but the model reads sounds"
    ):
        evaluate(str(shapes[0]), model=bundle)
    with pytest.raises(InputError, match="an image; this model reads sounds"):
        Classifier(bundle).predict(shapes[0] / "circle" / "006.png")
    assert all(result.passed for result in check_golden(bundle, Classifier(bundle)))


def test_series_in_two_tables_become_a_bundle_that_reads_them(tmp_path):
    folder = tmp_path / "Steps"
    drawn_data.steps(folder)
    bundle, said = build(folder, tmp_path / "out", "--epochs", 12)
    assert "64 train, 16 validate, 60 test" in said
    assert "epoch  12/12" in said
    assert accuracy(bundle) >= 0.95
    expected, arrays = {}, tmp_path / "arrays"
    arrays.mkdir()
    for number, line in enumerate((folder / "Steps_TEST.tsv").read_text().splitlines()):
        label, *values = line.split("\t")
        np.save(arrays / f"{number:02}.npy", np.array(values, np.float64))
        expected[str(arrays / f"{number:02}.npy")] = label
    found = predicted(bundle, arrays)
    assert found == of_keras(bundle, sorted(arrays.iterdir()))
    share = np.mean([found[path] == label for path, label in expected.items()])
    assert share >= 0.95
    figures = evaluate(str(folder), model=bundle)
    assert (figures.reads, figures.count, figures.accuracy) == ("series", 60, share)


def train_own(path, workspace, config, progress=lambda epoch: None):
    """A training of the small network as a build does it."""
    recipe = recipe_for(str(path))
    dataset = recipe.load(workspace)
    workspace.keeps("training", "as before")
    spec = recipe.input_spec(dataset, "grid")
    stream = recipe.stream(dataset, spec, "grid", config, workspace, lambda line: None)
    checks, classes = recipe.checks(dataset, spec, config.seed), len(dataset.class_names)
    return train(stream, checks, spec, classes, "grid", config, workspace, progress)


def test_a_training_that_was_broken_off_ends_with_the_weights_of_one_that_was_not(
    tmp_path, monkeypatch
):
    drawn_data.shapes(tmp_path / "shapes", 12)
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", -1)
    config = TrainConfig(epochs=4, batch_size=64)

    def stop_at_three(epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt

    def trained(target, progress=lambda epoch: None):
        with Workspace.beside(target) as workspace:
            found = train_own(tmp_path / "shapes", workspace, config, progress)
            return found.model.get_weights(), [epoch.number for epoch in found.history]

    whole, _ = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", stop_at_three)
    assert (tmp_path / ".broken.training" / "state.npz").exists()
    seen = []
    again, numbers = trained(tmp_path / "broken", seen.append)
    assert [epoch.number for epoch in seen] == [2, 3, 4]
    assert numbers == [1, 2, 3, 4]
    for first, second in zip(whole, again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("patience", [9, None])
def test_training_stops_when_there_is_nothing_left_to_learn(tmp_path, workspace, patience):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    values = rng.integers(0, 60, (60, 8, 8)) + 180 * labels[:, None, None]
    np.savez(tmp_path / "light.npz", x=values.astype(np.uint8), y=labels)
    config = TrainConfig(epochs=20, batch_size=16, patience=patience)
    trained = train_own(tmp_path / "light.npz", workspace, config)
    sure = [epoch.validation_loss < 0.005 for epoch in trained.history]
    assert all(sure[-3:])
    if patience is None:
        assert len(sure) == 20
    else:
        assert len(sure) < 20
        assert not any(all(sure[k : k + 3]) for k in range(len(sure) - 3))


def test_a_short_training_of_few_images_reads_them(tmp_path):
    drawn_data.shapes(tmp_path / "few", 20)
    curves = tmp_path / "curves"
    options = ("--epochs", 12, "--tensorboard", curves, "--bundle-version", "2.10")
    bundle, _ = build(tmp_path / "few", tmp_path / "out", *options)
    assert {path.parent.name for path in curves.rglob("events.*")} == {"train", "validation"}
    manifest = Classifier(bundle).manifest
    assert manifest.spec.version == "2.10"
    assert accuracy(bundle) >= 0.8
    # Settings of the digits alone are no part of it.
    assert not {"judges", "outliers"} & manifest.training["settings"].keys()


def test_ctrl_c_is_one_line_and_keeps_what_is_done(tmp_path):
    data = tmp_path / "shapes"
    drawn_data.shapes(data, 12)
    interrupt("--data", data, "--output", tmp_path / "out", seconds=1)
    assert (tmp_path / "out" / ".shapes.training" / "seen.json").exists()
