"""Figures show the numbers of their dataset."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from tfds_atari_replay import figures
from tfds_atari_replay.figures import plots
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.prepared.reading import EPISODE


def make_summary(returns: list[float], **fields: Any) -> figures.Summary:
    """Complete 10-step episodes of checkpoint 1, without scores, unless `fields` say otherwise."""
    episodes = np.zeros(len(returns), EPISODE)
    episodes["episode_id"] = np.arange(len(returns))
    episodes["episode_return"] = returns
    usual = {
        "length": 10,
        "is_complete": True,
        "checkpoint_id": 1,
        "unclipped_return": np.nan,
    }
    for name, values in (usual | fields).items():
        episodes[name] = values
    metadata = {"game": "Breakout", "action_meanings": ["NOOP", "FIRE", "UP"]}
    builder = types.SimpleNamespace(info=types.SimpleNamespace(metadata=metadata))
    places = np.zeros((len(returns), 2), np.int64)
    return figures.Summary(builder, episodes, np.array([2, 1, 5]), places)


def axes_of(figure: Any) -> Any:
    """The figure's axes, untyped: matplotlib types them as base classes, which have less."""
    return figure.axes


def bars(figure: Any) -> dict[float, float]:
    """The height of each bar that has one, by its middle."""
    (axes,) = figure.axes
    return {
        bar.get_x() + bar.get_width() / 2: bar.get_height()
        for bar in axes.patches
        if bar.get_height()
    }


def test_returns_over_time() -> None:
    """A dot is where its episode ends; cut episodes have a different colour."""
    summary = make_summary([3, 1, 2], length=[5, 10, 20], is_complete=[True, False, True])
    (axes,) = axes_of(figures.returns_over_time(summary))
    complete, cut = (dots.get_offsets().tolist() for dots in axes.collections)
    assert complete == [[5, 3], [35, 2]]
    assert cut == [[15, 1]]
    assert not axes.lines


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (1, ["0", "1", "2"]),
        (750, ["0", "200", "400", "600", "800", "1k", "1.2k", "1.4k"]),
        (1_000_000, ["0", "250k", "500k", "750k", "1M", "1.25M", "1.5M", "1.75M", "2M"]),
    ],
)
def test_steps_are_written_in_short(length: int, labels: list[str]) -> None:
    figure = figures.returns_over_time(make_summary([1, 2], length=length))
    figure.draw_without_rendering()
    (axes,) = axes_of(figure)
    low, high = axes.get_xlim()
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    assert [label.get_text() for tick, label in ticks if low <= tick <= high] == labels


def test_the_mean_of_a_hundred_episodes() -> None:
    """It counts complete episodes, and stands where the last of the hundred ends."""
    is_complete = np.arange(103) != 50
    summary = make_summary(list(range(103)), is_complete=is_complete)
    (axes,) = axes_of(figures.returns_over_time(summary))
    (line,) = axes.lines
    returns = np.arange(103)[is_complete]
    expected = [returns[place : place + 100].mean() for place in range(3)]
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert line.get_xdata().tolist() == [1010, 1020, 1030]


def test_return_distribution() -> None:
    """It has a bar for each return of a complete episode."""
    summary = make_summary([-2, 1, 1, 4, 4, 9], is_complete=[True] * 5 + [False])
    assert bars(figures.return_distribution(summary)) == {-2: 1, 1: 2, 4: 2}


def test_a_wide_distribution_has_forty_bars() -> None:
    """Every episode is in one of them."""
    returns = [float(number) for number in range(1000)]
    heights = bars(figures.return_distribution(make_summary(returns)))
    assert len(heights) == 40
    assert set(heights.values()) == {25}


def test_episode_lengths() -> None:
    summary = make_summary([0, 0, 0, 0], length=[7, 9, 9, 8])
    assert bars(figures.episode_lengths(summary)) == {7: 1, 8: 1, 9: 2}


def test_action_frequencies_are_in_percent() -> None:
    (axes,) = axes_of(figures.action_frequencies(make_summary([0])))
    assert [bar.get_width() for bar in axes.patches] == [25, 12.5, 62.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["NOOP", "FIRE", "UP"]


def test_figures_of_nothing_are_empty() -> None:
    summary = make_summary([], length=[])
    for draw in (
        figures.returns_over_time,
        figures.return_distribution,
        figures.episode_lengths,
        figures.action_frequencies,
    ):
        assert draw(summary).axes


def test_learning_curve() -> None:
    """It has the mean of each checkpoint's complete episodes; a repeated checkpoint counts once."""
    late = make_summary([5, 7, 9, 100], checkpoint_id=50, is_complete=[True] * 3 + [False])
    early = make_summary([1, 3, 4], checkpoint_id=[1, 1, 2])
    points = plots.mean_returns([late, early, late])
    found = [(point.checkpoint, point.episodes, point.mean) for point in points]
    assert found == [(1, 2, 2), (2, 1, 4), (50, 3, 7)]
    errors = [point.standard_error for point in points]
    assert errors == pytest.approx([1, np.nan, 2 / 3**0.5], nan_ok=True)
    (axes,) = axes_of(figures.learning_curve([late, early]))
    assert lines(axes) == [[(1, 2), (2, 4)], [(50, 7)], [(2, 4)]]  # a gap; the last: single ones
    assert axes.get_ylabel() == "mean return (clipped)"


def lines(axes: Any) -> list[list[tuple[float, float]]]:
    """The points of each line, except error bars."""
    return [
        [(float(x), float(y)) for x, y in line.get_xydata()]
        for line in axes.lines
        if line.get_marker() == "o"
    ]


def test_a_learning_curve_of_true_returns() -> None:
    """Unknown returns do not count. DQN is drawn too; on the second axis, a human has 100%."""
    early = make_summary([1, 1, 1], unclipped_return=[10, 20, np.nan])
    late = make_summary([1], checkpoint_id=2, unclipped_return=40)
    (axes,) = axes_of(figures.learning_curve([early, late]))
    assert lines(axes) == [[(1, 15), (2, 40)], [(2, 40)]]
    dqn = axes.lines[0]
    assert dqn.get_label() == "DQN, published"
    np.testing.assert_array_equal(dqn.get_ydata(), plots.dqn_curve("breakout"))
    (human,) = axes.child_axes
    to_percent, to_score = human._functions
    assert to_score(100) == pytest.approx(30.5)
    assert to_percent(1.7) == pytest.approx(0)
    mixed = figures.learning_curve([early, make_summary([1], checkpoint_id=2)]).axes[0]
    assert mixed.get_ylabel() == "mean return (clipped)"


def test_dqns_curve() -> None:
    """It ends near the score in the table of games, the mean of the last 10 of 200 iterations."""
    for game in GAMES.values():
        curve = plots.dqn_curve(game.name)
        assert curve.shape == (50,)
        assert abs(curve[-3:].mean() - game.dqn_score) <= 0.08 * abs(game.dqn_score) + 6, game.name


def test_an_svg_takes_the_pages_colour() -> None:
    """Its text is text. The same figure gives the same SVG, without a date."""
    summary = make_summary([1, 2, 3])
    svg = plots.to_svg(figures.return_distribution(summary))
    assert svg.startswith("<svg")
    assert ">return (clipped)</text>" in svg
    assert "#000000" not in svg
    assert "currentColor" in svg
    assert "<g id" not in svg
    assert "metadata" not in svg
    assert svg == plots.to_svg(figures.return_distribution(summary))


def test_many_dots_are_pixels() -> None:
    """As vectors they would take megabytes of a page."""
    svg = plots.to_svg(figures.returns_over_time(make_summary([1.0] * 20_000)))
    assert svg.count("data:image/png") == 1
    assert len(svg) < 200_000
