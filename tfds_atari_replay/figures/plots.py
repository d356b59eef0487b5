"""Figures of summaries, as matplotlib's `Figure` and as SVG."""

from __future__ import annotations

import io
import itertools
import json
import pathlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import _extras
from tfds_atari_replay.figures.summaries import Summary
from tfds_atari_replay.games import GAMES, find_game

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACCENT, _SECOND = "#3987e5", "#d9822b"  # readable on white and on black
# More dots are stored as pixels, since each dot takes a hundred bytes.
_MAX_DOTS = 1000
_MAX_BINS = 40
_WINDOW = 100
_LABELS = {
    "unclipped_return": "return (unclipped)",
    "episode_return": "return (clipped)",
    "length": "logged steps",
}


class Point(NamedTuple):
    """A point of a learning curve.

    Attributes:
      checkpoint: its number.
      episodes: number of its complete episodes of known return.
      mean: of their returns.
      standard_error: of the mean; NaN for a single episode.
    """

    checkpoint: int
    episodes: int
    mean: float
    standard_error: float


def returns_over_time(summary: Summary) -> Figure:
    """Draws each episode's return over the steps logged so far, and the mean of the last 100."""
    figure, axes = _new_figure("steps so far", _LABELS[summary.return_field])
    from matplotlib.ticker import EngFormatter

    ends = summary.episodes["length"].cumsum()
    is_known = ~np.isnan(summary.episodes[summary.return_field])
    episodes, ends = summary.episodes[is_known], ends[is_known]
    complete, returns = episodes["is_complete"], episodes[summary.return_field]
    are_many = len(episodes) > _MAX_DOTS
    for label, chosen, color in (("complete", complete, _ACCENT), ("cut", ~complete, _SECOND)):
        if chosen.any():
            axes.scatter(
                ends[chosen],
                returns[chosen],
                4 if are_many else 16,
                color=color,
                alpha=0.6,
                label=label,
                rasterized=are_many,
            )
    if complete.sum() > _WINDOW:
        mean = np.convolve(returns[complete], np.full(_WINDOW, 1 / _WINDOW), "valid")
        # More points than pixels make the line no better.
        thin = slice(None, None, -(-len(mean) // _MAX_DOTS))
        axes.plot(ends[complete][_WINDOW - 1 :][thin], mean[thin], "k", label=f"mean of {_WINDOW}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 250k, 1.5M
    axes.set_xlim(left=0)
    axes.locator_params("x", integer=True)
    _add_human_axis(axes, summary)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False
    )
    return figure


def return_distribution(summary: Summary) -> Figure:
    """Draws a histogram of returns over `summary.ranked`."""
    return _histogram(summary, summary.return_field)


def episode_lengths(summary: Summary) -> Figure:
    """Draws a histogram of lengths over `summary.ranked`."""
    return _histogram(summary, "length")


def action_frequencies(summary: Summary) -> Figure:
    """Draws each action's share of the steps, in percent."""
    counts, names = summary.action_counts, summary.metadata["action_meanings"]
    figure, axes = _new_figure("share of steps, %", "", height=max(2.7, 0.2 * len(names) + 0.8))
    bars = axes.barh(names, 100 * counts / max(counts.sum(), 1), color=_ACCENT)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def learning_curve(summaries: Sequence[Summary]) -> Figure:
    """Draws the mean return of each checkpoint's complete episodes, with its standard error.

    An empty circle is a checkpoint with a single such episode. If returns are true ones, Dopamine's
    DQN is drawn behind them (`dqn_curve`).
    """
    points, field = mean_returns(summaries), return_field(summaries)
    figure, axes = _new_figure("checkpoint", f"mean {_LABELS[field]}")
    if field == "unclipped_return":
        axes.plot(dqn_curve(summaries[0].metadata["game"]), color="#999999", label="DQN, published")
        _add_human_axis(axes, summaries[0])
    # Missing checkpoints leave a gap.
    breaks = [n for n, (a, b) in enumerate(itertools.pairwise(points), 1) if b[0] > a[0] + 1]
    for part in np.split(np.array(points, np.float64).reshape(-1, 4), breaks):
        x, _, y, error = part.T
        axes.errorbar(x, y, error, fmt="o-", color=_ACCENT, capsize=3, markersize=4)
    single = [(point.checkpoint, point.mean) for point in points if point.episodes == 1]
    x, y = np.array(single).reshape(-1, 2).T
    # Above errorbar's line.
    axes.plot(x, y, "o", color=_ACCENT, markerfacecolor="white", markersize=4, zorder=3)
    axes.locator_params("x", integer=True)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    return figure


def dqn_curve(game: str) -> npt.NDArray[np.float64]:
    """Returns DQN's published scores while it learned a game, by checkpoint.

    These are mean unclipped returns of training episodes over five runs: not the runs of the logs,
    but with the same software and settings (google/dopamine, baselines/atari/data).

    Args:
      game: any spelling of its name.

    Returns:
      float64 (50,).
    """
    text = pathlib.Path(__file__).with_name("dqn_curves.json").read_text()
    return np.array(json.loads(text)["games"][find_game(game).name])


def mean_returns(summaries: Sequence[Summary]) -> list[Point]:
    """Returns the points of the learning curve, one for each checkpoint with complete episodes.

    Returns are true ones if at least half of each dataset's episodes have one; the other episodes
    then do not count.
    """
    field = return_field(summaries)
    returns: dict[int, npt.NDArray[np.float64]] = {}
    for summary in summaries:
        complete = summary.complete[~np.isnan(summary.complete[field])]
        for checkpoint in np.unique(complete["checkpoint_id"]).tolist():
            chosen = complete["checkpoint_id"] == checkpoint
            # Two configs may be of one checkpoint, as expert and epoch_50 are.
            returns[checkpoint] = complete[field][chosen].astype(np.float64)
    return [
        Point(
            checkpoint,
            len(values),
            float(values.mean()),
            float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else np.nan,
        )
        for checkpoint, values in sorted(returns.items())
    ]


def return_field(summaries: Sequence[Summary]) -> str:
    """Returns the field by which episodes of all these datasets compare; see `Summary`."""
    fields = {summary.return_field for summary in summaries}
    return fields.pop() if len(fields) == 1 else "episode_return"


def to_svg(figure: Figure) -> str:
    """Renders a figure as inline SVG; black becomes the page's text colour."""
    import matplotlib

    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text, in the page's font. A fixed salt gives the same data the same page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "atari-replay"}):
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    _, start, svg = file.getvalue().partition("<svg")
    # Groups have the same ids in every figure, and nothing refers to them.
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    return start + svg.replace("#000000", "currentColor")


def _histogram(summary: Summary, field: str) -> Figure:
    figure, axes = _new_figure(_LABELS[field], "episodes")
    values = summary.ranked[field]
    if len(values):
        low, high = int(np.floor(values.min())), int(np.ceil(values.max()))
        width = -(-(high - low + 1) // _MAX_BINS)
        # Whole numbers, so each stands in the middle of a bar.
        axes.hist(values, np.arange(low, high + width + 1, width) - 0.5, color=_ACCENT)
        margin = max(width, 5 - (high - low) // 2)
        axes.set_xlim(low - margin, high + margin)
    axes.locator_params(integer=True)
    return figure


def _add_human_axis(axes: Any, summary: Summary) -> None:
    """Adds an axis in percent of a human's score, with random play at 0, if both are known."""
    game = GAMES[summary.metadata["game"]]
    low, high = game.random_score, game.human_score
    if summary.return_field != "unclipped_return" or low is None or high is None:
        return
    size = (high - low) / 100
    functions = (lambda score: (score - low) / size, lambda share: share * size + low)
    axes.secondary_yaxis("right", functions=functions).set_ylabel("human-normalised, %")
    axes.spines["right"].set_visible(True)


def _new_figure(x_label: str, y_label: str, height: float = 2.7) -> tuple[Figure, Any]:
    with _extras.required_for("A figure", "preview"):
        from matplotlib.figure import Figure
    # pyplot would keep the figure, and needs a backend.
    figure = Figure(figsize=(4.9, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
