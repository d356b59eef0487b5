"""Random access to transitions and sequences, without TensorFlow."""

from tfds_atari_replay.replay.loading import load_replay
from tfds_atari_replay.replay.order import LocalShuffle
from tfds_atari_replay.replay.replay import Replay

__all__ = ["LocalShuffle", "Replay", "load_replay"]
