"""Records replay logs: plays a game and writes the files that Dopamine's logger would.

The public bucket of the logs is closed, so this is how people get their own logs.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
import shutil
import uuid
from collections.abc import Iterable

import numpy as np

from tfds_atari_replay import games, progress
from tfds_atari_replay._extras import required_for
from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.envs.policies import Policy, RandomPolicy, actions_of, check_policy
from tfds_atari_replay.envs.protocol import MAX_STEPS, STACK_SIZE
from tfds_atari_replay.logs.records import FRAME_SHAPE
from tfds_atari_replay.logs.writer import ReplayLogger, check_capacity
from tfds_atari_replay.windows.stacking import LiveStacks, Stacking

with required_for("Recording", "envs"):
    from tfds_atari_replay.envs.emulators import Emulator, find_emulator
    from tfds_atari_replay.envs.roms import find_rom

_SEEDS = 2**31  # the emulator takes 0 to 2**31 - 1

_logger = logging.getLogger(__name__)


def record(
    game: str,
    out: pathlib.Path | str,
    *,
    steps: int,
    capacity: int | None = None,
    policy: Policy | None = None,
    run: int = 1,
    seed: int | None = None,
) -> pathlib.Path:
    """Plays a game in ale-py's emulator and writes the run's replay logs.

    Plays as the logs' agents did (see `envs.emulators.Emulator`), on ale-py's ROM: sticky actions,
    Dopamine's preprocessing, and terminal set after 27,000 steps at the latest. Rewards are clipped
    to [-1, 1]. The same arguments give the same files.

    Args:
      game: any spelling of its name.
      out: a folder; the logs go to `<out>/<Game>/<run>/replay_logs`.
      steps: agent steps to play.
      capacity: rows of the replay buffer, and so of each checkpoint; a row takes 7 KB of memory.
        The default is as many as the steps need, which gives one checkpoint, but at most 1,000,000,
        as in the public logs, and at most what fits into half of this machine's memory.
      policy: chooses the actions; uniformly random by default.
      run: number of the run.
      seed: of the emulator and the random policy; `run - 1` by default, so that runs differ.

    Returns:
      The folder of the logs. It is called `replay_logs.incomplete-...` while they are written, and
      keeps that name if recording is interrupted.

    Raises:
      TypeError: steps, capacity, run or seed is not a whole number; the policy is not callable.
      ValueError: unknown game; steps, capacity, run or seed is out of range; the policy returns an
        action that the game does not have.
      FileExistsError: the folder is not empty.
    """
    found = games.find_game(game)
    run = check_whole("run", run, below=_SEEDS + 1)
    seed = check_whole("seed", run - 1 if seed is None else seed, at_least=0, below=_SEEDS)
    steps = check_whole("steps", steps)
    capacity = None if capacity is None else check_capacity(capacity)
    policy = RandomPolicy(found, seed) if policy is None else policy
    check_policy(policy)
    folder = pathlib.Path(out) / found.name / str(run) / "replay_logs"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} already holds logs. Record into another folder, or delete them."
        )
    unfinished = folder.with_name(f"{folder.name}.incomplete-{uuid.uuid4().hex[:8]}")
    missing = [path for path in (folder.parent, *folder.parent.parents) if not path.exists()]
    logger = ReplayLogger(unfinished, capacity)
    try:
        emulator = find_emulator("ale_py")(found, seed=seed, rom=find_rom(found, "ale"))
        bar = progress.bar(range(steps), desc=f"Recording {found.name} run {run}", unit=" steps")
        _play(emulator, policy, logger, bar)
        logger.close()
    except BaseException:
        if logger.num_dumps:
            _logger.warning("Recording incomplete; partial logs are in %s", unfinished)
        else:
            shutil.rmtree(unfinished)
            with contextlib.suppress(OSError):  # another run may be recorded beside it
                for path in missing:
                    path.rmdir()
        raise
    try:
        unfinished.rename(folder)
    except OSError as error:
        raise FileExistsError(
            f"{folder} was created in the meantime. This recording is complete, in {unfinished}"
        ) from error
    return folder


def _play(emulator: Emulator, policy: Policy, logger: ReplayLogger, steps: Iterable[int]) -> None:
    live = LiveStacks(1, Stacking(STACK_SIZE), FRAME_SHAPE)
    frame = emulator.reset()
    live.start(0, frame)
    episode_steps = 0
    for _ in steps:
        # The policy may keep this copy.
        action = int(actions_of(policy, live.stacks.copy(), emulator.game)[0])
        following, reward, is_game_over = emulator.step(action)
        episode_steps += 1
        terminal = is_game_over or episode_steps == MAX_STEPS
        logger.add(frame, action, reward, terminal)
        if terminal:
            following = emulator.reset()
            live.start(0, following)
            episode_steps = 0
        else:
            live.push(following[np.newaxis])
        frame = following
