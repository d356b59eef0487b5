"""`tf.data` in, `tf.data` out: transforms that make windows of frames on the fly."""

from tfds_atari_replay.transforms.frame_stack import frame_stack
from tfds_atari_replay.transforms.transitions import transitions

__all__ = ["frame_stack", "transitions"]
