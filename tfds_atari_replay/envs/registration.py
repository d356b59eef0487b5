"""Makes d4rl-atari's ids known to gymnasium, and to gym, once these are imported.

Neither is imported for it. If one is imported later, the ids are registered at the end of that
import, so that `gymnasium.make("breakout-mixed-v0")` works in whatever order the imports come.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from tfds_atari_replay.atari_replay import AtariReplay
from tfds_atari_replay.games import GAMES

_ENTRY_POINTS = {
    "gymnasium": "tfds_atari_replay.envs.offline:OfflineAtariEnv",
    "gym": "tfds_atari_replay.envs.gym_env:OfflineAtariEnv",
}


def register_when_imported() -> None:
    """Registers the ids now with the packages that are imported, later with the others."""
    waiting = set()
    for package in _ENTRY_POINTS:
        if package in sys.modules:
            _register(package)
        else:
            waiting.add(package)
    sys.meta_path.insert(0, _Finder(waiting))


def ids() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each id with what it stands for: every game, split, epoch and seed."""
    for config in AtariReplay.BUILDER_CONFIGS:
        rom = GAMES[config.game].rom
        split, version = config.name.removeprefix(f"{rom}_").rsplit("_", 1)
        name = f"{rom}-{split}-{version}".replace("_", "-")
        yield name, {"game": config.game, "run": config.run, "checkpoints": config.checkpoints}


def _register(package: str) -> None:
    # Put into the registry as they are: `register` looks through all of it at each call, which
    # takes 12 s for 16,200 ids.
    registration = importlib.import_module(f"{package}.envs.registration")
    for name, arguments in ids():
        spec = registration.EnvSpec(
            name,
            entry_point=_ENTRY_POINTS[package],
            kwargs=arguments,
            # No wrappers: gymnasium's would hide get_dataset, gym's checker fails with NumPy 2. The
            # environment itself refuses steps before a reset, and cuts episodes.
            order_enforce=False,
            disable_env_checker=True,
        )
        registration.registry.setdefault(name, spec)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself; sees a package being imported, and has it register the ids."""

    def __init__(self, waiting: set[str]):
        self._waiting = waiting

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name not in self._waiting:
            return None
        self._waiting.remove(name)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register(module.__name__)
