"""Fixtures for the tests of figures."""

from __future__ import annotations

from typing import Any

import pytest

from tfds_atari_replay import figures


@pytest.fixture(scope="session")
def summary(expert: Any) -> figures.Summary:
    """The summary of breakout_expert_v0, built from dummy_data."""
    return figures.summarize(
        "atari_replay/breakout_expert_v0", data_dir=expert.data_path.parents[2]
    )
