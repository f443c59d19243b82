"""The processors that this process may use."""

from __future__ import annotations

import math
import os
import sys


def available_cpus() -> int:
    """Count the processors of this process: its affinity, bounded by the cgroup's quota."""
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        return count
