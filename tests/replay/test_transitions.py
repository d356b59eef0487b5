"""Transitions at random are those of the tf.data lane and of a slow loop over the steps."""

from __future__ import annotations

import itertools
import pathlib
import pickle
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.indices import check_bad, check_good, check_iteration
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


def test_any_order_any_number_of_times(source: Any) -> None:
    indices = np.random.default_rng(0).integers(len(source), size=1000)
    batch = source[indices]
    in_order = source[np.arange(len(source))]
    for name in FIELDS:
        np.testing.assert_array_equal(batch[name], in_order[name][indices])


@pytest.mark.parametrize("kind", ["transitions", "sequences"])
def test_indices(kind: str) -> None:
    replay = make_replay([make_steps(201), make_steps(2)])
    source = replay.transitions() if kind == "transitions" else replay.sequences(2)
    check_good(source, source, np.asarray)
    check_bad(source, np.asarray)
    check_iteration(source, source)


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


def test_batches_do_not_share_memory(source: Any) -> None:
    first = source[[3]]
    before = {name: first[name].copy() for name in FIELDS}
    source[[3]]["observation"][:] = 1
    for name in FIELDS:
        np.testing.assert_array_equal(first[name], before[name])
        np.testing.assert_array_equal(source[[3]][name], before[name])


def test_pickled_sources_map_the_same_files(expert_replay: Any) -> None:
    """What is in files is not copied: 41 bytes a transition are, of 200."""
    source = expert_replay.transitions(n_step=3)
    data = pickle.dumps(source)
    assert len(data) < 42 * len(source)
    copy = pickle.loads(data)
    assert count_transitions(in_batches(copy)) == count_transitions(in_batches(source))


def test_sources_without_files_are_pickled_whole(source: Any) -> None:
    copy = pickle.loads(pickle.dumps(source))
    assert count_transitions(in_batches(copy)) == count_transitions(in_batches(source))
