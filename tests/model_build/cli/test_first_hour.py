"""The first hour with `model-build`: mistakes, each one line, its status, and no file changed.

They run in this process, all in one folder, which each of them must leave as it was.
"""

import sys

import numpy as np
import pytest
from PIL import Image

from model_build import evaluation, pipeline
from model_build.cli.main import run

from ...support.helpers import copy_bundle, flip_byte, snapshot


@pytest.fixture(scope="module")
def playground(tmp_path_factory):
    """A folder with all that the mistakes are made with."""
    top = tmp_path_factory.mktemp("playground")

    def pictures(folder, count=12, seed=0):
        (top / folder).mkdir(parents=True)
        for number in range(count):
            values = np.random.default_rng(seed + number).integers(0, 255, (16, 16), np.uint8)
            Image.fromarray(values).save(top / folder / f"{number}.png")

    copy_bundle(top / "exported/digits")
    copy_bundle(top / "altered")
    flip_byte(top / "altered/model.onnx")
    for number, folder in enumerate(("photos/cat", "photos/dog", "one/cat", "taken/unknown")):
        pictures(folder, seed=100 * number)
    pictures("taken/dog", seed=500)
    pictures("few/cat", 2, 600)
    pictures("few/dog", 2, 700)
    pictures("loose", 5, 800)
    pictures("blank/ ", 12, 900)
    pictures("blank/dog", 12, 1000)
    (top / "empty/cat").mkdir(parents=True)
    (top / "empty/dog").mkdir()
    for name in ("cat", "dog"):
        (top / "broken" / name).mkdir(parents=True)
        for number in range(12):
            (top / "broken" / name / f"{number}.png").write_text(f"no picture {number} {name}")
    (top / "notes.txt").write_text("years of work\n")
    (top / "thesis").mkdir()
    (top / "thesis/thesis.txt").write_text("years of work\n")
    (top / "key.pem").write_text("-----BEGIN NOTHING-----\n")
    (top / "figures.json").write_text("{}\n")
    np.savez(top / "alone.npz", x=np.zeros((9, 8, 8), np.uint8))
    np.savez(top / "unequal.npz", x=np.zeros((9, 8, 8), np.uint8), y=np.zeros(8))
    np.savez(top / "range.npz", x=np.full((9, 8, 8, 3), -3.0), y=np.arange(9) % 2)
    np.savez(top / "halves.npz", x=np.zeros((9, 8, 8), np.uint8), y=np.arange(9) / 2)
    (top / "damaged.npz").write_bytes(b"PK\3\4 and no more")
    (top / "gone.csv").write_text("path,label\nphotos/cat/99.png,cat\nphotos/dog/99.png,dog\n")
    (top / "nothing.csv").touch()
    (top / "ragged.csv").write_text("a,1,2,3\nb,1,2\n")
    return top


# Found before TensorFlow is loaded, which takes seconds.
AT_ONCE = [
    # The command itself.
    (("biuld",), 2, "No such command"),
    (("--data", "photos"), 2, "No such option"),
    (("build", "photos"), 2, "unexpected extra argument (photos)"),
    (("build", "--dat", "photos", "--sed", "1"), 2, "No such option"),
    (("build", "--data"), 2, "requires an argument"),
    # What is built.
    (("build", "--data", "nowhere"), 2, "not known and not there"),
    (("build", "--data", "digts"), 2, "not known and not there"),
    (("build", "--size", "32"), 2, "are for data other than the digits"),
    (("build", "--channels", "3"), 2, "are for data other than the digits"),
    (("build", "--augment", "photo"), 2, "are for data other than the digits"),
    (("build", "--data", "photos", "--size", "7"), 2, "'--size'"),
    (("build", "--data", "photos", "--channels", "4"), 2, "'--channels'"),
    (("build", "--architecture", "mobilenet_v2"), 2, "for photos of one's own, not for the digits"),
    (("build", "--data", "photos", "--architecture", "resnet"), 2, "not known; choose auto"),
    (("build", "--data", "photos", "--architecture", ""), 2, "not known; choose auto"),
    (("build", "--data", "photos", "--epochs", "0"), 2, "--epochs 0: at least 1"),
    (("build", "--data", "photos", "--epochs", "-3"), 2, "--epochs -3: at least 1"),
    (("build", "--data", "photos", "--epochs", "many"), 2, "'--epochs'"),
    (("build", "--data", "photos", "--batch-size", "0"), 2, "'--batch-size'"),
    (("build", "--data", "photos", "--learning-rate", "0"), 2, "'--learning-rate'"),
    (("build", "--data", "photos", "--learning-rate", "nan"), 2, "--learning-rate nan"),
    (("build", "--data", "photos", "--learning-rate", "inf"), 2, "--learning-rate inf"),
    (("build", "--data", "photos", "--seed", "-1"), 2, "--seed -1"),
    (("build", "--data", "photos", "--seed", str(2**80)), 2, f"--seed {2**80}"),
    # Where it is written.
    (("build",), 2, "exists; --force replaces it, --name writes another"),
    (("build", "--data", "photos", "--name", "../x"), 2, "give a plain folder name"),
    (("build", "--data", "photos", "--name", ""), 2, "give a plain folder name"),
    (("build", "--data", "photos", "--name", " "), 2, "give a plain folder name"),
    (("build", "--data", "photos", "--name", ".hidden"), 2, "give a plain folder name"),
    (("build", "--data", "photos", "--name", "x" * 300), 2, "give a plain folder name"),
    (("build", "--data", "photos", "--output", "notes.txt"), 2, "notes.txt is a file"),
    (("build", "--data", "photos", "--output", "notes.txt/x"), 2, "notes.txt is a file"),
    (
        ("build", "--name", "thesis", "--output", ".", "--force"),
        2,
        "thesis exists and is no bundle",
    ),
    (
        ("build", "--name", "notes.txt", "--output", ".", "--force"),
        2,
        "notes.txt exists and is no bundle",
    ),
    # Bundles.
    (("verify",), 2, "Missing argument 'BUNDLE'"),
    (("verify", "nowhere"), 3, "no such folder; give a bundle"),
    (("verify", "photos"), 3, "photos: holds no manifest.json"),
    (("verify", "exported/digits/model.onnx"), 3, "is a file, this needs a bundle"),
    (("verify", "exported/digits", "--data", "nowhere"), 2, "not known and not there"),
    (("evaluate", "--model", "exported/digits"), 2, "give --data PATH"),
    (("evaluate", "--data", "nowhere"), 2, "not known and not there"),
    (("evaluate", "--data", "photos", "--model", "nowhere"), 3, "nowhere: cannot be read"),
    (("evaluate", "--data", "photos", "--model", "altered"), 3, "SHA-256"),
    (("evaluate", "--folds", "1"), 2, "'--folds'"),
    (("evaluate", "--seeds", "0"), 2, "'--seeds'"),
    (("evaluate", "--epochs", "0"), 2, "--epochs 0: at least 1"),
    (("evaluate", "--seed", "-1"), 2, "--seed -1"),
    (("evaluate", "--json", "figures.json"), 2, "figures.json: exists already"),
    (("evaluate", "--json", "new/figures.json"), 2, "there is no folder new"),
    (("sign", "exported/digits"), 2, "Missing option '--key'"),
    (("sign", "exported/digits", "--key", "gone.pem"), 2, "'gone.pem' does not exist"),
    (("sign", "exported/digits", "--key", "key.pem"), 3, "is no Ed25519 private key"),
    (("sign", "photos", "--key", "key.pem"), 3, "photos: holds no manifest.json"),
]
# Found when the data is read.
IN_THE_DATA = [
    (("build", "--data", "notes.txt"), 2, "not recognised; give a folder per class"),
    (("build", "--data", "loose"), 2, "put each class into a folder of its own"),
    (("build", "--data", "empty"), 2, "there is nothing in it"),
    (("build", "--data", "one"), 2, "one class, 'cat'; a classifier needs at least 2"),
    (("build", "--data", "few"), 2, "has 2 images that can be used, at least 3 are needed"),
    (("build", "--data", "taken"), 2, "a class is named 'unknown'"),
    (("build", "--data", "blank"), 2, "a class has the blank name"),
    (("build", "--data", "broken"), 2, "none of 24 images could be opened"),
    (("build", "--data", "photos", "--augment", "rotate"), 2, "--augment rotate: for image choose"),
    (("build", "--data", "alone.npz"), 2, "'x' has no y"),
    (("build", "--data", "unequal.npz"), 2, "9 examples, but 8 labels"),
    (("build", "--data", "range.npz"), 2, "values from -3 to -3"),
    (("build", "--data", "halves.npz"), 2, "no whole numbers"),
    (("build", "--data", "damaged.npz"), 2, "damaged.npz: cannot be read"),
    (("build", "--data", "gone.csv"), 2, "none of 2 images could be opened"),
    (("build", "--data", "nothing.csv"), 2, "there is nothing in it"),
    (("build", "--data", "ragged.csv"), 2, "line 2 has 2 values, the first 3"),
    (("verify", "exported/digits", "--data", "photos"), 2, "was trained on other data"),
    (("verify", "altered"), 3, "SHA-256"),
    (("evaluate", "--data", "photos"), 2, "of a class that the model knows"),
    (("evaluate", "--data", "ragged.csv"), 2, "line 2 has 2 values"),
]


def mistake(arguments, status, words, playground, monkeypatch, capsys):
    """Make it; returns what was said before the line that says it."""
    before = snapshot(playground)
    monkeypatch.chdir(playground)
    monkeypatch.setattr(sys, "argv", ["model-build", *arguments])
    with pytest.raises(SystemExit) as end:
        run()
    said = capsys.readouterr()
    *others, line = said.err.splitlines()
    assert line.startswith("model-build: "), said.err
    assert (end.value.code, words in line) == (status, True), line
    assert "Traceback" not in said.err
    assert "Errno" not in line
    assert not said.out
    assert snapshot(playground) == before
    return others


@pytest.mark.parametrize(
    ("arguments", "status", "words"), AT_ONCE, ids=[" ".join(case[0])[:80] for case in AT_ONCE]
)
def test_a_mistake_is_one_line_at_once(arguments, status, words, playground, monkeypatch, capsys):
    def load(say=None):
        pytest.fail("TensorFlow is loaded first")

    monkeypatch.setattr(pipeline, "load_tensorflow", load)
    monkeypatch.setattr(evaluation, "load_tensorflow", load)
    assert mistake(arguments, status, words, playground, monkeypatch, capsys) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"), IN_THE_DATA, ids=[" ".join(case[0]) for case in IN_THE_DATA]
)
def test_a_mistake_in_the_data_is_one_line_before_training(
    arguments, status, words, playground, monkeypatch, capsys
):
    others = mistake(arguments, status, words, playground, monkeypatch, capsys)
    assert others == ["loading tensorflow ..."]
