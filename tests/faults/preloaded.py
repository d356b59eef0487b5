"""Imported once, by the process from which jobs are forked."""

import ale_py
import tensorflow
import tensorflow_datasets
from tensorflow_datasets.scripts.cli import main

import tfds_atari_replay
from tfds_atari_replay.cli import main as cli
from tfds_atari_replay.envs import recording
from tfds_atari_replay.logs import inspection

__all__ = [
    "ale_py",
    "cli",
    "inspection",
    "main",
    "recording",
    "tensorflow",
    "tensorflow_datasets",
    "tfds_atari_replay",
]
