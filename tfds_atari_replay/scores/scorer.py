"""The true rewards of a dataset's episodes, read off their frames as these pass by."""

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

# A late level that nobody has seen may be misread now and then; frames of another ROM, or of a
# different preprocessing, mostly are.
_MOST_CONTRADICTIONS = 0.01  # of an episode's rewards
_MOST_DOUBTFUL = 0.05  # of the episodes
_FEW_EPISODES = 3

_logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]


class Scorer:
    """Finds the true rewards of a dataset's episodes, one episode after the other.

    An episode whose frames contradict more than 1% of its clipped rewards gets none. Once 5% of the
    episodes are such, and at least three, no later one gets any: the frames are of another ROM, or
    were made in another way.

    Attributes:
      counts: of the non-zero rewards so far, those `known` by themselves, those known as part of a
        sum (`summed`) and those `unknown`; and the `contradictions`.
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
        """Returns the frames of an episode, to be taken instead of the given ones.

        Args:
          frames: uint8 (n, 84, 84) with any n, those of the T steps in order; frames after them
            are passed on too.
          clipped: (T,), the clipped rewards.
          starts_at_reset: whether the first frame follows a reset.
        """
        return Scored(self, frames, clipped, starts_at_reset)

    def cut(self, frames: Array) -> Array:
        """Copies what of frames (n, 84, 84) is to be read, (n, bytes)."""
        if self._reader is None:
            return np.empty((len(frames), 0), np.uint8)
        return self._reader.cut(frames)

    def find(self, episodes: Sequence[Scored]) -> None:
        """Finds the rewards of episodes all of whose frames are taken.

        It is done for many at once, since NumPy takes hardly longer for many than for one.
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
        """Returns an episode's rewards if they are to be trusted, else none; and counts them."""
        if not self._is_trusted and not self._facts.clipped_is_true:
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
                "The frames may be of another ROM, or made in another way than Dopamine's. No more "
                "unclipped rewards are given. docs/scores.md says more.",
                self._name,
                self._num_doubtful,
                self._num_episodes,
            )
        for name in self.counts:
            self.counts[name] += getattr(rewards, f"num_{name}")
        return rewards


class Scored:
    """An episode's frames, as `Scorer.watch` returns them; iterate over them once.

    Attributes:
      clipped: (T,), its clipped rewards.
      starts_at_reset: whether its first frame follows a reset.
      found: its rewards before they are judged; None before `Scorer.find`.
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
        """Gives away what was cut out of the T frames."""
        rows, self._rows = self._rows, []
        return rows

    @functools.cached_property
    def rewards(self) -> Rewards:
        """The true rewards, once all frames are taken; ask for one episode's after another's."""
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
