"""TFDS dataset collections: one split of every game, or of the games that a paper chose.

`tfds.dataset_collection("atari_replay_expert")` is all 60 games, `atari_replay_expert4`, `5`, `26`,
`41` and `46` the selections of `SUITES`; likewise `mixed`, `medium` and `full`. All are of run 1.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds

from tfds_atari_replay import _tfds
from tfds_atari_replay.arguments import check_choice, check_text
from tfds_atari_replay.configs import SPLITS, Config, Split
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.locking import UNWRITABLE
from tfds_atari_replay.prepared import opening

_HELD_OUT = ("Alien", "MsPacman", "Pong", "SpaceInvaders", "StarGunner")

_UNPLUGGED = tuple(name for name, game in GAMES.items() if game.unplugged_shards)

SUITES: Mapping[int, tuple[str, ...]] = {
    # Chen et al. (2021), Decision Transformer, table 2.
    4: ("Breakout", "Qbert", "Pong", "Seaquest"),
    # Agarwal et al. (2020), section 5.1, and Kumar et al. (2020), CQL, table 3.
    5: ("Asterix", "Breakout", "Pong", "Qbert", "Seaquest"),
    # Kaiser et al. (2020), SimPLe: the games of the Atari 100k benchmark.
    26: (
        *("Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing", "Breakout"),
        *("ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway", "Frostbite", "Gopher"),
        *("Hero", "Jamesbond", "Kangaroo", "Krull", "KungFuMaster", "MsPacman", "Pong"),
        *("PrivateEye", "Qbert", "RoadRunner", "Seaquest", "UpNDown"),
    ),
    # Lee et al. (2022), Multi-Game Decision Transformers: the 46 games of RL Unplugged, less five
    # held-out ones.
    41: tuple(name for name in _UNPLUGGED if name not in _HELD_OUT),
    46: _UNPLUGGED,
    60: tuple(GAMES),
}
"""The games that papers chose, by their number: names as in `GAMES`."""

_VERSION = "1.0.0"

_logger = logging.getLogger(__name__)


class _Suite(_tfds.DatasetCollection, skip_registration=True):  # type: ignore[call-arg]
    """One split of some games, of run 1; subclasses say which."""

    split: Split
    games: tuple[str, ...]

    @property
    def info(self) -> Any:
        what = "the whole run" if self.split.is_whole_run else f"{self.split.name} checkpoint"
        return _tfds.DatasetCollectionInfo(
            name=type(self).name,
            description=f"DQN Replay: {what} of run 1 of {len(self.games)} Atari games.",
            release_notes={_VERSION: "First release."},
        )

    @property
    def datasets(self) -> Mapping[str, Mapping[str, Any]]:
        configs = [Config(GAMES[name], self.split, 1) for name in self.games]
        return {
            _VERSION: _tfds.references_for(
                {config.game.rom: f"atari_replay/{config.name}" for config in configs}
            )
        }


def _register(split: Split, games: tuple[str, ...]) -> None:
    """Registers a collection with TFDS, which defining a subclass does."""
    size = len(games) if len(games) < len(GAMES) else ""
    name = f"AtariReplay{split.name.title()}{size}"
    type(name, (_Suite,), {"split": split, "games": games, "__module__": __name__})


for split_name in ("mixed", "medium", "expert", "full"):
    for suite in SUITES.values():
        _register(SPLITS[split_name], suite)


def load_collection(
    name: str, *, missing: str = "raise", download: bool = True, **kwargs: Any
) -> dict[str, Any]:
    """Loads all datasets of a collection; unlike TFDS's loader, it continues after a missing one.

    Example:
      ```python
      games = tfds_atari_replay.load_collection(
          "atari_replay_expert26", missing="skip", download=False, split="train"
      )
      games["breakout"]  # a tf.data.Dataset
      ```

    Args:
      name: of the collection, such as `atari_replay_expert26`.
      missing: what to do about games that are not prepared and cannot be, because there are no logs
        or the folder is read-only: `raise` after preparing all others, or `skip` with a warning.
        Both name the games.
      download: as for `tfds.load`, whether to prepare what is not prepared.
      **kwargs: for `tfds.load`, such as `split`, `data_dir` and `download_and_prepare_kwargs`.

    Returns:
      What `tfds.load` returns, by game.

    Raises:
      FileNotFoundError: some games are missing, or with `skip`, all of them.
      TypeError: the name or `missing` is not a string.
      ValueError: there is no such collection, `missing` is neither, or a prepared dataset is
        incomplete or damaged.
    """
    check_text("name", name)
    check_choice("missing", missing, ("raise", "skip"))
    loaded: dict[str, Any] = {}
    errors: dict[str, OSError] = {}
    for game, reference in tfds.dataset_collection(name).datasets.items():
        found = _load(reference.tfds_name(), download=download, **kwargs)
        if isinstance(found, OSError):
            errors[game] = found
        else:
            loaded[game] = found
    if errors:
        what = "no logs of" if download else "nothing prepared of"
        message = f"{name}: {what} {', '.join(errors)}"
        if missing == "raise" or not loaded:
            first = next(iter(errors.values()))
            raise FileNotFoundError(f"{message}. The first: {first}") from first
        _logger.warning("%s. Left out.", message)
    return loaded


def _load(name: str, *, download: bool, **kwargs: Any) -> Any:
    try:
        if not download:
            builder_kwargs = kwargs.get("builder_kwargs") or {}
            opening.check_prepared(
                tfds.builder(name, data_dir=kwargs.get("data_dir"), **builder_kwargs)
            )
        return tfds.load(name, download=download, **kwargs)
    except OSError as error:
        if isinstance(error, FileNotFoundError) or error.errno in UNWRITABLE:
            return error
        raise
