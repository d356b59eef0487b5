"""Pictures of prepared datasets: figures, videos, a page. No TensorFlow."""

from tfds_atari_replay.figures.episodes import Episode
from tfds_atari_replay.figures.plots import (
    action_frequencies,
    dqn_curve,
    episode_lengths,
    learning_curve,
    return_distribution,
    returns_over_time,
)
from tfds_atari_replay.figures.summaries import Summary, summarize, summarize_run

__all__ = [
    "Episode",
    "Summary",
    "action_frequencies",
    "dqn_curve",
    "episode_lengths",
    "learning_curve",
    "return_distribution",
    "returns_over_time",
    "summarize",
    "summarize_run",
]
