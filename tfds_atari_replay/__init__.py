"""The DQN Replay logs of 60 Atari games as a TFDS dataset.

Importing registers `atari_replay` and its collections. Random access is imported on first use.
"""

import typing

from tfds_atari_replay import _interrupts as _interrupts  # before what takes seconds
from tfds_atari_replay.atari_replay import AtariReplay
from tfds_atari_replay.building.collections import SUITES, load_collection
from tfds_atari_replay.building.configs import AtariReplayConfig
from tfds_atari_replay.envs import make_env
from tfds_atari_replay.envs.evaluation import Evaluation, evaluate
from tfds_atari_replay.envs.tables import score_matrices, score_table
from tfds_atari_replay.games import GAMES, find_game
from tfds_atari_replay.logs.errors import ReplayLogError
from tfds_atari_replay.logs.writer import ReplayLogger
from tfds_atari_replay.scores import read_scores
from tfds_atari_replay.transforms import frame_stack, transitions

if typing.TYPE_CHECKING:
    from tfds_atari_replay.replay import LocalShuffle, Replay, load_replay

__version__ = "0.1.0"

__all__ = [
    "GAMES",
    "SUITES",
    "AtariReplay",
    "AtariReplayConfig",
    "Evaluation",
    "LocalShuffle",
    "Replay",
    "ReplayLogError",
    "ReplayLogger",
    "evaluate",
    "find_game",
    "frame_stack",
    "load_collection",
    "load_replay",
    "make_env",
    "read_scores",
    "score_matrices",
    "score_table",
    "transitions",
]


def __getattr__(name: str) -> typing.Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tfds_atari_replay import replay

    return getattr(replay, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
