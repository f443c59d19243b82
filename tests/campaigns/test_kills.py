"""Runs killed at random moments: --resume finishes with the bytes of an uninterrupted run.

The short version of kill_campaign.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .kills import Campaign


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_run_killed_at_random_moments_is_resumed_to_the_same_bytes(
    tmp_path: Path, format: str
) -> None:
    campaign = Campaign(tmp_path, format, images=600, seed=1)
    while campaign.kills < 4:
        campaign.cycle(most=4 - campaign.kills)
