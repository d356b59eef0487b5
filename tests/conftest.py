"""Fixtures, and settings that must come before TensorFlow is imported."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import shutil
from collections.abc import Generator, Iterator
from typing import Any

# Its start-up lines say nothing about a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import pytest
from helpers.datasets import DUMMY_DATA, build
from helpers.server import Server

import tfds_atari_replay
from tfds_atari_replay.logs import locating
from tfds_atari_replay.logs.layouts.dopamine import DopamineLayout
from tfds_atari_replay.logs.layouts.rl_unplugged import UnpluggedLayout

# For tests that do not say how many examples they try.
hypothesis.settings.register_profile("short", max_examples=5)
hypothesis.settings.register_profile("long", max_examples=40)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_HAS_ATARI_PY = importlib.util.find_spec("atari_py") is not None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skips what needs the old emulator or its ROMs, where atari-py is not installed."""
    try:
        return (yield)
    except (ImportError, FileNotFoundError, UserWarning) as error:
        if _HAS_ATARI_PY or not re.search("atari.py", str(error)):
            raise
        pytest.skip("needs atari-py 0.2.5, of which there is a wheel for Linux on x86_64 only")


@pytest.fixture(autouse=True)
def no_source_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs come from where a test says, not from the machine's settings or the network."""
    monkeypatch.delenv(locating.SOURCE_VARIABLE, raising=False)
    monkeypatch.setenv(locating.CACHE_VARIABLE, "/no/cache")
    # Nothing listens there. Other processes must be given logs, or a variable that says none.
    monkeypatch.setattr(DopamineLayout, "public_url", "http://127.0.0.1:9/logs")
    monkeypatch.setattr(UnpluggedLayout, "public_url", "http://127.0.0.1:9/unplugged")


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The builder of breakout_expert_v0, built from dummy_data."""
    return build("breakout_expert_v0", DUMMY_DATA, tmp_path_factory.mktemp("expert"))


@pytest.fixture(scope="session")
def expert_replay(expert: Any) -> Any:
    """The replay of that dataset."""
    data_dir = expert.data_path.parents[2]
    return tfds_atari_replay.load_replay("atari_replay/breakout_expert_v0", data_dir=data_dir)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The machine's own Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        # Without a sandbox, since tests may run as root in a container; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def public(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that plays the public places; its folder is `public` in tmp_path.

    The logs are below `logs/dqn`, RL Unplugged below `unplugged/atari_episodes_ordered`.
    """
    (tmp_path / "public").mkdir()
    with Server(tmp_path / "public") as server:
        monkeypatch.setattr(DopamineLayout, "public_url", f"{server.url}/logs/dqn")
        monkeypatch.setattr(
            UnpluggedLayout, "public_url", f"{server.url}/unplugged/atari_episodes_ordered"
        )
        yield server
