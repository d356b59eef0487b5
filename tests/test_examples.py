"""The examples run, at a small size; `make examples` runs them in full."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import record_improving
from helpers.datasets import ROOT
from helpers.examples import run_example

from tfds_atari_replay.logs import inspection


def breakout_with(ball_row: int, ball_column: int, paddle_column: int) -> Any:
    """A stack in which the ball and the paddle do not move, uint8 (4, 84, 84)."""
    stack = np.zeros((4, 84, 84), np.uint8)
    stack[:, ball_row : ball_row + 2, ball_column] = 110
    stack[:, 75:78, paddle_column - 4 : paddle_column + 5] = 110
    return stack


@pytest.mark.parametrize(
    ("ball_row", "ball_column", "action"), [(60, 60, 2), (60, 20, 3), (60, 40, 0), (10, 40, 1)]
)
def test_the_scripted_player_of_breakout(ball_row: int, ball_column: int, action: int) -> None:
    """It goes right (2) or left (3) to the ball, stays (0) below it, and serves (1) without one."""
    stack = breakout_with(ball_row, ball_column, paddle_column=40)
    assert record_improving.play_breakout(stack) == action


@pytest.mark.parametrize(("ball_row", "action"), [(20, 2), (70, 3), (44, 0)])
def test_the_scripted_player_of_pong(ball_row: int, action: int) -> None:
    """It goes up (2) or down (3) to the ball, and stays (0) where it is level with it."""
    stack = np.full((4, 84, 84), 87, np.uint8)
    stack[:, ball_row : ball_row + 2, 40] = 236
    stack[:, 40:50, 73:76] = 147
    assert record_improving.play_pong(stack) == action


def test_the_player_improves() -> None:
    """Its share of random actions falls from all to one in twenty."""
    player = record_improving.ImprovingPlayer(lambda _: 9, num_actions=4, steps=20_000, seed=0)
    actions = np.concatenate([player(np.zeros((1, 4, 84, 84), np.uint8)) for _ in range(20_000)])
    is_random = (actions != 9).reshape(10, 2000).mean(axis=1)
    np.testing.assert_allclose(is_random, 1 - 0.95 * (np.arange(10) + 0.5) / 10, atol=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("game", record_improving.PLAYERS)
def test_records_eleven_checkpoints(game: str, tmp_path: pathlib.Path) -> None:
    record_improving.main([game, f"--out={tmp_path}", "--capacity=200"])
    reports = inspection.inspect(tmp_path, deep=True)
    assert [report.checkpoint for report in reports] == list(range(11))
    assert all(report.is_usable for report in reports)


@pytest.mark.slow
@pytest.mark.parametrize("example", ["behaviour_cloning", "dqn"])
def test_examples_in_tensorflow(example: str, expert: Any, tmp_path: pathlib.Path) -> None:
    run_example(example, expert.data_path.parents[2], tmp_path)


@pytest.mark.slow
def test_examples_in_jax(expert: Any, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("jax")
    run_example("dqn_jax", expert.data_path.parents[2], tmp_path)


@pytest.mark.slow
def test_a_papers_table(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The script records, trains, and writes a row for every episode and a picture."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("rliable")
    import paper_table

    sizes = {"capacity": 300, "steps": 2, "episodes": 2, "max_steps": 40, "runs": 2}
    paper_table.main([f"--out={tmp_path}", *(f"--{name}={value}" for name, value in sizes.items())])
    table = pd.read_csv(tmp_path / "scores.csv")
    assert len(table) == 2 * 2 * 2 * 2  # checkpoints, games, runs, episodes
    assert set(table["game"]) == {"Breakout", "Pong"}
    assert (table["length"] == 40).all()
    printed = capsys.readouterr().out
    assert "clone of checkpoint 9: IQM " in printed
    assert (tmp_path / "scores.png").stat().st_size > 5000


def test_examples_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in ROOT.glob("examples/*.py")}
    assert len(lengths) == 11
    assert not {path.name: length for path, length in lengths.items() if length >= 120}
