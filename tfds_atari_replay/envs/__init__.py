"""Playing the games: environments, evaluation and recording.

gymnasium and the emulator are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfds_atari_replay._extras import required_for
from tfds_atari_replay.envs.evaluation import Evaluation, evaluate

if TYPE_CHECKING:
    from tfds_atari_replay.envs.env import AtariEnv

__all__ = ["Evaluation", "evaluate", "make_env"]


def make_env(
    game: str,
    *,
    stack: bool = False,
    sticky_actions: bool = True,
    terminal_on_life_loss: bool = False,
    clip_rewards: bool = False,
    full_action_space: bool = False,
    roms: str = "auto",
    emulator: str = "ale_py",
    render_mode: str | None = None,
) -> AtariEnv:
    """Makes a game as a gymnasium environment that shows it as the logs' agents saw it.

    Observations are uint8 (84, 84), bit for bit those of Dopamine's preprocessing; the observation
    after a game's last step is in no log. A step is four frames. `terminated` means game over;
    `truncated` comes after 27,000 steps (the logs set terminal there too). There are no no-op
    starts. `reset(seed=s)` seeds the emulator with s (modulo 2**31). `info` has lives,
    unclipped_reward, frame_number and episode_frame_number.

    Wrappers find what they look for in an ALE environment: `get_action_meanings()`,
    `ale`, the emulator's own interface, for `ale.lives()`; and `spec`, from which
    `gymnasium.make` makes the environment again.

    Example:
      ```python
      env = tfds_atari_replay.make_env("breakout", stack=True)
      observation, info = env.reset(seed=0)
      observation, reward, terminated, truncated, info = env.step(1)
      ```

    Args:
      game: any spelling of its name.
      stack: return the last four frames, uint8 (4, 84, 84), oldest first, zeros before the first.
      sticky_actions: repeat the previous action with probability 0.25 in each frame, as in the
        logs.
      terminal_on_life_loss: end the episode with each life.
      clip_rewards: clip rewards to [-1, 1], as in the logs.
      full_action_space: take ALE's 18 actions, `games.ALL_ACTIONS`, instead of the game's own.
      roms: 'legacy' for the ROM on which the logs were recorded, that of atari-py 0.2.5, from
        `$ATARI_REPLAY_ROMS` or the installed atari_py; 'ale' for ale-py's, a different file in 29
        games; 'auto' for the legacy one if it is found, else ale-py's, with a warning if the two
        differ.
      emulator: 'ale_py', or 'atari_py', which recorded the logs.
      render_mode: 'rgb_array' for `render()` to return the screen in colour, 'human' for a window.

    Returns:
      A `gymnasium.Env`.

    Raises:
      TypeError: one of these names is not a string.
      ValueError: unknown game, roms, emulator or render_mode; a ROM file is not the right one.
      FileNotFoundError: roms is 'legacy' and none is found.
      ImportError: gymnasium, ale-py or the emulator asked for is not installed.
    """
    with required_for("make_env", "envs"):
        from tfds_atari_replay.envs.env import AtariEnv

    return AtariEnv(
        game,
        stack=stack,
        sticky_actions=sticky_actions,
        terminal_on_life_loss=terminal_on_life_loss,
        clip_rewards=clip_rewards,
        full_action_space=full_action_space,
        roms=roms,
        emulator=emulator,
        render_mode=render_mode,
    )
