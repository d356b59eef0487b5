"""The true rewards of a dataset's episodes, read off their frames while these are packed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.games import Game
from tfds_atari_replay.scores.facts import FACTS
from tfds_atari_replay.scores.reading import ScoreReader
from tfds_atari_replay.scores.rewards import Episodes, Rewards, true_rewards_of

# Levels that nobody has seen may be misread now and then; frames of a different ROM, or of
# different preprocessing, are misread most of the time.
_MOST_CONTRADICTIONS = 0.01  # of an episode's rewards
_MOST_DOUBTFUL = 0.05  # of the episodes
_FEW_EPISODES = 3

_logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]


class Scorer:
    """Finds the true rewards of a dataset's episodes.

    An episode whose frames contradict more than 1% of its clipped rewards gets no true rewards.
    Once this happens in 5% of the episodes, and in at least three, no later episode gets any: the
    frames are of a different ROM, or of different preprocessing.

    Attributes:
      counts: how many of the non-zero rewards so far are `known` by themselves, known only as part
        of a sum (`summed`), or `unknown`; and how many `contradictions` were found.
    """

    def __init__(self, game: Game):
        self.counts = {"known": 0, "summed": 0, "unknown": 0, "contradictions": 0}
        self._name = game.name
        self._facts = FACTS[game.rom]
        self._reader = None
        if not self._facts.clipped_is_true and not self._facts.why_not:
            self._reader = ScoreReader.of(game)
        self._num_episodes = self._num_doubtful = 0
        self._is_trusted = True

    def watch(
        self, frames: Iterable[Array], clipped: npt.NDArray[np.float32], *, starts_at_reset: bool
    ) -> Scored:
        """Returns an iterable of the same frames, which reads them while they are taken.

        Args:
          frames: of an episode of T steps, in order, in arrays uint8 (n, 84, 84) with any n. Frames
            after the T first are passed on, but not read.
          clipped: (T,), the clipped rewards.
          starts_at_reset: whether the first frame follows a reset.
        """
        return Scored(self, frames, clipped, starts_at_reset)

    def cut(self, frames: Array) -> Array:
        """Copies the part of frames (n, 84, 84) that is read later: uint8 (n, bytes)."""
        if self._reader is None:
            return np.empty((len(frames), 0), np.uint8)
        return self._reader.cut(frames)

    def find(self, episodes: Sequence[Scored]) -> None:
        """Finds the rewards of episodes, after all of their frames were taken.

        Give it many: NumPy takes hardly longer for many than for one.
        """
        lengths = [len(episode.clipped) for episode in episodes]
        rows = [rows for episode in episodes for rows in episode.take_rows()]
        if self._reader is None or not self._is_trusted:
            readings = np.full(sum(lengths), np.nan)
        else:
            readings = self._reader.read_rows(np.concatenate(rows))
        found = true_rewards_of(
            Episodes(
                np.concatenate([episode.clipped for episode in episodes]),
                np.array(lengths),
                np.array([episode.starts_at_reset for episode in episodes]),
            ),
            readings,
            self._facts,
        )
        for episode, rewards in zip(episodes, found, strict=True):
            episode.found = rewards

    def judge(self, rewards: Rewards, clipped: Array) -> Rewards:
        """Returns an episode's rewards, all unknown if they cannot be trusted; and counts them."""
        if not self._is_trusted:
            rewards = _without_readings(clipped, 0)
        num_changes = np.count_nonzero(clipped)
        self._num_episodes += 1
        if rewards.num_contradictions > _MOST_CONTRADICTIONS * num_changes:
            self._num_doubtful += 1
            rewards = _without_readings(clipped, rewards.num_contradictions)
        if self._is_trusted and self._num_doubtful >= max(
            _FEW_EPISODES, _MOST_DOUBTFUL * self._num_episodes
        ):
            self._is_trusted = False
            _logger.warning(
                "%s: in %d of %d episodes the scores in the frames contradict the clipped rewards. "
                "The frames may be of a different ROM, or of preprocessing other than Dopamine's. "
                "Later episodes get no unclipped rewards. See docs/scores.md.",
                self._name,
                self._num_doubtful,
                self._num_episodes,
            )
        for name in self.counts:
            self.counts[name] += getattr(rewards, f"num_{name}")
        return rewards


class Scored:
    """An episode's frames, as `Scorer.watch` returns them; iterate over it once.

    Attributes:
      clipped: (T,), the clipped rewards.
      starts_at_reset: whether the first frame follows a reset.
      found: the rewards before `Scorer.judge`; None before `Scorer.find`.
    """

    def __init__(
        self, scorer: Scorer, frames: Iterable[Array], clipped: Array, starts_at_reset: bool
    ):
        self._scorer, self._frames = scorer, frames
        self.clipped, self.starts_at_reset = clipped, starts_at_reset
        self.found: Rewards | None = None
        self._rows: list[Array] = []

    def __iter__(self) -> Iterator[Array]:
        missing = len(self.clipped)
        for frames in self._frames:
            self._rows.append(self._scorer.cut(frames[:missing]))
            missing = max(missing - len(frames), 0)
            yield frames

    def take_rows(self) -> list[Array]:
        """Returns what was cut from the T frames, and forgets it."""
        rows, self._rows = self._rows, []
        return rows

    @functools.cached_property
    def rewards(self) -> Rewards:
        """The true rewards, once all frames were taken; ask for them in the episodes' order."""
        if self.found is None:
            self._scorer.find([self])
        assert self.found is not None
        return self._scorer.judge(self.found, self.clipped)


def _without_readings(clipped: Array, num_contradictions: int) -> Rewards:
    num_unknown = int(np.count_nonzero(clipped))
    return Rewards(
        np.where(clipped == 0, 0, np.nan).astype(np.float32),
        np.nan if num_unknown else 0,
        num_known=0,
        num_summed=0,
        num_unknown=num_unknown,
        num_contradictions=num_contradictions,
    )
