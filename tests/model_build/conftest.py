import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.system.lock import lock

ROOT = Path(__file__).parents[2]
BUILD_OPTIONS = ("--epochs", 12, "--seed", 1)
MODEL_BUILD = str(Path(sys.executable).parent / "model-build")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The real command line, in a process of its own."""
    return subprocess.run(
        [MODEL_BUILD, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def interrupt(*arguments: object, seconds: float) -> int:
    """Send a build Ctrl-C so long after it has said its parts; its process id, when it is over."""
    with subprocess.Popen(
        [MODEL_BUILD, "build", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background would have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        for line in process.stderr:
            if "train," in line:
                break
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Traceback" not in said
    return process.pid


def says(words: str, *arguments: object) -> bool:
    """Run the command line until it says that, and end it; False when it ends by itself."""
    with subprocess.Popen(
        [MODEL_BUILD, *map(str, arguments)], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            return any(words in line for line in process.stderr)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A bundle from a short but real training: (folder, what the command said).

    The processes of a run that share out its tests share it: no test may change it.
    """
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    output, said = top / "built", top / "built.pickle"
    with open(top / "built.lock", "wb") as file:
        assert lock(file.fileno(), patience=600), "another process builds it"
        if not said.exists():
            done = run("build", *BUILD_OPTIONS, "--c-array", "--ort", "--output", output)
            said.write_bytes(pickle.dumps(done))
    done = pickle.loads(said.read_bytes())
    assert done.returncode == 0, done.stderr
    return output / "digits", done


@pytest.fixture(scope="session")
def dataset():
    from model_build.recipes.digits.dataset import load_digits

    return load_digits()


@pytest.fixture
def workspace():
    from model_build.training.workspace import Workspace

    with Workspace.temporary() as workspace:
        yield workspace


@pytest.fixture
def load_own(workspace):
    """Loads the data at a path as a build does."""
    from model_build.recipes.registry import recipe_for

    return lambda path: recipe_for(str(path)).load(workspace)


@pytest.fixture(scope="session")
def model(built):
    import keras

    return keras.models.load_model(built[0] / "model.keras")


@pytest.fixture(scope="session")
def spec(built):
    from edge_runtime.bundle.manifest import Manifest

    return Manifest.load(built[0]).spec
