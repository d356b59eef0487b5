"""A paper's table, from evaluations made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfds_atari_replay import GAMES, Evaluation, score_matrices, score_table
from tfds_atari_replay.envs.evaluation import normalize


def evaluation(game: str, *returns: float) -> Evaluation:
    """Makes what `evaluate` returns; an episode lasts ten steps for each point."""
    mean, found = float(np.mean(returns)), GAMES[game]
    return Evaluation(
        game,
        returns,
        tuple(int(10 * score) for score in returns),
        normalize(mean, found.random_score, found.human_score),
        normalize(mean, found.random_score, found.dqn_score),
    )


RESULTS = {
    "cloning": [
        [evaluation("Breakout", 1.7, 30.5), evaluation("Pong", 14.6, 0.0)],
        [evaluation("Pong", -20.7, -20.7), evaluation("Breakout", 59.3, 1.7)],
    ],
    "DQN": [[evaluation("Breakout", 30.5, 30.5), evaluation("Pong", 14.6, 14.6)]],
}
"""Breakout: 1.7 is random play, 30.5 human. Pong: -20.7 and 14.6."""


def test_one_row_per_episode() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(score_table(RESULTS))
    assert len(table) == 12
    first = table.iloc[1].to_dict()
    dqn = first.pop("dqn_normalized")
    assert first == {
        "agent": "cloning",
        "game": "Breakout",
        "run": 0,
        "episode": 1,
        "length": 305,
        "unclipped_return": 30.5,
        "human_normalized": pytest.approx(1),
    }
    assert dqn == pytest.approx((30.5 - 1.7) / (GAMES["Breakout"].dqn_score - 1.7))
    means = table.groupby(["agent", "game", "run"])["unclipped_return"].mean()
    assert means["cloning", "Breakout", 1] == 30.5
    assert means["DQN", "Pong", 0] == 14.6


def test_games_without_published_scores() -> None:
    """The table has NaN; matrices are refused, since their mean would be NaN."""
    results = {"cloning": [[evaluation("Pooyan", 500.0), evaluation("Pong", 14.6)]]}
    normalized = score_table(results)["human_normalized"]
    assert np.isnan(normalized).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"no published scores of Pooyan\. Leave them out"):
        score_matrices(results)


def test_matrices_are_runs_by_games() -> None:
    """A matrix is runs by games, with the games in the order of the first run."""
    matrices = score_matrices(RESULTS)
    cloning = [[0.5, (7.3 + 20.7) / 35.3], [1.0, 0.0]]
    np.testing.assert_allclose(matrices["cloning"], np.array(cloning))
    np.testing.assert_allclose(matrices["DQN"], [[1, 1]])
    dqn = score_matrices(RESULTS, "dqn_normalized")["DQN"][0, 1]
    assert dqn == pytest.approx((14.6 + 20.7) / (GAMES["Pong"].dqn_score + 20.7))


def test_rliable_aggregates_it() -> None:
    """The interquartile mean of 0, 0.5, 0.79 and 1 is the mean of the middle two."""
    metrics: Any = pytest.importorskip("rliable.metrics")
    iqm = metrics.aggregate_iqm(score_matrices(RESULTS)["cloning"])
    assert iqm == pytest.approx((0.5 + 28 / 35.3) / 2)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (
            {"a": [[evaluation("Pong", 1.0)], [evaluation("Breakout", 1.0)]]},
            r"the same games\. Expected Pong; run 1 of 'a' has Breakout",
        ),
        ({"a": [[evaluation("Pong", 1.0)]], "b": [[]]}, "run 0 of 'b' has none"),
        ({"a": [[evaluation("Pong", 1.0)] * 2]}, "run 0 of 'a' has a game twice: Pong, Pong"),
    ],
)
def test_incomplete_results_are_refused(results: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_matrices(results)


@pytest.mark.parametrize("results", [None, [], {"a": 3}, {"a": [3]}, {"a": [["Pong"]]}])
def test_other_results_are_refused(results: Any) -> None:
    with pytest.raises(TypeError, match="results must be a dict: by agent, for each run a list"):
        score_table(results)


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ValueError, match="score must be 'human_normalized' or 'dqn_normalized'"):
        score_matrices(RESULTS, "gamer")


def test_no_results() -> None:
    assert len(score_table({})) == 0
    assert score_matrices({}) == {}
