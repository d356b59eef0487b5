"""The true score, which the picture shows and the logged rewards lack; NumPy only."""

from tfds_atari_replay.scores.reading import read_scores

__all__ = ["read_scores"]
