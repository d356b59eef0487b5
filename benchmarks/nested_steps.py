"""Reading single steps from nested datasets, against the same episodes stored as a PNG per step.

  python benchmarks/nested_steps.py [--rounds 5]

Two datasets are written with dummy_data's Breakout episodes. They differ in one line: `steps` is
our feature, or TFDS's own with a PNG per step, as `rlu_atari` declares it. They are read in turn,
in one process, by a pipeline that flattens the episodes one after the other, and by one that takes
from two at a time.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import tfds_atari_replay
from tfds_atari_replay import steps

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CONFIGS = ("epoch_0", "mixed", "medium", "epoch_49", "expert")
_REPEATS = 20


class Copy(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The episodes of other builders, with another feature for the steps."""

    VERSION = tfds.core.Version("1.0.0")
    STEPS: Any

    def __init__(self, builders: list[Any], split: str = "train", **kwargs: Any):
        self._builders = builders
        self._split = split
        super().__init__(**kwargs)

    def _info(self) -> Any:
        fields = dict(self._builders[0].info.features)
        fields["steps"] = self.STEPS(dict(fields["steps"].feature))
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(fields))

    def _split_generators(self, dl_manager: Any) -> Any:
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        for builder in self._builders:
            for episode in tfds.as_numpy(builder.as_dataset(split=self._split)):
                yield f"{episode['checkpoint_id']}_{episode['episode_id']}", episode


class BlockSteps(Copy, skip_registration=True):  # type: ignore[call-arg]
    """Frames in blocks."""

    STEPS = steps.Steps


class PngSteps(Copy, skip_registration=True):  # type: ignore[call-arg]
    """A PNG per step."""

    STEPS = tfds.features.Dataset


def flattened(episodes: tf.data.Dataset) -> tf.data.Dataset:
    """All steps, one episode after the other."""
    return episodes.flat_map(_steps)


def interleaved(episodes: tf.data.Dataset) -> tf.data.Dataset:
    """All steps, of two episodes at a time."""
    return episodes.interleave(_steps, cycle_length=2)


def _steps(episode: dict[str, Any]) -> Any:
    return episode["steps"]


def steps_per_second(dataset: tf.data.Dataset) -> float:
    """Reads it once; the clock starts with the first batch, when the pipeline stands."""
    batches = iter(dataset)
    next(batches)
    start = time.perf_counter()
    count = sum(len(batch["action"]) for batch in batches)
    return count / (time.perf_counter() - start)


def main(rounds: int) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        config = tfds.download.DownloadConfig(manual_dir=str(_ROOT / "dummy_data"))
        ours = []
        for split in _CONFIGS:
            builder = tfds.builder(f"atari_replay/breakout_{split}_v0", data_dir=folder)
            builder.download_and_prepare(download_config=config)
            ours.append(builder)
        builders = [kind(ours, data_dir=folder) for kind in (PngSteps, BlockSteps)]
        for builder in builders:
            builder.download_and_prepare()
        print(f"\nsteps/s, median of {rounds} rounds\n")
        print(f"{'':22}{'PNG per step':>14}{'ours':>10}{'ratio':>8}")
        for label, pipeline in (("one after the other", flattened), ("two at a time", interleaved)):
            speeds = [
                [
                    steps_per_second(
                        pipeline(builder.as_dataset(split="train").repeat(_REPEATS)).batch(256)
                    )
                    for builder in builders
                ]
                for _ in range(rounds)
            ]
            png, blocks = np.median(speeds, axis=0)
            print(f"{label:22}{png:14,.0f}{blocks:10,.0f}{blocks / png:8.1f}")
        png, blocks = (builder.info.dataset_size / 1e6 for builder in builders)
        print(f"{'MB on disk':22}{png:14.2f}{blocks:10.2f}{blocks / png:8.2f}")
    assert tfds_atari_replay  # it registers the builder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
