import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD_OPTIONS = ("--epochs", 8, "--seed", 1)
MODEL_BUILD = str(Path(sys.executable).parent / "model-build")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The real command line, in a process of its own."""
    return subprocess.run(
        [MODEL_BUILD, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A bundle from a short but real training: (folder, what the command said)."""
    output = tmp_path_factory.mktemp("exported")
    done = run("build", *BUILD_OPTIONS, "--c-array", "--ort", "--output", output)
    assert done.returncode == 0, done.stderr
    return output / "digits", done


@pytest.fixture(scope="session")
def dataset():
    from model_build.data import load_digits

    return load_digits()


@pytest.fixture(scope="session")
def model(built):
    import keras

    return keras.models.load_model(built[0] / "model.keras")


@pytest.fixture(scope="session")
def spec(built):
    from edge_runtime.manifest import Manifest

    return Manifest.load(built[0]).spec
