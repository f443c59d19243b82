"""`edge-runtime check`: the hashes and the golden vectors of a bundle, on this device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .exits import EXIT_BAD_BUNDLE, errors_as_exits, stop
from .options import (
    bundle_argument,
    check_signature,
    echo_json,
    json_option,
    key_option,
    providers_option,
)

if TYPE_CHECKING:
    from ..deployment.golden import GoldenResult


@click.command(
    epilog="""\b
Example:
  edge-runtime check exported/photos --key public.pem

\b
Exit status: 0 all passed, 2 usage, 3 the bundle is bad or is read
differently on this device, 130 interrupted.
"""
)
@bundle_argument
@key_option
@providers_option
@json_option
def check(bundle: Path | None, key: Path | None, providers: list[str], as_json: bool) -> None:
    """Check a bundle on this device: hashes, then golden vectors.

    The hash of every file is compared with the manifest's. The golden vectors are
    encoded images, sounds or series with the tensors that they must become and the
    probabilities that the model must give: within 0.001 on the CPU, within 0.005 on
    another provider. Labels must always be equal.
    """
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN
        from ..deployment.golden import check_files, check_golden, tolerance
        from ..inference.classifier import Classifier

        folder = bundle or BUILT_IN
        if key is not None:
            check_signature(folder, key, quiet=as_json)
        checked, absent = check_files(folder)
        if not as_json:
            missing = f", {len(absent)} not on this device" if absent else ""
            click.echo(f"{len(checked)} files have the hashes of the manifest{missing}")
        classifier = Classifier(folder, providers=providers)
        if providers and not as_json:
            ran_on = ", ".join(classifier.providers)
            click.echo(f"on {ran_on}: probabilities within {tolerance(classifier):g}")
        results = list(check_golden(folder, classifier))
        failed = sum(not result.passed for result in results)
        if as_json:
            from dataclasses import asdict

            echo_json(
                {
                    "bundle": str(folder),
                    "name": classifier.spec.name,
                    "version": classifier.spec.version,
                    "providers": list(classifier.providers),
                    "passed": not failed,
                    "signed_by": str(key) if key else None,
                    "files_checked": [file.path for file in checked],
                    "files_absent": [file.path for file in absent],
                    "golden": [asdict(result) for result in results],
                }
            )
        else:
            click.echo(_table(f"golden {classifier.spec.preprocessing.reads}", results))
        if failed:
            stop(
                EXIT_BAD_BUNDLE,
                f"{folder}: {failed} of {len(results)} golden vectors failed; this device or its"
                " libraries read images differently from the machine that built the bundle",
            )
        if not as_json:
            click.echo(f"{len(results)} of {len(results)} golden vectors passed")


def _table(title: str, results: Sequence[GoldenResult]) -> str:
    lines = ["", f"{title:<40}{'label':>7}{'tensor':>8}{'probability':>13}  "]
    for result in results:
        label = result.label
        if label != result.expected:
            label = f"{label}, not {result.expected}"
        lines.append(
            f"{result.image + ': ' + result.about:<40}{label:>7}"
            f"{result.tensor_difference:>8}{result.probability_difference:>13.1e}"
            f"  {'ok' if result.passed else 'FAILED'}"
        )
    return "\n".join([*lines, ""])
