"""Sequences are what a slow loop over the steps makes."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.replays import make_replay
from helpers.steps import Steps, make_all, make_steps, stack_at
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay.fields import REWARDS

lengths = st.one_of(st.integers(1, 12), st.integers(62, 66))
episode_lists = st.lists(st.tuples(lengths, st.booleans(), st.booleans()), min_size=1, max_size=4)


def expected_sequences(
    steps: Steps, length: int, stack_size: int, reward: str = "reward"
) -> list[dict[str, Any]]:
    """The sequences of an episode, field by field and step by step."""
    ended = bool(steps["is_terminal"][-1])
    count = len(steps["action"]) - ended
    at_reset = bool(steps["is_first"][0])
    found = []
    for start in range(0 if at_reset else stack_size - 1, count):
        taken = range(start, min(start + length, count))
        padding = length - len(taken)
        rest = [float(steps[reward][step:count].sum()) for step in taken]
        zeros = np.zeros((padding, stack_size, 84, 84), np.uint8)
        stacks = np.stack([stack_at(steps, step, stack_size) for step in taken])
        found.append(
            {
                "observation": np.concatenate([zeros, stacks]),
                "action": [0] * padding + [steps["action"][step] for step in taken],
                "reward": [0] * padding + [steps[reward][step] for step in taken],
                "return_to_go": [0] * padding + (rest if ended else [np.nan] * len(taken)),
                "timestep": [0] * padding + (list(taken) if at_reset else [-1] * len(taken)),
                "mask": [False] * padding + [True] * len(taken),
            }
        )
    return found


@settings(deadline=None)
@given(
    shapes=episode_lists,
    length=st.integers(1, 20),
    stack_size=st.integers(1, 5),
    reward=st.sampled_from(["clipped", "unclipped"]),
)
def test_they_are_those_of_a_slow_loop(
    shapes: Any, length: int, stack_size: int, reward: str
) -> None:
    """In order: every step starts one, none reaches over an episode's border."""
    episodes = make_all(shapes)
    expected = [
        s
        for steps in episodes
        for s in expected_sequences(steps, length, stack_size, REWARDS[reward])
    ]
    source = make_replay(episodes).sequences(length, stack_size=stack_size, reward=reward)
    assert len(source) == len(expected)
    if not expected:
        return
    batch: Any = source[:]
    for row, sequence in enumerate(expected):
        for name, values in sequence.items():
            np.testing.assert_array_equal(batch[name][row], values, err_msg=name)


def test_one_in_full() -> None:
    """The last sequence of three steps, of an episode with rewards -3 -2 -1 0 and a terminal."""
    source = make_replay([make_steps(5)]).sequences(3, stack_size=1)
    item: Any = source[0]
    dtypes = {name: array.dtype for name, array in item.items()}
    assert dtypes == {
        "observation": np.uint8,
        "action": np.int64,
        "reward": np.float32,
        "return_to_go": np.float32,
        "timestep": np.int64,
        "mask": np.bool_,
    }
    one = source[2]
    assert one["action"].tolist() == [0, 2, 3]
    assert one["reward"].tolist() == [0, -1, 0]
    assert one["return_to_go"].tolist() == [0, -1, 0]
    assert one["timestep"].tolist() == [0, 2, 3]
    assert one["mask"].tolist() == [False, True, True]
    assert one["observation"][:, 0, 0, 0].tolist() == [0, 3, 4]


def test_frames_last() -> None:
    replay = make_replay([make_steps(30)])
    first, last = (replay.sequences(5, axis=axis)[3:9]["observation"] for axis in (0, -1))
    assert last.shape == (6, 5, 84, 84, 4)
    np.testing.assert_array_equal(np.moveaxis(first, 2, -1), last)


def test_bytes_of_a_sequence(expert_replay: Any) -> None:
    source = expert_replay.sequences(30)
    columns = source.arrays.columns
    per_item = columns.frame.nbytes + columns.size.nbytes + columns.back.nbytes
    assert per_item == 6 * len(source)
    (part,) = expert_replay.joined.parts
    assert columns.return_to_go.nbytes == 4 * len(part.frames.index)
