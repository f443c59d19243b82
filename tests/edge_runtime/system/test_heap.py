"""Memory that was freed is used again without asking the system for it."""

import platform
import subprocess
import sys

import pytest

from ...support.helpers import TIMEOUT

PROGRAM = """
import resource, sys
import numpy as np
from edge_runtime.system.heap import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(40):
    [np.ones(100_000, np.uint8) for _ in range(30)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_not_given_back() -> None:
    pages = {}
    for how in ("given back", "kept"):
        command = [sys.executable, "-c", PROGRAM, how]
        found = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=True)
        pages[how] = int(found.stdout)
    assert pages["kept"] < pages["given back"] - 5000
