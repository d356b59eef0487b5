"""d4rl-atari's interface: an environment for each checkpoint, with `get_dataset`.

It exists so that code written for d4rl-atari runs on; `tfds.load` gives cleaner data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import downloads, games, replay_logs, sources, unplugged
from tfds_atari_replay.envs.env import STACK_SIZE, AtariEnv

Frames = npt.NDArray[np.uint8]
_INDEX_ARRAYS = (np.ndarray, list)
# Frames (N, 84, 84), actions, rewards, terminals (N,).
_Arrays: TypeAlias = tuple[Frames, npt.NDArray[np.int32], npt.NDArray[np.float32], Frames]


class OfflineAtariEnv(AtariEnv):
    """One game, and the log of one checkpoint of one run of it."""

    def __init__(
        self,
        *,
        game: str,
        run: int,
        checkpoints: tuple[int, ...],
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
            render_mode=render_mode,
        )
        self._log = (games.find_game(game), run, checkpoints)
        self._has_stacks = stack

    def get_dataset(self) -> dict[str, Any]:
        """Reads the log; see `read_dataset`."""
        return read_dataset(*self._log, stack=self._has_stacks)


def read_dataset(
    game: games.Game, run: int, checkpoints: tuple[int, ...], *, stack: bool
) -> dict[str, Any]:
    """Reads a checkpoint's rows as d4rl-atari's get_dataset returns them.

    They are the file's rows in the file's order: a ring buffer, in which time begins at the cursor;
    with the three zero rows before each episode, and, in checkpoint 0, rows that were never
    written. `tfds.load('atari_replay/...')` gives episodes in order, without these. So does a file
    of RL Unplugged, which is read where there is nothing else: its rows are the steps in order.

    Returns:
      observations: uint8 (N, 1, 84, 84); with `stack` a `StackedFrames` of N (4, 84, 84).
      actions: int32 (N,).
      rewards: float32 (N,), clipped to [-1, 1].
      terminals: uint8 (N,).

    Raises:
      FileNotFoundError: no such logs, in no place; the message says where it looked.
      ReplayLogError: a file is damaged.
      OSError: a download failed.
    """
    found = sources.find(
        game,
        run,
        checkpoints,
        manual_dir=None,
        download=lambda urls: downloads.download(downloads.default_manager(), urls),
    )
    downloads.check_dummy_data(found.files)
    with downloads.deleting_if_damaged(found):
        read = _read_unplugged if found.files.layout == "rl_unplugged" else _read_log
        frames, actions, rewards, terminals = read(found.files)
    return {
        "observations": StackedFrames(frames, terminals) if stack else frames[:, np.newaxis],
        "actions": actions,
        "rewards": rewards,
        "terminals": terminals,
    }


def _read_log(files: replay_logs.CheckpointFiles) -> _Arrays:
    checkpoint = replay_logs.open_checkpoint(files)
    frames = replay_logs.read_frames(checkpoint)
    return frames, checkpoint.action, checkpoint.reward, checkpoint.terminal.view(np.uint8)


def _read_unplugged(files: replay_logs.CheckpointFiles) -> _Arrays:
    # Twice: first without unpacking frames, to know how many there are.
    episodes = [(e.action, e.reward, e.ends_in_terminal) for e in unplugged.read_episodes(files)]
    actions, rewards, ended = zip(*episodes, strict=True)
    lengths = np.array([len(action) for action in actions])
    terminals = np.zeros(lengths.sum(), np.uint8)
    # An episode of a terminal state alone, as a checkpoint's first may be, has no row.
    terminals[(lengths.cumsum() - 1)[np.array(ended) & (lengths > 0)]] = 1
    frames = np.empty((len(terminals), *replay_logs.FRAME_SHAPE), np.uint8)
    row = 0
    for episode in unplugged.read_episodes(files):
        stop = row + len(episode.action)
        for piece in episode.frames:
            taken = piece[: stop - row]  # without the terminal state's
            frames[row : row + len(taken)] = taken
            row += len(taken)
    return frames, np.concatenate(actions), np.concatenate(rewards), terminals


class StackedFrames(Sequence[Frames]):
    """N stacks of four frames that share the memory of N frames.

    The stack of a row is the frames of the three rows before it and its own, uint8 (4, 84, 84),
    zeros for those before a terminal or the first row. An integer gives one, without copying but
    for the few with zeros; a slice gives a list of them; an array of k integers, or of booleans,
    gives them joined, uint8 (k, 4, 84, 84).
    """

    def __init__(self, frames: Frames, terminals: npt.NDArray[np.uint8]):
        self._frames = frames
        # How many frames of a row's stack are of its episode, up to four.
        known = np.full(len(frames), STACK_SIZE, np.uint8)
        for later in range(STACK_SIZE - 1, 0, -1):
            after_terminal = np.flatnonzero(terminals[: max(len(frames) - later, 0)]) + later
            known[after_terminal] = later
            if later <= len(frames):
                known[later - 1] = later
        # Bytes and a range, since they are indexed faster than arrays.
        self._known = known.tobytes()
        self._rows = range(len(frames))

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, index: int) -> Frames: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frames]: ...
    @overload
    def __getitem__(self, index: npt.NDArray[Any]) -> Frames: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, _INDEX_ARRAYS):
            return self._join(np.asarray(index))
        row = self._rows[index]  # as lists take it, errors and all
        if isinstance(row, range):
            return [self[number] for number in row]
        known = self._known[row]
        if known == STACK_SIZE:
            return self._frames[row - STACK_SIZE + 1 : row + 1]
        stack = np.zeros((STACK_SIZE, *self._frames.shape[1:]), np.uint8)
        stack[STACK_SIZE - known :] = self._frames[row - known + 1 : row + 1]
        return stack

    def __iter__(self) -> Iterator[Frames]:
        return (self[row] for row in range(len(self)))

    def _join(self, index: npt.NDArray[Any]) -> Frames:
        if index.dtype == np.bool_:
            if index.shape != (len(self),):
                raise IndexError(f"a mask must have the shape ({len(self)},), got {index.shape}")
            index = np.flatnonzero(index)
        if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
            raise IndexError(
                f"an index array must be integers (k,) or booleans, got {index.dtype} {index.shape}"
            )
        rows = np.where(index < 0, index + len(self), index)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"an index is out of range for {len(self)} stacks")
        stacks = np.empty((len(rows), STACK_SIZE, *self._frames.shape[1:]), np.uint8)
        for number, row in enumerate(rows.tolist()):
            stacks[number] = self[row]
        return stacks
