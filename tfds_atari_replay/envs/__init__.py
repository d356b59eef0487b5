"""Playing the games: environments, evaluation and recording.

gymnasium and the emulators are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Makes a gymnasium environment that shows a game as the logs' agents saw it.

    Observations are uint8 (84, 84), bit for bit those of Dopamine's preprocessing. (No log has the
    observation after a game's last step.) A step is four frames. `terminated` means game over;
    `truncated` comes after 27,000 steps, where the logs set terminal too. There are no no-op
    starts. `reset(seed=s)` seeds the emulator with s (modulo 2**31). `info` has lives,
    unclipped_reward, frame_number and episode_frame_number.

    The environment has what wrappers expect of an ALE environment: `get_action_meanings()`; `ale`,
    the emulator's own interface, for `ale.lives()`; and `spec`, from which `gymnasium.make` makes
    the environment again.

    Example:
      ```python
      env = tfds_atari_replay.make_env("breakout", stack=True)
      observation, info = env.reset(seed=0)
      observation, reward, terminated, truncated, info = env.step(1)
      ```

    Args:
      game: any spelling of its name.
      stack: return the last four frames, uint8 (4, 84, 84), oldest first, zeros before the first.
      sticky_actions: each frame repeats the previous action with probability 0.25, as in the logs.
      terminal_on_life_loss: end the episode with each life.
      clip_rewards: clip rewards to [-1, 1], as in the logs.
      full_action_space: take ALE's 18 actions, `games.ALL_ACTIONS`, instead of the game's own.
      roms: 'legacy' for atari-py 0.2.5's ROM, on which the logs were recorded, from
        `$ATARI_REPLAY_ROMS` or the installed atari_py; 'ale' for ale-py's ROM, a different file in
        29 games; 'auto' for the legacy ROM if it is found, else ale-py's, with a warning if the two
        differ.
      emulator: 'ale_py', or 'atari_py', which recorded the logs.
      render_mode: 'rgb_array' for `render()` to return the screen in colour, 'human' for a window.

    Returns:
      A `gymnasium.Env`.

    Raises:
      TypeError: game, roms, emulator or render_mode is not a string.
      ValueError: unknown game, roms, emulator or render_mode; a ROM file is not the right one.
      FileNotFoundError: roms is 'legacy' and no legacy ROM is found.
      ImportError: gymnasium, ale-py or the chosen emulator is not installed.
    """
    with required_for("make_env", "envs"):
        from gymnasium.envs.registration import EnvSpec

        from tfds_atari_replay.envs.env import AtariEnv

    arguments: dict[str, Any] = {
        "stack": stack,
        "sticky_actions": sticky_actions,
        "terminal_on_life_loss": terminal_on_life_loss,
        "clip_rewards": clip_rewards,
        "full_action_space": full_action_space,
        "roms": roms,
        "emulator": emulator,
        "render_mode": render_mode,
    }
    env = AtariEnv(game, **arguments)
    env.spec = EnvSpec(
        f"tfds_atari_replay/{env.game.name}-v0",
        entry_point="tfds_atari_replay:make_env",
        kwargs={"game": env.game.name, **arguments},
        order_enforce=False,
        disable_env_checker=True,
    )
    return env
