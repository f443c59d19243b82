"""A model beside a guess: when it is better, and what is said when it is not."""

import json

import numpy as np
import pytest

from model_build.verification.guessing import beside_guessing

from ..conftest import run


def beside(right, *counts):
    """A model that reads so many rightly, of so many examples of each class."""
    labels = np.arange(len(counts)).repeat(counts)
    return beside_guessing(right / len(labels), labels, [f"class {k}" for k in range(len(counts))])


@pytest.mark.parametrize(
    ("right", "counts", "passed"),
    [
        (30, (20, 20, 20), True),
        (20, (20, 20, 20), False),
        (91, (90, 10), False),  # 91 % that say nothing
        (97, (90, 10), True),
        (60, (20, 20, 20), True),
        (0, (20, 20, 20), False),
    ],
)
def test_a_model_is_compared_with_the_commonest_class(right, counts, passed):
    guessing = beside(right, *counts)
    assert guessing.passed == passed
    assert guessing.to_json()["better_than_guessing"] == passed
    assert guessing.share == max(counts) / sum(counts)


def test_what_is_said_names_both_figures_and_too_few_examples():
    assert beside(91, 90, 10).line("images") == (
        "no better than guessing: 91 of 100 test images are read rightly (91.00%), and always"
        " answering 'class 0' is right for 90.00% (p = 0.45, one-sided binomial test)"
    )
    assert beside(2, 1, 1).line("sounds").endswith("; 2 are too few to tell, add some")
    assert not beside(9, 9).passed


def test_random_labels_are_status_4_until_forced_which_goes_on_with_the_training(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "noise.npz", x=images, y=rng.integers(0, 3, 120))
    command = ("build", "--data", tmp_path / "noise.npz", "--output", tmp_path, "--epochs", 2)
    done = run(*command)
    assert done.returncode == 4, done.stderr
    *_, line, last = done.stderr.splitlines()
    assert line.startswith("model-build: no better than guessing: ")
    assert line.endswith("; the same command with --force writes the bundle all the same")
    assert last == (
        "model-build: the model is no better than guessing; no bundle was written, an existing"
        " one stays"
    )
    assert not (tmp_path / "noise").exists()
    done = run(*command, "--force")
    assert done.returncode == 0, done.stderr
    assert "going on with the training" in done.stderr
    assert "the model is no better than guessing: " in done.stderr.splitlines()[-1]
    manifest = json.loads((tmp_path / "noise" / "manifest.json").read_text("utf-8"))
    assert manifest["training"]["guessing"]["better_than_guessing"] is False
    assert "**This model is no better than guessing: " in (
        (tmp_path / "noise" / "MODEL_CARD.md").read_text("utf-8")
    )
