"""True scores: frames show them, the logged rewards do not. Needs NumPy only."""

from tfds_atari_replay.scores.reading import read_scores

__all__ = ["read_scores"]
