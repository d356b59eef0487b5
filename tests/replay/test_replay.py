"""Episodes, and replays of some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.datasets import rows
from helpers.replays import make_replay
from helpers.steps import expected_transitions, make_all, make_steps
from helpers.transitions import FIELDS, assert_same, count_transitions, in_batches

from tfds_atari_replay import Replay

SHAPES = [(5, True, True), (70, True, False), (3, False, True), (9, True, True)]


@pytest.fixture(scope="module")
def replay() -> Replay:
    """Four episodes of numbered steps."""
    return make_replay(make_all(SHAPES))


def test_episodes_are_those_of_the_dataset(expert: Any, expert_replay: Replay) -> None:
    expected = rows(expert)
    episodes = expert_replay.episodes
    for name in ("episode_id", "checkpoint_id", "episode_return", "is_complete"):
        assert episodes[name].tolist() == [episode[name].item() for episode in expected]
    logged = [sum(not step["is_terminal"] for step in episode["steps"]) for episode in expected]
    assert episodes["length"].tolist() == logged
    assert episodes["dataset"].tolist() == [0, 0, 0]


def test_episodes_cannot_be_changed_through_a_copy(replay: Replay) -> None:
    replay.episodes["episode_id"][:] = 99
    assert replay.episodes["episode_id"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        ([2, 0], [0, 2]),
        (np.array([3], np.uint8), [3]),
        ([False, True, True, False], [1, 2]),
        (np.array([True] * 4), [0, 1, 2, 3]),
    ],
    ids=["ids", "an id", "mask", "all"],
)
def test_selected_episodes_are_whole(replay: Replay, selection: Any, ids: list[int]) -> None:
    """Their transitions are all there, and no others."""
    selected = replay.select(selection)
    assert selected.episodes["episode_id"].tolist() == ids
    episodes = [make_all(SHAPES)[number] for number in ids]
    expected = [row for steps in episodes for row in expected_transitions(steps, 2, 1, 0.5)]
    source: Any = selected.transitions(stack_size=2, gamma=0.5)
    assert len(source) == len(expected)
    for number, row in enumerate(expected):
        for name, value in zip(FIELDS, row, strict=True):
            np.testing.assert_array_equal(source[number][name], value)


def test_selections_of_selections(replay: Replay) -> None:
    selected = replay.select([1, 2, 3]).select([False, True, True])
    assert selected.episodes["episode_id"].tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"episode ids are unknown: \[1\]"):
        selected.select([1])


def test_protocols_in_one_line(replay: Replay) -> None:
    """Those that the docs list; lengths are 4, 70, 2, 8."""
    episodes = replay.episodes
    returns = episodes["episode_return"]
    top = replay.select(returns >= np.quantile(returns, 0.75))
    assert top.episodes["episode_return"].tolist() == [returns.max()]
    first = replay.select(episodes["length"].cumsum() <= 76)
    assert first.episodes["episode_id"].tolist() == [0, 1, 2]
    rng = np.random.default_rng(0)
    half = replay.select(rng.choice(episodes["episode_id"], len(episodes) // 2, replace=False))
    assert half.episodes["episode_id"].tolist() == sorted(half.episodes["episode_id"])
    assert len(half.episodes) == 2


@pytest.mark.parametrize(("row", "steps"), list(enumerate(make_all(SHAPES))))
def test_an_episode_as_arrays(replay: Replay, row: int, steps: Any) -> None:
    """Its logged steps, without the terminal state."""
    episode: Any = replay.read(row)
    logged = len(steps["action"]) - bool(steps["is_terminal"][-1])
    expected = {name: steps[name][:logged] for name in episode}
    expected["observation"] = expected["observation"][..., 0]
    assert_same(episode, expected)
    assert replay.episodes["length"][row] == logged


def test_reading_selected_episodes_of_several_datasets() -> None:
    """Rows are those of the selection, and actions become ALE's where that was asked for."""
    episodes = make_all(SHAPES)
    become = np.arange(18, dtype=np.uint8)[::-1]
    replay = make_replay(episodes[:2], episodes[2:], actions=[None, become])
    selected = replay.select(np.array([0, 1, 1, 1], bool))
    read = list(selected)
    for episode, steps, number in zip(read, episodes[1:], (0, 1, 1), strict=True):
        length = len(episode["action"])
        frames = steps["observation"][:length, ..., 0]
        np.testing.assert_array_equal(episode["observation"], frames)
        actions = steps["action"][:length]
        np.testing.assert_array_equal(episode["action"], become[actions] if number else actions)
    read[0]["reward"][:] = 9
    np.testing.assert_array_equal(selected.read(0)["reward"], episodes[1]["reward"])


@pytest.mark.parametrize(
    ("row", "error"), [(4, ValueError), (-1, ValueError), (True, TypeError), (0.0, TypeError)]
)
def test_rows_that_there_are_not(replay: Replay, row: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"row must be a whole number, at least 0 and below 4 \(got"):
        replay.read(row)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ([4], r"ids are unknown: \[4\]"),
        ([-1, 0], r"ids are unknown: \[-1\]"),
        ([1, 0, 1], r"ids are repeated: \[1\]"),
        ([True, False], r"mask of the shape \(4,\).*got \(2,\)"),
        ([[True] * 4], r"mask of the shape \(4,\).*got \(1, 4\)"),
        ([0.5], r"Expected episode ids, integers \(N,\), .*got float64 \(1,\)"),
        (0, r"Expected episode ids.*got int64 \(\)"),
        ("all", r"Expected episode ids.*got <U3 \(\)"),
        ([], r"Expected episode ids.*got float64 \(0,\)"),
        (np.zeros(0, np.int64), r"No episode is selected; this replay has 4"),
        ([False] * 4, r"No episode is selected; this replay has 4"),
    ],
)
def test_bad_selections(replay: Replay, selection: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replay.select(selection)


def test_no_transition_at_all() -> None:
    """One step of which neither history nor future is known."""
    source = make_replay([make_steps(1, False, False)]).transitions()
    assert len(source) == 0
    with pytest.raises(IndexError, match="there is no item"):
        source[0]
    assert not count_transitions(in_batches(source))


def test_a_replay_says_what_it_holds(expert_replay: Any) -> None:
    assert len(expert_replay) == 3
    (packed,) = expert_replay.joined.parts
    arrays = [*packed.frames, *packed.scalars.values(), packed.episodes, packed.spans]
    size = sum(array.size * array.dtype.itemsize for array in arrays) / 1e6
    assert repr(expert_replay) == (
        "Replay(atari_replay/breakout_expert_v0: 3 episodes, 1 complete, 1,493 steps, "
        f"{size:.1f} MB)"
    )
    assert len(expert_replay.select([1])) == 1
    assert "1 complete, 729 steps" in repr(expert_replay.select([1]))
    table = expert_replay._repr_html_()
    for what, value in (("games", "Breakout"), ("episodes", "3"), ("steps", "1,493")):
        assert f">{what}</th><td>{value}</td>" in table
    made = make_replay([make_steps(9)])
    assert repr(made).startswith("Replay(made0: 1 episodes, 1 complete, 8 steps, ")
