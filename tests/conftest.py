"""Fixtures, and settings that must come before TensorFlow is imported."""

from __future__ import annotations

import os
from typing import Any

# Its start-up lines say nothing about a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from truth import DUMMY_DATA, build

from tfds_atari_replay import sources


@pytest.fixture(autouse=True)
def no_source_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs come from where a test says, not from the machine's settings or the network.

    Ports below 1024 that nothing serves refuse at once.
    """
    monkeypatch.delenv(sources.SOURCE_VARIABLE, raising=False)
    monkeypatch.setenv(sources.CACHE_VARIABLE, "/no/cache")
    monkeypatch.setattr(sources, "PUBLIC_LOGS", "http://127.0.0.1:9/logs")
    monkeypatch.setattr(sources, "PUBLIC_UNPLUGGED", "http://127.0.0.1:9/unplugged")


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The builder of breakout_expert_v0, built from dummy_data."""
    return build("breakout_expert_v0", DUMMY_DATA, tmp_path_factory.mktemp("expert"))
