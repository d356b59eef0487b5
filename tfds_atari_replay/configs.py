"""Config names and what they stand for: `breakout_expert_v0` is Breakout, run 1, checkpoint 50."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tfds_atari_replay.games import GAMES, Game, find_game


class Split(NamedTuple):
    """Which checkpoints of a run a config has.

    Attributes:
      name: in a config's name.
      numbers: of checkpoints.
      take: `first` for the first of these that exists, `all` for all that exist; `last` is `first`,
        but means the run's last checkpoint, whatever number a layout gives it.
    """

    name: str
    numbers: tuple[int, ...]
    take: Literal["first", "last", "all"] = "first"

    @property
    def is_whole_run(self) -> bool:
        """Whether it is all checkpoints of a run, joined."""
        return self.take == "all"

    def __str__(self) -> str:
        """The numbers, for people."""
        if self.is_whole_run:
            return f"{self.numbers[0]} to {self.numbers[-1]}"
        return " or ".join(map(str, self.numbers))


SPLITS: dict[str, Split] = {
    split.name: split
    for split in (
        Split("mixed", (1,)),
        Split("medium", (10,)),
        Split("expert", (50, 49), "last"),  # 49 where a lap ended inside an episode's padding
        *(Split(f"epoch_{number}", (number,)) for number in range(51)),
        Split("full", tuple(range(51)), "all"),
    )
}
"""By name. The names are d4rl-atari's, except `epoch_0` and `full`."""

RUNS = (1, 2, 3, 4, 5)


class Config(NamedTuple):
    """What a config stands for.

    Attributes:
      game: the game played.
      split: which checkpoints of the run.
      run: 1 to 5; `v0` in a config's name is run 1.
    """

    game: Game
    split: Split
    run: int

    @property
    def name(self) -> str:
        """The config's name, `<game>_<split>_v<seed>`."""
        return f"{self.game.rom}_{self.split.name}_v{self.run - 1}"

    def __str__(self) -> str:
        which = "all checkpoints" if self.split.is_whole_run else f"checkpoint {self.split}"
        return f"{self.game.name}, run {self.run}, {which}"


def every_config() -> Iterator[Config]:
    """Yields all configs: 60 games, 55 splits, 5 runs."""
    for game in GAMES.values():
        for split in SPLITS.values():
            for run in RUNS:
                yield Config(game, split, run)


def find_config(name: str) -> Config | None:
    """Returns what the config of this name stands for; None if there is no such config."""
    match = _pattern().fullmatch(name)
    if match is None:
        return None
    rom, split, seed = match.groups()
    return Config(find_game(rom), SPLITS[split], int(seed) + 1)


@functools.cache
def _pattern() -> re.Pattern[str]:
    roms = "|".join(game.rom for game in GAMES.values())
    return re.compile(rf"({roms})_({'|'.join(SPLITS)})_v([0-{len(RUNS) - 1}])")


def explain_unknown(name: str) -> str:
    """Says that there is no config of this name, and which ones are close to it."""

    # Comparing with all 16,500 names takes difflib seconds, so the game comes first.
    def likeness(game: Game) -> float:
        return difflib.SequenceMatcher(a=game.rom, b=name[: len(game.rom)]).ratio()

    games = sorted(GAMES.values(), key=likeness, reverse=True)[:3]
    names = [
        Config(game, split, run).name for game in games for split in SPLITS.values() for run in RUNS
    ]
    close = difflib.get_close_matches(name, names, n=3 * len(RUNS))
    if not re.search(rf"_v[0-{len(RUNS) - 1}]$", name):
        close.sort(key=lambda other: not other.endswith("_v0"))
    close = close[:3]
    if any(name == game.rom for game in games):
        close = [f"{name}_{split}_v0" for split in ("mixed", "medium", "expert", "full")]
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    return (
        f"Unknown config {name!r} of atari_replay.{hint} Names are <game>_<split>_v<seed>: a game "
        "of tfds_atari_replay.GAMES in snake_case; mixed, medium, expert, epoch_0 to epoch_50 or "
        "full; v0 to v4."
    )
