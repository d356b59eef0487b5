"""The features of an episode, and how logged steps are aligned as RLDS does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from tfds_atari_replay import fields
from tfds_atari_replay.logs.records import FRAME_SHAPE, Episode
from tfds_atari_replay.scores.scorer import Scored, Scorer
from tfds_atari_replay.steps import Steps


def features(version: Any = fields.VERSION) -> tfds.features.FeaturesDict:
    """Returns the features of an episode; `features()["steps"]` stores its steps.

    Names and dtypes are the same as in TFDS's `rlu_atari`, so code written for it works here.

    Args:
      version: the dataset's version.
    """

    def scalars(declared: tuple[fields.Field, ...]) -> dict[str, tfds.features.Scalar]:
        return {
            field.name: tfds.features.Scalar(
                dtype=field.dtype,
                doc=tfds.features.Documentation(
                    desc=field.description, value_range=field.value_range
                ),
            )
            for field in declared
            if tfds.core.Version(str(version)) >= field.since
        }

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
                    **scalars(fields.STEP),
                }
            ),
            **scalars(fields.EPISODE),
        }
    )


_STEPS: Steps = features()["steps"]

# True rewards are found for several episodes together that have so many steps: some 16 episodes.
_STEPS_AT_ONCE = 8192


def has_scores(features: Any) -> bool:
    """Whether a dataset with these features has true rewards; version 1.0.0 has none."""
    return "unclipped_reward" in features["steps"].feature


class Started(NamedTuple):
    """An episode whose steps are being encoded.

    Attributes:
      num_steps: how many steps were logged.
      scored: its frames, all of which have been read.
      example: the example without its true return, which is found last.
    """

    num_steps: int
    scored: Scored
    example: dict[str, Any]

    def finish(self) -> dict[str, Any]:
        """Returns the example."""
        return {**self.example, "unclipped_return": self.scored.rewards.total}


def start_all(episodes: Iterable[Episode], checkpoint: int, scorer: Scorer) -> Iterator[Started]:
    """Starts to encode episodes; see `start`. True rewards are found for several at a time.

    Finish them in order. The last one is still being encoded while the next ones are started.
    """
    group: list[Started] = []
    for episode in episodes:
        group.append(start(episode, checkpoint, scorer))
        if sum(started.num_steps for started in group) >= _STEPS_AT_ONCE:
            scorer.find([started.scored for started in group])
            yield from group
            group = []
    if group:
        scorer.find([started.scored for started in group])
        yield from group


def start(episode: Episode, checkpoint: int, scorer: Scorer) -> Started:
    """Aligns an episode of T logged steps as RLDS does, and starts to encode the steps.

    If it ends in a terminal, a step is added for the terminal state. For T = 3:

      action       a b c 0
      reward       r s t 0
      discount     1 1 0 0
      is_terminal  0 0 0 1, like is_last

    True rewards are read off the frames while these are packed, so frames are read only once and
    are never all in memory.

    Args:
      episode: the logged episode.
      checkpoint: the number of its checkpoint.
      scorer: the scorer of the dataset.
    """
    ended = episode.ends_in_terminal
    length = len(episode.action) + ended
    discount = np.ones(length, np.float32)
    is_first, is_last, is_terminal = np.zeros((3, length), np.bool_)
    scored = scorer.watch(episode.frames, episode.reward, starts_at_reset=episode.starts_at_reset)
    frames: Iterator[Any] = (frames[..., np.newaxis] for frames in scored)
    if ended:
        discount[-2:] = 0
        is_terminal[-1] = True
        if not episode.has_terminal_frame:
            frames = itertools.chain(frames, [np.zeros((*FRAME_SHAPE, 1), np.uint8)])
    is_first[0] = episode.starts_at_reset
    is_last[-1] = True
    steps = _STEPS.start_encoding(
        {
            "observation": frames,
            "action": np.pad(episode.action.astype(np.int64), (0, ended)),
            "reward": np.pad(episode.reward, (0, ended)),
            "discount": discount,
            "is_first": is_first,
            "is_last": is_last,
            "is_terminal": is_terminal,
            "unclipped_reward": lambda: np.pad(scored.rewards.reward, (0, ended)),
        }
    )
    return Started(
        len(episode.action),
        scored,
        {
            "steps": steps,
            "episode_id": episode.index,
            "checkpoint_id": checkpoint,
            "episode_return": episode.reward.sum(),
            "is_complete": episode.is_complete,
        },
    )
