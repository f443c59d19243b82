"""The whole way from data to a bundle, and a bundle's verification, as functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime import __version__
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.inputs.formats import PLURALS

from .arguments import check_name, check_output, check_seed, check_training, check_version
from .bundle.staging import refuse_existing
from .errors import BuildError
from .quiet import load_tensorflow
from .recipes.registry import check_data

if TYPE_CHECKING:
    import keras

    from .calibration import Calibration
    from .data.sources.base import Finding
    from .training.history import Epoch, Trained
    from .verification.guessing import Guessing
    from .verification.parity import Gates, ParityReport

_logger = logging.getLogger(__name__)
Say = Callable[[str], object]
Counted = Callable[[int, int], object]


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    bundle: Path
    """The folder that was written."""
    reads: str
    """What its model reads: `image`, `sound` or `series`."""
    parity: ParityReport
    """What every artifact did on the test part."""
    guessing: Guessing
    """The model beside a guess."""
    trained: Trained
    calibration: Calibration
    findings: tuple[Finding, ...]
    """What the scan of the data found."""


def build(
    data: str = "digits",
    *,
    name: str | None = None,
    version: str | None = None,
    output: str | Path = "exported",
    architecture: str | None = None,
    weights: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    size: int | None = None,
    channels: int | None = None,
    augment: str | None = None,
    group_by: str | None = None,
    seed: int = 0,
    c_array: bool = False,
    ort: bool = False,
    force: bool = False,
    strict: bool = False,
    gates: Gates | None = None,
    tensorboard: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    say: Say = _logger.info,
    scanned: Counted = lambda done, total: None,
    progress: Callable[[Epoch, int], object] = lambda epoch, epochs: None,
    computed: Callable[[int, int, float], object] = lambda done, total, seconds: None,
) -> Built:
    """Train, export, verify, and write the bundle OUTPUT/NAME.

    data: `digits`, or the path of data of one's own. name: the bundle's name; default that of the
    data. version: the bundle's, ordered by its numbers; default that of this package.
    architecture, epochs, batch_size, learning_rate: default what suits the data. weights: a file
    of those of a pretrained network of `keras.applications`, which is fetched else. size: the
    input's longer side in pixels; channels: 1 or 3; augment: a kind of augmentation; group_by: what
    the split does not divide, `folder`, `prefix` or a column of a .csv; all four for data of one's
    own. c_array, ort: further artifacts. force: replace an existing bundle, and write
    a model that is no better than guessing. strict: no bundle without the int8 files. gates: what
    an export must keep of the Keras model; None for the usual limits.
    tensorboard: a folder for TensorBoard's logs. callbacks: Keras callbacks of the caller's own.
    say, scanned, progress, computed: told of each step (default: the log), of each example looked
    at, of each epoch, and of each example that a pretrained network has seen, with the seconds
    left.

    An interrupted build leaves a hidden folder beside the bundle, from which the same call goes on.
    Raises BuildError for a user's mistake, and GateError when an artifact does not give the
    trained model's answers, or the model is no better than guessing without `force`: nothing is
    written then, an existing bundle stays as it is, and the training is kept for the next call.
    An int8 artifact that fails is left out of the bundle, unless `strict`.
    """
    name = name_of(data) if name is None else name
    check_name(name)
    version = __version__ if version is None else version
    check_version(version)
    check_output(Path(output))
    weights = None if weights is None else Path(weights)
    check_training(architecture, epochs, batch_size, learning_rate, weights)
    check_seed(seed)
    options = (size, channels, augment, group_by) != (None,) * 4
    check_data(data, options=options, architecture=architecture)
    target = Path(output) / name
    refuse_existing(target, force)
    if tensorboard is not None and find_spec("tensorboard") is None:
        raise BuildError("--tensorboard: TensorBoard is missing; pip install tensorboard")
    load_tensorflow(say)
    from edge_runtime.inputs.image import ignore_decoder_warnings

    from .bundle.fonts import without_font
    from .bundle.writer import write_bundle
    from .calibration import calibrate
    from .label_review import review_labels
    from .recipes.generic.recipe import DataOptions
    from .recipes.recipe import Tell, Wanted
    from .recipes.registry import recipe_for
    from .training.workspace import Workspace
    from .verification.parity import Gates

    ignore_decoder_warnings()
    recipe = recipe_for(data, DataOptions(size, channels, augment, group_by))
    if tensorboard is not None:
        callbacks = [*callbacks, _tensorboard(Path(tensorboard))]
    with Workspace.beside(target) as workspace:
        dataset = recipe.load(workspace, progress=scanned, architecture=architecture)
        for finding in dataset.findings:
            say(f"  {finding.line()}")
        say(
            f"{dataset.about}: {len(dataset.train)} train, {len(dataset.validation)} validate,"
            f" {len(dataset.test)} test"
        )
        trained = recipe.train(
            dataset,
            architecture or recipe.default_architecture,
            Wanted(seed, epochs, batch_size, learning_rate, weights, callbacks),
            workspace,
            Tell(say, progress, computed),
        )
        examples = recipe.calibration(trained, dataset)
        trained = recipe.finish(trained, dataset, examples, say)
        calibration = calibrate(trained, examples)
        review = review_labels(trained, dataset) if recipe.reviews_labels else None
        say("exporting and verifying ...")
        parity, guessing = write_bundle(
            trained,
            dataset,
            calibration,
            recipe.quantization_samples(trained, dataset),
            examples.scored,
            recipe.card,
            target,
            version,
            say,
            force=force,
            strict=strict,
            gates=gates or Gates(),
            review=review,
            c_array=c_array,
            ort=ort,
        )
    if review is not None and review.count:
        say(f"{review.line(dataset)}; see label_review.csv and .png in the bundle")
    line = without_font(dataset.class_names)
    if line is not None:
        say(line)
    for artifact in parity.dispensable:
        say(f"{artifact.path} is left out of the bundle: {artifact.failure}")
    reads = dataset.preprocessing.reads
    if not guessing.passed:
        say(f"the model is {guessing.line(PLURALS[reads])}")
    return Built(target, reads, parity, guessing, trained, calibration, dataset.findings)


def verify(
    bundle: str | Path,
    data: str = "digits",
    *,
    say: Say = _logger.info,
    scanned: Counted = lambda done, total: None,
) -> ParityReport:
    """Run the test part of `data` through every artifact of a bundle again.

    Raises BundleError for files that are not those of the manifest, and BuildError for data of
    other classes, or of another kind, than the bundle was trained on. What failed stands in
    the report's `failures`.
    """
    manifest = Manifest.load(Path(bundle))
    check_data(data)
    load_tensorflow(say)
    from edge_runtime.inputs.image import ignore_decoder_warnings

    from .bundle.writer import verify_bundle
    from .export.artifacts import ARTIFACTS
    from .recipes.generic.recipe import DataOptions
    from .recipes.registry import BUILT_IN, recipe_for
    from .training.workspace import Workspace

    group_by = manifest.training.get("group_by") if data not in BUILT_IN else None
    ignore_decoder_warnings()
    with Workspace.temporary() as workspace:
        recipe = recipe_for(data, DataOptions(group_by=group_by))
        dataset = recipe.load(workspace, manifest.spec, scanned)
        for artifact in ARTIFACTS:
            if manifest.find(artifact.format, artifact.precision) is None:
                say(f"{artifact.path} is not in the bundle: it was left out when this was built")
        return verify_bundle(Path(bundle), dataset)


def name_of(data: str) -> str:
    """What a bundle is called that was not given a name."""
    path = Path(data).resolve()
    return path.name if path.is_dir() else path.name.partition(".")[0]


def _tensorboard(folder: Path) -> keras.callbacks.Callback:
    import keras

    return keras.callbacks.TensorBoard(folder, write_graph=False)
