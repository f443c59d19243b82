"""What the functions `build` and `verify` refuse, and what they leave."""

import re

import numpy as np
import pytest

from edge_runtime.bundle.manifest import BUILT_IN
from model_build import pipeline
from model_build.errors import BuildError

from ..support import drawn_data
from ..support.helpers import copy_bundle, edit_manifest


def refusal(function, *arguments, **options):
    """The one line of the BuildError that a call raises."""
    with pytest.raises(BuildError) as refused:
        function(*arguments, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_verify_refuses_data_of_other_classes(tmp_path, caplog):
    drawn_data.shapes(tmp_path / "shapes", 3)
    caplog.set_level("INFO", logger="model_build")
    said = refusal(pipeline.verify, BUILT_IN, str(tmp_path / "shapes"))
    assert said == (
        "the bundle 'digits' was trained on other data (0, 1, 2, 3, 4, 5, 6, 7, ...) than"
        f" {tmp_path / 'shapes'}, images in a folder per class (circle, triangle, é 漢); give"
        " --data PATH, the data that it was trained on"
    )
    assert caplog.messages == ["loading tensorflow ..."]


def test_verify_refuses_a_class_more_or_one_that_has_no_example_left(tmp_path):
    data, bundle = tmp_path / "shapes", copy_bundle(tmp_path / "own")
    drawn_data.shapes(data, 8)
    fit = {"kind": "fit", "fill": 0}
    edit_manifest(bundle, lambda m: m.update(labels=["circle", "triangle"], preprocessing=fit))
    assert "(circle, triangle) than" in refusal(pipeline.verify, bundle, str(data))
    edit_manifest(bundle, lambda m: m.update(labels=[*drawn_data.SHAPES[::2], "é 漢"]))
    for path in (data / "circle").iterdir():
        path.write_bytes(b"")
    assert "(triangle, é 漢); give" in refusal(pipeline.verify, bundle, str(data))


def test_verify_without_data_names_the_option_for_a_bundle_of_ones_own(tmp_path):
    bundle = copy_bundle(tmp_path / "own")
    edit_manifest(bundle, lambda data: data.update(labels=[f"class {k}" for k in range(10)]))
    said = refusal(pipeline.verify, bundle)
    assert "was trained on other data (class 0, class 1, " in said
    assert said.endswith("; give --data PATH, the data that it was trained on")
    # The digits of MNIST have the same classes, but are not cropped to their ink.
    edit_manifest(bundle, lambda data: data.update(labels=list("0123456789")))
    edit_manifest(bundle, lambda data: data.update(preprocessing={"kind": "fit", "fill": 0}))
    assert "(fit preprocessing) than scikit-learn's" in refusal(pipeline.verify, bundle)


def test_a_pretrained_network_is_not_for_the_digits(tmp_path):
    said = refusal(pipeline.build, architecture="efficientnet-lite0", output=tmp_path)
    assert said == (
        "--architecture efficientnet-lite0: for photos of one's own, not for the digits; choose"
        " compact, lenet, grid"
    )
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_is_one_line_and_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", x=images, y=np.arange(60) % 2)
    options = {"output": tmp_path / "out", "epochs": 2, "learning_rate": 1e9}
    said = refusal(pipeline.build, str(tmp_path / "mine.npz"), **options)
    assert re.match("training diverged in epoch [12]: its loss is ", said)
    assert said.endswith("; give a lower --learning-rate than 1e+09")
    assert not list((tmp_path / "out").iterdir())


def test_a_build_says_that_it_goes_on_also_when_no_epoch_was_kept(tmp_path):
    drawn_data.shapes(tmp_path / "shapes", 4)
    said = []

    def build():
        def stop(*_):
            raise KeyboardInterrupt

        options = {"output": tmp_path / "out", "epochs": 2, "say": said.append, "progress": stop}
        with pytest.raises(KeyboardInterrupt):
            pipeline.build(str(tmp_path / "shapes"), **options)

    build()
    assert not [line for line in said if line.startswith("going on")]
    build()
    assert "going on with the build before, of which no epoch was kept yet" in said
