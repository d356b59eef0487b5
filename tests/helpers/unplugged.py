"""Files as RL Unplugged has them, written by TensorFlow."""

from __future__ import annotations

import pathlib
from typing import Any

import google_crc32c
import numpy as np
import tensorflow as tf

from helpers.logs import Truth


def unplugged_example(checkpoint: int, index: int, episode: Truth, **fields: Any) -> bytes:
    """An episode as a record of RL Unplugged.

    Where it ends, the terminal state is one step more, of which only the frame, all 9, means
    anything; discounts come one step late. `fields` replace others.
    """
    action, reward, frames = list(episode.action), list(episode.reward), list(episode.frames)
    discount = [1.0] * len(action)
    if episode.ends_in_terminal:
        action, reward, discount = [*action, 3], [*reward, 7.0], [*discount, 0.0]
        frames.append(np.full((84, 84), 9, np.uint8))
    values: dict[str, Any] = {
        "checkpoint_idx": [checkpoint],
        "episode_idx": [index],
        "episode_return": [float(sum(episode.reward))],
        "clipped_episode_return": [float(sum(episode.reward))],
        "observations": [tf.io.encode_png(f[..., np.newaxis]).numpy() for f in frames],
        "actions": action,
        "unclipped_rewards": reward,
        "clipped_rewards": reward,
        "discounts": discount,
        **fields,
    }
    kinds = {bytes: ("bytes_list", tf.train.BytesList), float: ("float_list", tf.train.FloatList)}
    features = {}
    for name, column in values.items():
        integers = name in ("checkpoint_idx", "episode_idx", "actions")
        kind = int if integers else bytes if name == "observations" else float
        field, make = kinds.get(kind, ("int64_list", tf.train.Int64List))
        features[name] = tf.train.Feature(**{field: make(value=[kind(v) for v in column])})
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def write_records(path: pathlib.Path, records: list[bytes]) -> None:
    """Writes a GZIP TFRecord, by TensorFlow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for record in records:
            writer.write(record)


def write_unplugged(path: pathlib.Path, episodes: list[Truth]) -> None:
    """Writes a checkpoint as RL Unplugged does; its number is that in the name."""
    number = int(path.name.split("-")[1])
    write_records(path, [unplugged_example(number, i, e) for i, e in enumerate(episodes)])


def masked_checksum(data: bytes) -> bytes:
    """The checksum of a part of a TFRecord file."""
    crc: int = google_crc32c.value(data)
    return ((((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32).to_bytes(4, "little")
