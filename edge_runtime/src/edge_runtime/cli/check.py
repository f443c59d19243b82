"""`edge-runtime check`: the hashes and the golden vectors of a bundle, on this device."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import EXIT_BAD_BUNDLE, errors_as_exits, stop
from .options import bundle_argument, check_signature, key_option


@click.command()
@bundle_argument
@key_option
def check(bundle: Path | None, key: Path | None) -> None:
    """Check a bundle on this device: every hash, then the golden vectors.

    The golden vectors are encoded images, sounds or series with the tensors that
    they must become and the probabilities that the model must give.
    """
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN
        from ..deployment.golden import check_files, check_golden
        from ..inference.classifier import Classifier

        folder = bundle or BUILT_IN
        if key is not None:
            check_signature(folder, key)
        checked, absent = check_files(folder)
        missing = f", {len(absent)} not on this device" if absent else ""
        click.echo(f"{len(checked)} files have the hashes of the manifest{missing}")
        click.echo()
        classifier = Classifier(folder)
        title = f"golden {classifier.spec.preprocessing.reads}"
        click.echo(f"{title:<40}{'label':>7}{'tensor':>8}{'probability':>13}  ")
        failed = total = 0
        for result in check_golden(folder, classifier):
            total += 1
            failed += not result.passed
            label = result.label
            if label != result.expected:
                label = f"{label}, not {result.expected}"
            click.echo(
                f"{result.image + ': ' + result.about:<40}{label:>7}"
                f"{result.tensor_difference:>8}{result.probability_difference:>13.1e}"
                f"  {'ok' if result.passed else 'FAILED'}"
            )
        click.echo()
        if failed:
            stop(
                EXIT_BAD_BUNDLE,
                f"{folder}: {failed} of {total} golden vectors failed; this device or its"
                " libraries read images differently from the machine that built the bundle",
            )
        click.echo(f"{total} of {total} golden vectors passed")
