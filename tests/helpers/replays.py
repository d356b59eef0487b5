"""Replays of episodes made by hand."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from etils import epath

from helpers.steps import FEATURES, Steps
from helpers.transitions import count_transitions, in_batches
from tfds_atari_replay import Replay
from tfds_atari_replay.prepared.reading import read_file
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.packed import Packed, map_folder
from tfds_atari_replay.replay.packing import pack


def write_shard(path: pathlib.Path, episodes: list[Steps]) -> None:
    """Writes episodes to a TFRecord file, as TFDS does."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, steps in enumerate(episodes):
            example = {
                "steps": steps,
                "episode_id": number,
                "checkpoint_id": 7,
                "episode_return": steps["reward"].sum(),
                "unclipped_return": steps["unclipped_reward"].sum(),
                "is_complete": bool(steps["is_first"][0] and steps["is_terminal"][-1]),
            }
            writer.write(FEATURES.serialize_example(example))


def pack_steps(episodes: list[Steps], folder: pathlib.Path) -> Packed:
    """Packs episodes."""
    shard = folder / "shard"
    write_shard(shard, episodes)
    pack(lambda: read_file(epath.Path(shard), 0, "tfrecord", FEATURES), folder)
    return map_folder(folder, "")


def join(*parts: Packed, actions: Sequence[Any] | None = None) -> Replay:
    """A replay of packed episodes; `actions` are those of `Joined`."""
    names = tuple(f"made{number}" for number in range(len(parts)))
    return Replay(names, Joined(parts, tuple(actions or [None] * len(parts))))


def make_replay(*datasets: list[Steps], actions: Sequence[Any] | None = None) -> Replay:
    """A replay of episodes; mapped files stay readable once their folder is gone."""
    return join(*map(_pack_in_memory, datasets), actions=actions)


def _pack_in_memory(episodes: list[Steps]) -> Packed:
    with tempfile.TemporaryDirectory() as folder:
        return dataclasses.replace(pack_steps(episodes, pathlib.Path(folder)), folder=None)


def transitions_of(*parts: Packed) -> Any:
    """All transitions, counted."""
    return count_transitions(in_batches(join(*parts).transitions()))
