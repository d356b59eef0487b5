"""Scores of several agents, in several games and runs, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.envs.evaluation import Evaluation, normalize
from tfds_atari_replay.games import GAMES

Results = Mapping[str, Sequence[Sequence[Evaluation]]]
"""By agent: for each run (each training seed), one evaluation per game."""

SCORES = ("human_normalized", "dqn_normalized")


def score_table(results: Results) -> npt.NDArray[Any]:
    """Returns a tidy table of scores, one row per episode.

    `pandas.DataFrame(score_table(results))` turns it into a data frame.

    Example:
      ```python
      def stay(observations):
          return [0] * len(observations)

      games = ("breakout", "pong")
      runs = [[evaluate(stay, game, episodes=2, max_steps=50) for game in games] for _ in range(2)]
      results = {"staying": runs}
      table = score_table(results)
      scores = score_matrices(results, "human_normalized")  # {"staying": (2 runs, 2 games)}
      ```

    Args:
      results: by agent, for each of its runs the evaluations of all games:
        `{"DQN": [[evaluate(agent, game) for game in games] for agent in agents]}`.

    Returns:
      A structured array (N,) with the fields `agent` and `game`, strings; `run` and `episode`,
      int64, from 0; `length`, int64, steps; `unclipped_return`, `human_normalized` and
      `dqn_normalized`, float64, the last two NaN for games without published scores.

    Raises:
      TypeError: `results` is not of this form.
      ValueError: a run has a game twice.
    """
    _games_of(results)
    rows = []
    for agent, runs in results.items():
        for run, evaluations in enumerate(runs):
            for evaluation in evaluations:
                game = GAMES[evaluation.game]
                for episode, (score, length) in enumerate(
                    zip(evaluation.returns, evaluation.lengths, strict=True)
                ):
                    human = normalize(score, game.random_score, game.human_score)
                    dqn = normalize(score, game.random_score, game.dqn_score)
                    rows.append((agent, game.name, run, episode, length, score, human, dqn))
    names = [row[0] for row in rows] or [""]
    dtype = [
        ("agent", f"U{max(map(len, names))}"),
        ("game", f"U{max(map(len, GAMES))}"),
        *((name, np.int64) for name in ("run", "episode", "length")),
        *((name, np.float64) for name in ("unclipped_return", *SCORES)),
    ]
    return np.array(rows, dtype)  # None becomes NaN


def score_matrices(
    results: Results, score: str = "human_normalized"
) -> dict[str, npt.NDArray[np.float64]]:
    """Returns the mean score of each run in each game, in rliable's form.

    Args:
      results: as for `score_table`.
      score: "human_normalized" or "dqn_normalized".

    Returns:
      By agent, float64 (runs, games), with the games in the order of the first run.

    Raises:
      TypeError: `results` is not of this form.
      ValueError: runs differ in their games, a game has no published scores, or `score` is unknown.
    """
    check_choice("score", score, SCORES)
    games = _games_of(results)
    names = next(iter(games.values()), [])
    for where, found in games.items():
        if sorted(found) != sorted(names):
            raise ValueError(
                f"Every run must have the same games. Expected {', '.join(names)}; {where} has "
                f"{', '.join(found) or 'none'}."
            )
    unknown = [name for name in names if GAMES[name].human_score is None]
    if unknown:
        raise ValueError(f"There are no published scores of {', '.join(unknown)}. Leave them out.")
    matrices = {}
    for agent, runs in results.items():
        by_game = [{one.game: getattr(one, score) for one in run} for run in runs]
        matrices[agent] = np.array([[scores[name] for name in names] for scores in by_game])
    return matrices


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) else [value]


def _games_of(results: Results) -> dict[str, list[str]]:
    """Checks results; returns the games of each run."""
    if not isinstance(results, Mapping) or not all(
        isinstance(evaluation, Evaluation)
        for runs in results.values()
        for run in _listed(runs)
        for evaluation in _listed(run)
    ):
        raise TypeError(
            "results must be a dict: by agent, for each run a list of what `evaluate` returns, as "
            "{'DQN': [[evaluate(agent, game) for game in games] for agent in agents]}"
        )
    games = {
        f"run {number} of {agent!r}": [evaluation.game for evaluation in run]
        for agent, runs in results.items()
        for number, run in enumerate(runs)
    }
    for where, found in games.items():
        if len(set(found)) < len(found):
            raise ValueError(f"{where} has a game twice: {', '.join(found)}.")
    return games
