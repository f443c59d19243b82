"""Coverage-guided fuzzing of the manifest and of the ONNX walk, with atheris (the `fuzz` extra).

    python -m tests.fuzz.fuzz_manifest [CORPUS_DIR] [-max_total_time=300] [libFuzzer's options]

Any exception but BundleError (ValueError for the ONNX walk), a message of more than a line, or a
manifest that is not written back as it was read, is a finding.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports():
    import json

    from edge_runtime.bundle.integrity import sealed
    from edge_runtime.bundle.manifest import Manifest
    from edge_runtime.bundle.onnx_weights import external_data
    from edge_runtime.bundle.preprocessing import LogMel, Series
    from edge_runtime.bundle.spec import ModelSpec
    from edge_runtime.errors import BundleError

BUNDLE = Path(__file__).parents[2] / "exported" / "digits"


def one_input(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        external_data(data)
    for text in (data, _sealed(data)):
        refused = None
        try:
            manifest = Manifest.loads(text, "fuzz")
        except BundleError as error:
            refused = str(error)
        if refused is not None:
            assert refused.startswith("fuzz"), refused
            assert "\n" not in refused, refused
            continue
        again = manifest.dumps()
        assert Manifest.loads(again, "fuzz").dumps() == again
        assert ModelSpec.from_metadata(manifest.spec.to_metadata(), "fuzz") == manifest.spec


def _sealed(data: bytes) -> bytes:
    """With the seal that fits, so that what is behind it is reached too."""
    try:
        return sealed(json.loads(data)).encode("utf-8", "surrogatepass")
    except (ValueError, AttributeError, RecursionError):
        return data


def main() -> None:
    arguments = sys.argv
    folders = [Path(word) for word in arguments[1:] if not word.startswith("-")]
    if folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        text = (BUNDLE / "manifest.json").read_bytes()
        data = json.loads(text)
        small = data | {"files": data["files"][:1], "training": {}}
        (folders[0] / "seed-whole").write_bytes(text)
        for kind in ("ink", "fit", "crop", "stretch"):
            parameters = data["preprocessing"] if kind == "ink" else {"kind": kind}
            parameters |= {"fill": 0} if kind == "fit" else {}
            seed = json.dumps(small | {"preprocessing": parameters})
            (folders[0] / f"seed-{kind}").write_text(seed)
        signals = {
            LogMel(): {"height": 40, "width": 98},
            Series(): {"height": 1, "width": 150},
        }
        for how, shape in signals.items():
            seed = json.dumps(
                small | {"preprocessing": how.to_json(), "input": data["input"] | shape}
            )
            (folders[0] / f"seed-{how.kind}").write_text(seed)
        (folders[0] / "seed-onnx").write_bytes(bytes.fromhex("3a0c2a0a6a04080142006801 7001"))
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
