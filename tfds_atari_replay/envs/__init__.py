"""Playing the games: environments, and what a policy scores in them.

gymnasium and the emulator are imported when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfds_atari_replay.envs.env import AtariEnv


def make_env(
    game: str,
    *,
    stack: bool = False,
    sticky_actions: bool = True,
    terminal_on_life_loss: bool = False,
    clip_rewards: bool = False,
    roms: str = "auto",
    emulator: str = "ale_py",
    render_mode: str | None = None,
) -> AtariEnv:
    """Makes a game as a gymnasium environment, as the logs' agents saw it.

    Observations are uint8 (84, 84), equal, bit for bit, to those of Dopamine's preprocessing; the
    one after the last step of a game is no part of any log. A step is four frames. `terminated` is
    game over; `truncated` comes after 27,000 steps (in the logs, a terminal too). There are no
    no-op starts. `reset(seed=s)` seeds the emulator with s (modulo 2**31). In `info`: lives,
    unclipped_reward, frame_number, episode_frame_number.

    Args:
      game: any spelling of its name.
      stack: give the last four frames, uint8 (4, 84, 84), oldest first, zeros before the first.
      sticky_actions: repeat the action before with probability 0.25 in each frame, as in the logs.
      terminal_on_life_loss: end the episode with each life.
      clip_rewards: clip rewards to [-1, 1], as in the logs.
      roms: 'legacy', the ROM on which the logs were recorded, of atari-py 0.2.5, from
        `$ATARI_REPLAY_ROMS` or the installed atari_py; 'ale', ale-py's, another for 29 games;
        'auto', the legacy one where it is found, else ale-py's, with a warning if that differs.
      emulator: 'ale_py', or 'atari_py', which recorded the logs.
      render_mode: 'rgb_array' for `render()` to give the screen in colour, 'human' for a window.

    Raises:
      ValueError: unknown game, roms, emulator or render_mode; a ROM file is not the right one.
      FileNotFoundError: no legacy ROM, and roms is 'legacy'.
      ImportError: emulator is 'atari_py', which is not installed.
    """
    from tfds_atari_replay.envs.env import AtariEnv

    return AtariEnv(
        game,
        stack=stack,
        sticky_actions=sticky_actions,
        terminal_on_life_loss=terminal_on_life_loss,
        clip_rewards=clip_rewards,
        roms=roms,
        emulator=emulator,
        render_mode=render_mode,
    )
