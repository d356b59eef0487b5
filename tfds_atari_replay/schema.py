"""What an episode of the dataset holds: its features, and RLDS's alignment of steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfds_atari_replay import fields
from tfds_atari_replay.logs.records import FRAME_SHAPE, Episode
from tfds_atari_replay.steps import Steps


def features() -> tfds.features.FeaturesDict:
    """Returns what an episode holds; `features()["steps"]` is how its steps are stored.

    Names and dtypes are those of TFDS's `rlu_atari`, so that code written for it reads this.
    """

    def scalar(dtype: Any, desc: str, value_range: str | None = None) -> tfds.features.Scalar:
        doc = tfds.features.Documentation(desc=desc, value_range=value_range)
        return tfds.features.Scalar(dtype=dtype, doc=doc)

    return tfds.features.FeaturesDict(
        {
            "steps": Steps(
                {
                    "observation": tfds.features.Image(
                        shape=(*FRAME_SHAPE, 1),
                        dtype=np.uint8,
                        encoding_format="png",
                        doc="Grey frame at which the action was taken. Zeros in a terminal state "
                        "that comes from Dopamine's logs, which lack it.",
                    ),
                    **{
                        field.name: scalar(field.dtype, field.description, field.value_range)
                        for field in fields.STEP
                    },
                }
            ),
            "episode_id": scalar(np.int64, "Place in time order, from 0."),
            "checkpoint_id": scalar(np.int64, "Number of the checkpoint."),
            "episode_return": scalar(np.float32, "Sum of the clipped rewards."),
            "is_complete": scalar(np.bool_, "Whether it is whole, from reset to terminal."),
        }
    )


def to_rlds(episode: Episode, checkpoint: int) -> dict[str, Any]:
    """Aligns an episode of T logged steps as RLDS does.

    If it ends in a terminal, a step is added for the terminal state. For T = 3, with action 2,
    reward 1 and then the terminal:

      action       a b c 0
      reward       r s t 0
      discount     1 1 0 0
      is_terminal  0 0 0 1, and so is is_last
    """
    ended = episode.ends_in_terminal
    length = len(episode.action) + ended
    discount = np.ones(length, np.float32)
    is_first, is_last, is_terminal = np.zeros((3, length), np.bool_)
    frames: Iterator[Any] = (frames[..., np.newaxis] for frames in episode.frames)
    if ended:
        discount[-2:] = 0
        is_terminal[-1] = True
        if not episode.has_terminal_frame:
            frames = itertools.chain(frames, [np.zeros((*FRAME_SHAPE, 1), np.uint8)])
    is_first[0] = episode.starts_at_reset
    is_last[-1] = True
    return {
        "steps": {
            "observation": frames,
            "action": np.pad(episode.action.astype(np.int64), (0, ended)),
            "reward": np.pad(episode.reward, (0, ended)),
            "discount": discount,
            "is_first": is_first,
            "is_last": is_last,
            "is_terminal": is_terminal,
        },
        "episode_id": episode.index,
        "checkpoint_id": checkpoint,
        "episode_return": episode.reward.sum(),
        "is_complete": episode.is_complete,
    }
