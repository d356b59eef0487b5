"""Readings and clipped rewards become true rewards, or NaN; never wrong ones."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tfds_atari_replay.scores.facts import FACTS, Facts
from tfds_atari_replay.scores.rewards import (
    Episodes,
    Rewards,
    settled,
    true_rewards,
    true_rewards_of,
)

NAN = np.nan
PLAIN = Facts(("00l",), largest=200, modulus=1000)


def find(
    readings: list[float],
    clipped: list[float],
    facts: Facts = PLAIN,
    *,
    starts_at_reset: bool = True,
) -> Rewards:
    return true_rewards(
        np.array(readings, np.float64),
        np.array(clipped, np.float32),
        facts,
        starts_at_reset=starts_at_reset,
    )


def check(found: Rewards, reward: list[float], total: float) -> None:
    np.testing.assert_array_equal(found.reward, np.array(reward, np.float32))
    np.testing.assert_equal(found.total, total)


def test_the_example_of_the_docstring() -> None:
    found = find([0, 0, NAN, 30, 30, NAN, 110, 110], [0, 1, 0, 0, 1, 1, 0, 0])
    check(found, [0, 30, 0, 0, NAN, NAN, 0, 0], 110)
    assert found[2:] == (1, 2, 0, 0)


def test_the_frame_after_a_change_is_not_used() -> None:
    """It shows a mixture here, which looks like 8."""
    check(find([0, 8, 5, 5], [1, 0, 0, 0]), [5, 0, 0, 0], 5)


def test_frames_that_may_show_an_older_score_are_not_used() -> None:
    """In Qbert these are the first two after a change; they show 8 here, never the score."""
    rewards = np.array([1, 0, 0, 0, 1, 0])
    assert settled(rewards, 1).tolist() == [True, False, True, True, True, False]
    assert settled(rewards, 2).tolist() == [True, False, False, True, True, False]
    slow = PLAIN._replace(lag=2)
    check(find([0, 8, 8, 5], [1, 0, 0, 0], slow), [5, 0, 0, 0], 5)
    check(find([0, 8, 8], [1, 0, 0], slow), [NAN, 0, 0], NAN)


def test_the_last_reward_is_unknown() -> None:
    check(find([0, 0, 0], [0, 0, 1]), [0, 0, NAN], NAN)
    check(find([0, 0, 0], [0, 0, 0]), [0, 0, 0], 0)


def test_rewards_before_a_cut_episode_do_not_count() -> None:
    check(find([70, 70, 70, 95, 95], [0, 1, 0, 0, 0], starts_at_reset=False), [0, 25, 0, 0, 0], 25)
    check(find([NAN, NAN, NAN, 95], [0, 1, 0, 0], starts_at_reset=False), [0, NAN, 0, 0], NAN)


def test_scores_wrap_around() -> None:
    """After 1,000 points the picture shows 0."""
    check(find([980, 980, 980, 10], [0, 1, 0, 0], starts_at_reset=False), [0, 30, 0, 0], 30)


def test_the_sign_excludes_a_reading() -> None:
    """Read as 80, the score would rise without a reward, and then fall."""
    found = find([0, 0, 80, 80, 80, 30, 30], [1, 0, 0, -1, 0, 0, 0])
    assert found.num_contradictions == 0  # +80 and -50 are possible
    found = find([0, 0, 80, 80, 80, 30, 30], [1, 0, 0, 1, 0, 0, 0])
    assert found.num_contradictions == 2
    assert np.isnan(found.reward[[0, 3]]).all()


def test_readings_without_a_reward_between_must_agree() -> None:
    found = find([0, 0, 20, 30, 30], [1, 0, 0, 0, 0])
    assert found.num_contradictions == 1
    check(found, [NAN, 0, 0, 0, 0], NAN)


def test_a_first_score_that_is_not_the_games_start() -> None:
    found = find([50, 50, 60, 60], [0, 1, 0, 0])
    assert found.num_contradictions == 1


def test_several_rewards_of_the_smallest_size() -> None:
    """If rewards are tens, two that sum to 20 are 10 and 10; two that sum to 30 may be either."""
    tens = Facts(("00l",), divisor=10, largest=200, modulus=1000)
    check(find([0, 0, 0, 20], [1, 1, 0, 0], tens), [10, 10, 0, 0], 20)
    check(find([0, 0, 0, 30], [1, 1, 0, 0], tens), [NAN, NAN, 0, 0], 30)


def test_sums_that_may_wrap_around_are_unknown() -> None:
    """Six rewards of at most 200 may be 1,020 or 20, which look the same."""
    found = find([0, 0, NAN, NAN, NAN, NAN, NAN, 20, 20], [1.0] * 6 + [0.0] * 3)
    check(found, [NAN] * 6 + [0] * 3, NAN)
    assert found[2:] == (0, 0, 6, 0)


def test_a_reward_above_the_largest_is_a_contradiction() -> None:
    found = find([0, 0, 300, 300], [1, 0, 0, 0])
    assert found.num_contradictions == 2
    check(found, [NAN, 0, 0, 0], NAN)


def test_a_score_off_the_divisor_is_a_contradiction() -> None:
    tens = Facts(("00l",), divisor=10, largest=200, modulus=1000)
    assert find([0, 0, 15, 15], [1, 0, 0, 0], tens).num_contradictions == 2


def test_clipped_rewards_may_be_the_true_ones() -> None:
    check(find([NAN] * 3, [0, -1, 1], FACTS["pong"]), [0, -1, 1], 0)


def test_a_day_ends_in_enduro() -> None:
    """The cars to pass go from 2 to 0, which is 300 on the next day."""
    found = find([-2, -2, -2, -300, -300, -299, -299], [0, 1, 0, 0, 1, 0, 0], FACTS["enduro"],
                 starts_at_reset=False)  # fmt: skip
    check(found, [0, 2, 0, 0, 1, 0, 0], 3)


@st.composite
def plays(draw: Any) -> tuple[list[float], list[float], Facts]:
    """Draws true rewards, readings with some missing, and facts."""
    length = draw(st.integers(1, 60))
    sizes = st.sampled_from([0, 0, 0, 10, 20, 50, 400, -10, -300])
    rewards = draw(st.lists(sizes, min_size=length, max_size=length))
    modulus = draw(st.sampled_from([None, 1000, 10_000]))
    facts = Facts(("00l",), divisor=10, largest=400, modulus=modulus)
    shown = np.concatenate([[0], np.cumsum(rewards)[:-1]]).astype(float)
    if modulus:
        shown %= modulus
    readings = shown.copy()
    after_change = np.append(False, np.array(rewards[:-1]) != 0)
    for frame in range(length):
        if draw(st.integers(0, 3)) == 0:
            readings[frame] = NAN
        elif after_change[frame]:  # the old one, or anything
            readings[frame] = draw(st.sampled_from([readings[frame], 7, 990]))
    return readings.tolist(), rewards, facts


@pytest.mark.parametrize("starts_at_reset", [True, False])
@given(play=plays())
def test_never_wrong(play: tuple[list[float], list[float], Facts], starts_at_reset: bool) -> None:
    readings, rewards, facts = play
    clipped = np.clip(rewards, -1, 1)
    found = find(readings, clipped.tolist(), facts, starts_at_reset=starts_at_reset)
    is_known = ~np.isnan(found.reward)
    np.testing.assert_array_equal(found.reward[is_known], np.array(rewards)[is_known])
    assert is_known[clipped == 0].all()
    assert np.isnan(found.total) or found.total == sum(rewards)
    assert found.num_contradictions == 0
    counts = found.num_known, found.num_summed, found.num_unknown
    assert sum(counts) == np.count_nonzero(clipped)
    assert found.num_known == is_known[clipped != 0].sum()


@given(data=st.data())
def test_episodes_together_are_as_each_alone(data: Any) -> None:
    """No episode affects the next, whatever the readings."""
    facts = data.draw(st.sampled_from([PLAIN, PLAIN._replace(lag=2), FACTS["pong"]]))
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    episodes = []
    for length in lengths:
        clipped = rng.choice([0, 0, 1, -1], length).astype(np.float32)
        shown = (clipped * 10).cumsum() - clipped * 10
        readings = np.where(rng.random(length) < 0.2, NAN, shown % 1000)
        readings[rng.random(length) < 0.1] = 777
        episodes.append((readings, clipped, bool(rng.integers(2))))
    together = true_rewards_of(
        Episodes(
            np.concatenate([clipped for _, clipped, _ in episodes]),
            np.array(lengths),
            np.array([at_reset for *_, at_reset in episodes]),
        ),
        np.concatenate([readings for readings, *_ in episodes]),
        facts,
    )
    for found, (readings, clipped, at_reset) in zip(together, episodes, strict=True):
        alone = true_rewards(readings, clipped, facts, starts_at_reset=at_reset)
        check(found, alone.reward.tolist(), alone.total)
        assert found[2:] == alone[2:]
