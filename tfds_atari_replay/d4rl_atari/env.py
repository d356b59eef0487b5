"""A game together with the log of one checkpoint."""

from __future__ import annotations

from typing import Any

from tfds_atari_replay import games
from tfds_atari_replay._extras import required_for
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset

with required_for("The environment", "envs"):
    from tfds_atari_replay.envs.env import AtariEnv


class OfflineAtariEnv(AtariEnv):
    """`make_env`'s environment, with `get_dataset`; `gymnasium.make` makes it."""

    def __init__(
        self,
        *,
        game: str,
        split: str,
        run: int,
        stack: bool = False,
        sticky_action: bool = True,
        clip_reward: bool = False,
        terminal_on_life_loss: bool = False,
        render_mode: str | None = None,
    ):
        super().__init__(
            game,
            stack=stack,
            sticky_actions=sticky_action,
            clip_rewards=clip_reward,
            terminal_on_life_loss=terminal_on_life_loss,
            full_action_space=False,
            roms="auto",
            emulator="ale_py",
            render_mode=render_mode,
        )
        self._config = Config(games.find_game(game), SPLITS[split], run)
        self._stack_observations = stack

    def get_dataset(self, *, reward: str = "clipped") -> dict[str, Any]:
        """Reads the checkpoint's rows into memory, in the order of the file, as d4rl-atari does.

        The file is a ring buffer with padding: time starts at its cursor, three zero rows precede
        each episode, and checkpoint 0 has rows that were never written. `tfds.load` gives episodes
        in order, without these rows. RL Unplugged's copy, which is read if there is no other, has
        only the steps, in order.

        Args:
          reward: "clipped" to [-1, 1], as logged; or "unclipped", in the game's own points, which a
            second pass reads off the frames.

        Returns:
          A dict of `observations`, uint8 (N, 1, 84, 84), or with stack=True `StackedFrames`, N of
          (4, 84, 84); `actions`, int32 (N,); `rewards`, float32 (N,), NaN where an unclipped reward
          is unknown; and `terminals`, uint8 (N,).

        Raises:
          FileNotFoundError: there are no such logs; the message says where it looked.
          ReplayLogError: a file is damaged.
          OSError: a download failed.
          TypeError: `reward` is not a string.
          ValueError: `reward` is neither "clipped" nor "unclipped".
        """
        return read_dataset(self._config, stack=self._stack_observations, reward=reward)
