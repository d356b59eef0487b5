"""Transitions at random are those of the tf.data lane and of a slow loop over the steps."""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.replays import make_replay
from helpers.steps import (
    UNDECODED,
    assert_equal,
    expected_transitions,
    make_all,
    make_steps,
    unbatched,
)
from helpers.transitions import FIELDS, count_transitions, in_batches
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay import load_replay, transitions
from tfds_atari_replay.fields import REWARDS

LOGS = (
    "breakout_epoch_1_v0",
    *(f"asterix_epoch_{number}_v0" for number in (0, 1, 2)),
    *(f"breakout_epoch_{number}_v0" for number in (0, 10, 49, 50)),
    *(f"breakout_epoch_{number}_v4" for number in (1, 49)),
)
WINDOWS = list(itertools.product((1, 2, 4), (1, 3, 5)))

# Around the ends of blocks, and short.
lengths = st.one_of(st.integers(1, 12), st.integers(62, 66), st.integers(126, 130))
episode_lists = st.lists(st.tuples(lengths, st.booleans(), st.booleans()), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("windows", "config"),
    cases(
        (WINDOWS[4::4], "breakout_epoch_50_v0"),
        slow=[(WINDOWS, config) for config in LOGS[:2]],
        exhaustive=[(WINDOWS, config) for config in LOGS[2:]],
    ),
)
def test_they_are_those_of_the_transform(config: str, windows: Any, tmp_path: pathlib.Path) -> None:
    """As multisets, byte for byte, also of what means nothing after an episode's end."""
    builder = build(config, DUMMY_DATA, tmp_path)
    episodes = builder.as_dataset(split="train", decoders=UNDECODED)
    replay = load_replay(f"atari_replay/{config}", data_dir=tmp_path, download=False)
    for stack_size, n_step in windows:
        window = {"stack_size": stack_size, "n_step": n_step}
        theirs = count_transitions(
            tfds.as_numpy(episodes.apply(transitions(batch_size=256, **window)))
        )
        source = replay.transitions(**window)
        assert count_transitions(in_batches(source)) == theirs, window
        assert len(source) == theirs.total()


@settings(deadline=None)
@given(
    shapes=episode_lists,
    stack_size=st.integers(1, 6),
    n_step=st.sampled_from([1, 1, 2, 3, 5, 20]),
    gamma=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    reward=st.sampled_from(["clipped", "unclipped"]),
)
def test_they_are_those_of_a_slow_loop(
    shapes: Any, stack_size: int, n_step: int, gamma: float, reward: str
) -> None:
    """In the order of episodes and time."""
    episodes = make_all(shapes)
    expected = [
        t
        for steps in episodes
        for t in expected_transitions(steps, stack_size, n_step, gamma, REWARDS[reward])
    ]
    source = make_replay(episodes).transitions(
        stack_size=stack_size, n_step=n_step, gamma=gamma, reward=reward
    )
    assert len(source) == len(expected)
    got = unbatched(source[start : start + 100] for start in range(0, len(source), 100))
    assert_equal(got, expected)


def test_the_rule_is_the_same_in_groups_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are looked at a million at a time; here, a hundred."""
    replay = make_replay(make_all([(70, True, True), (3, False, True), (130, True, False)] * 3))
    whole = count_transitions(in_batches(replay.transitions(n_step=3)))
    monkeypatch.setattr("tfds_atari_replay.replay.items._ITEMS_AT_ONCE", 100)
    monkeypatch.setattr("tfds_atari_replay.replay.transitions._FRAMES_AT_ONCE", 64)
    assert count_transitions(in_batches(replay.transitions(n_step=3))) == whole


@pytest.fixture(scope="module")
def source() -> Any:
    """What there is to index: 150 transitions of numbered steps."""
    return make_replay([make_steps(151)]).transitions()


@pytest.mark.parametrize("n_step", [1, 3])
def test_frames_last(expert_replay: Any, n_step: int) -> None:
    first, last = (expert_replay.transitions(axis=axis, n_step=n_step)[40:60] for axis in (0, -1))
    for name in ("observation", "next_observation"):
        assert last[name].shape == (20, 84, 84, 4)
        np.testing.assert_array_equal(np.moveaxis(first[name], 1, -1), last[name])


def test_state_and_next_state_are_one_window(source: Any) -> None:
    """Together they take five frames, not eight."""
    batch = source[[3, 80, 9]]
    assert np.shares_memory(batch["observation"], batch["next_observation"])
    assert batch["observation"].base is batch["next_observation"].base
    assert batch["observation"].base.size == 3 * 5 * 84 * 84


def test_any_order_any_number_of_times(source: Any) -> None:
    indices = np.random.default_rng(0).integers(len(source), size=1000)
    batch = source[indices]
    in_order = source[np.arange(len(source))]
    for name in FIELDS:
        np.testing.assert_array_equal(batch[name], in_order[name][indices])


def test_batches_do_not_share_memory(source: Any) -> None:
    first = source[[3]]
    before = {name: first[name].copy() for name in FIELDS}
    source[[3]]["observation"][:] = 1
    for name in FIELDS:
        np.testing.assert_array_equal(first[name], before[name])
        np.testing.assert_array_equal(source[[3]][name], before[name])


@pytest.mark.parametrize(("n_step", "most"), [(1, 5), (3, 9)])
def test_bytes_of_a_transition(expert_replay: Any, n_step: int, most: int) -> None:
    """Of memory that is not a file's."""
    source = expert_replay.transitions(n_step=n_step)
    columns = source.arrays.columns
    own = columns.frame.nbytes + columns.shape.nbytes
    own += sum(column.nbytes for column in columns.of_items.values())
    assert own == most * len(source)
    (part,) = expert_replay.joined.parts
    assert set(columns.of_frames) == ({"action"} if n_step > 1 else {"action", "reward"})
    for name, column in columns.of_frames.items():
        assert np.shares_memory(column, part.scalars[name])
