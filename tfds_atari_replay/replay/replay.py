"""Episodes that can be selected, and read at random as transitions or sequences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import notebooks
from tfds_atari_replay.arguments import (
    check_axis,
    check_choice,
    check_share,
    check_sizes,
    check_whole,
)
from tfds_atari_replay.configs import find_config
from tfds_atari_replay.fields import REWARDS
from tfds_atari_replay.replay.batches import EpisodeArrays
from tfds_atari_replay.replay.gathering import gather_frames
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.packed import ReplayChangedError
from tfds_atari_replay.replay.sequences import SequenceSource
from tfds_atari_replay.replay.transitions import TransitionSource

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """Episodes of one or several datasets, as `load_replay` returns them.

    `len(replay)` counts its episodes.

    Attributes:
      names: of the datasets.
      joined: the episodes.
      without_scores: the error message about datasets without true rewards; empty if all have them.
    """

    names: tuple[str, ...]
    joined: Joined
    without_scores: str = ""

    def __len__(self) -> int:
        return len(self.joined.episodes)

    def __repr__(self) -> str:
        try:
            facts = self._facts()
        except ReplayChangedError:
            return f"Replay({', '.join(self.names)}: its files are gone)"
        counts = (f"{facts[what]} {what}" for what in ("episodes", "complete", "steps"))
        return f"Replay({', '.join(self.names)}: {', '.join(counts)}, {facts['packed']})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        return notebooks.to_table(self._facts())

    def _facts(self) -> dict[str, str]:
        episodes = self.episodes
        configs = (name.rpartition("/")[2].partition(":")[0] for name in self.names)
        games = {found.game.name: None for config in configs if (found := find_config(config))}
        return {
            "datasets": ", ".join(self.names),
            "games": ", ".join(games),
            "episodes": f"{len(episodes):,}",
            "complete": f"{episodes['is_complete'].sum():,}",
            "steps": f"{episodes['length'].sum():,}",
            "packed": f"{self.joined.nbytes / 1e6:,.1f} MB",
        }

    @property
    def episodes(self) -> Array:
        """The episodes in time order, dataset after dataset, as a structured array (E,).

        Its fields:

            episode_id: int64, order in time within its dataset.
            checkpoint_id: int64, number of the checkpoint.
            length: int64, logged steps, without the terminal state.
            episode_return: float32, sum of clipped rewards, of those in the dataset.
            is_complete: bool, whether it goes from a reset to a terminal.
            unclipped_return: float32, sum of true rewards; NaN if it is not known.
            dataset: int64, index into `names`.

        `pandas.DataFrame(replay.episodes)` makes it a table.
        """
        return self.joined.episodes.copy()

    def __iter__(self) -> Iterator[EpisodeArrays]:
        return (self.read(row) for row in range(len(self)))

    def read(self, row: int) -> EpisodeArrays:
        """Reads the T logged steps of an episode; `for steps in replay` reads all in turn.

        Args:
          row: of `episodes`, from 0.

        Returns:
          A dict of `observation`, uint8 (T, 84, 84), the frames in which the actions were taken;
          `action`, int64 (T,); `reward`, float32 (T,), clipped; `unclipped_reward`, float32 (T,),
          NaN where unknown; and `discount`, float32 (T,), 0 if the action ended the game, else 1.

        Raises:
          TypeError: the row is not a whole number.
          ValueError: there is no such row.
        """
        row = check_whole("row", row, at_least=0, below=len(self))
        span, number = self.joined.spans[row], self.joined.episodes["dataset"][row]
        part, become = self.joined.parts[number], self.joined.actions[number]
        start = span["start"] - self.joined.starts[number]
        steps = slice(start, start + span["steps"] - span["ends_in_terminal"])
        scalars = {name: column[steps] for name, column in part.scalars.items()}
        discount = np.ones(steps.stop - steps.start, np.float32)
        discount[-1:] -= span["ends_in_terminal"]
        return {
            "observation": gather_frames((part.frames,), np.arange(steps.start, steps.stop)),
            "action": (scalars["action"] if become is None else become[scalars["action"]]).astype(
                np.int64
            ),
            # Copies, like everything else that is returned.
            "reward": scalars["reward"].copy(),
            "unclipped_reward": scalars["unclipped_reward"].copy(),
            "discount": discount,
        }

    def select(self, episode_ids_or_mask: npt.ArrayLike) -> Replay:
        """Returns a replay of some of the episodes; nothing is copied.

        Args:
          episode_ids_or_mask: the `episode_id` of each, in any order; or booleans (E,), one for
            each of `episodes`. Ids need a replay of a single dataset.

        Raises:
          ValueError: an id is unknown, repeated or ambiguous, a mask has the wrong length, or
            nothing is selected.
        """
        wanted = np.asarray(episode_ids_or_mask)
        if wanted.dtype == np.bool_:
            if wanted.shape != (len(self),):
                raise ValueError(
                    f"Expected a mask of the shape ({len(self)},), one value for each of "
                    f"replay.episodes, got {wanted.shape}."
                )
            is_wanted = wanted
        else:
            is_wanted = self._find(wanted)
        if not is_wanted.any():
            raise ValueError(f"No episode is selected; this replay has {len(self):,}.")
        return dataclasses.replace(self, joined=self.joined.select(is_wanted))

    def transitions(
        self,
        *,
        stack_size: int = 4,
        n_step: int = 1,
        gamma: float = 0.99,
        axis: int = 0,
        reward: str = "clipped",
        labels: bool = False,
    ) -> TransitionSource:
        """Returns all transitions, to be read in any order: exactly those of the transform.

        Args:
          stack_size: frames per observation, at least 1.
          n_step: steps from observation to next_observation, at least 1.
          gamma: discount per step, 0 to 1.
          axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).
          reward: "clipped", as logged, or "unclipped", in the game's own points.
          labels: whether items also say which dataset, episode and step they are from.

        Raises:
          TypeError: an argument is not a number of the right kind.
          ValueError: an argument is out of range, or a dataset has no unclipped rewards.
        """
        stack_size, n_step = check_sizes(stack_size=stack_size, n_step=n_step)
        return TransitionSource(
            joined=self.joined,
            stack_size=stack_size,
            axis=check_axis(axis),
            reward=self._check_reward(reward),
            labels=labels,
            n_step=n_step,
            gamma=check_share("gamma", gamma),
        )

    def sequences(
        self,
        length: int,
        *,
        stack_size: int = 4,
        axis: int = 0,
        reward: str = "clipped",
        labels: bool = False,
    ) -> SequenceSource:
        """Returns all sequences of steps, to be read in any order.

        Args:
          length: steps per sequence, at least 1; shorter ones are padded.
          stack_size: frames per observation, at least 1.
          axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).
          reward: "clipped", as logged, or "unclipped", in the game's own points.
          labels: whether items also say which dataset, episode and step they are from.

        Raises:
          TypeError: an argument is not a number of the right kind.
          ValueError: an argument is out of range, or a dataset has no unclipped rewards.
        """
        length, stack_size = check_sizes(length=length, stack_size=stack_size)
        return SequenceSource(
            joined=self.joined,
            stack_size=stack_size,
            axis=check_axis(axis),
            reward=self._check_reward(reward),
            labels=labels,
            steps=length,
        )

    def _check_reward(self, reward: str) -> str:
        check_choice("reward", reward, REWARDS)
        if reward == "unclipped" and self.without_scores:
            raise ValueError(self.without_scores)
        return reward

    def _find(self, ids: Array) -> Array:
        """Returns a mask of the episodes with these ids."""
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(
                "Expected episode ids, integers (N,), or a mask, booleans "
                f"({len(self)},), got {ids.dtype} {ids.shape}."
            )
        episodes = self.joined.episodes
        if len(set(episodes["dataset"].tolist())) > 1:
            raise ValueError(
                "Episode ids are ambiguous in a replay of several datasets. Give a mask, such as "
                'replay.episodes["dataset"] == 0.'
            )
        own = episodes["episode_id"]
        distinct, counts = np.unique(ids, return_counts=True)
        unknown, repeated = np.setdiff1d(distinct, own), distinct[counts > 1]
        if len(unknown) or len(repeated):
            what, some = ("unknown", unknown) if len(unknown) else ("repeated", repeated)
            raise ValueError(f"These episode ids are {what}: {some[:5].tolist()}.")
        return np.isin(own, ids)
