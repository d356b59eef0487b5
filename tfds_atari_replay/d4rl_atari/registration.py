"""Registers d4rl-atari's ids with gymnasium and gym."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from typing import Any

from tfds_atari_replay import configs

_ENTRY_POINTS = {
    "gymnasium": "tfds_atari_replay.d4rl_atari.env:OfflineAtariEnv",
    "gym": "tfds_atari_replay.d4rl_atari.gym_env:OfflineAtariEnv",
}


def ids() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every id, such as `breakout-mixed-v0`, with the arguments of its environment."""
    for config in configs.every_config():
        if not config.split.is_whole_run:  # whose get_dataset would take 350 GB
            arguments = {"game": config.game.name, "split": config.split.name, "run": config.run}
            yield config.name.replace("_", "-"), arguments


def has_gym() -> bool:
    """Whether gym 0.26 is installed, the last version, with gymnasium's interface."""
    try:
        return importlib.metadata.version("gym").startswith("0.26.")
    except importlib.metadata.PackageNotFoundError:
        return False


def register(package: str) -> None:
    """Registers the ids that are not taken with 'gymnasium' or 'gym'."""
    # Not by `register`, which searches the whole registry at each call: 12 s for 16,200 ids.
    registration = importlib.import_module(f"{package}.envs.registration")
    for name, arguments in ids():
        spec = registration.EnvSpec(
            name,
            entry_point=_ENTRY_POINTS[package],
            kwargs=arguments,
            # No wrappers: gymnasium's would hide get_dataset, and gym's checker fails with NumPy 2.
            # The environment itself refuses a step before the first reset, and truncates episodes.
            order_enforce=False,
            disable_env_checker=True,
        )
        registration.registry.setdefault(name, spec)
