"""The builder's configs, each made when it is asked for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import tensorflow_datasets as tfds

from tfds_atari_replay import configs


@dataclasses.dataclass
class AtariReplayConfig(tfds.core.BuilderConfig):
    """One checkpoint of one run of one game, or the whole run.

    Attributes:
      game: as in `GAMES`.
      run: 1 to 5; `v0` in a config's name is run 1.
      checkpoints: the checkpoint's number; of several, the first that exists.
      is_whole_run: whether it is all checkpoints that exist, joined.
    """

    game: str = ""
    run: int = 1
    checkpoints: tuple[int, ...] = ()
    is_whole_run: bool = False


@functools.cache
def all_configs() -> list[AtariReplayConfig]:
    """Returns TFDS's `BUILDER_CONFIGS`: 60 games, 55 splits, 5 seeds, which takes 0.1 s."""
    return [_config(config) for config in configs.every_config()]


class ConfigsByName(Mapping[str, AtariReplayConfig]):
    """TFDS's `builder_configs`, by name. Looking one up makes that one, not all 16,500."""

    def __getitem__(self, name: str) -> AtariReplayConfig:
        config = configs.find_config(name)
        if config is None:
            raise KeyError(name)
        return _config(config)

    def __iter__(self) -> Iterator[str]:
        return (config.name for config in configs.every_config())

    def __len__(self) -> int:
        return len(all_configs())


@functools.cache
def _config(config: configs.Config) -> AtariReplayConfig:
    return AtariReplayConfig(
        name=config.name,
        description=f"{config}.",
        game=config.game.name,
        run=config.run,
        checkpoints=config.split.numbers,
        is_whole_run=config.split.is_whole_run,
    )
