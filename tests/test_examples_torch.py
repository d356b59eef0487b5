"""The examples in PyTorch run, at a small size; `make test-torch` runs this."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA
from helpers.examples import run_example

from tfds_atari_replay import load_replay

pytest.importorskip("torch")


@pytest.mark.slow
@pytest.mark.parametrize("example", ["dqn_torch", "decision_transformer", "best_episodes"])
def test_examples_in_torch(example: str, tmp_path: pathlib.Path) -> None:
    config = tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA))
    load_replay(
        "atari_replay/breakout_expert_v0",
        data_dir=tmp_path,
        download_and_prepare_kwargs={"download_config": config},
    )
    run_example(example, tmp_path, tmp_path / "out")
