"""Config names and what they stand for: `breakout_expert_v0` is Breakout, run 1, checkpoint 50."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from tfds_atari_replay.games import GAMES, Game, find_game

LAST = (50, 49)
"""The last checkpoint of a run: 50, or 49 where a lap ended inside an episode's padding."""

SPLITS: dict[str, tuple[int, ...]] = {
    "mixed": (1,),
    "medium": (10,),
    "expert": LAST,
    **{f"epoch_{number}": (number,) for number in range(51)},
    "full": tuple(range(51)),
}
"""Checkpoint by split. Of several numbers, the first that exists; in `full`, all that exist. The
names are d4rl-atari's, except `full`."""

RUNS = (1, 2, 3, 4, 5)


class Source(NamedTuple):
    """Where a config's data come from.

    Attributes:
      game: the game played.
      split: a key of `SPLITS`.
      run: 1 to 5; `v0` in a config's name is run 1.
    """

    game: Game
    split: str
    run: int

    @property
    def name(self) -> str:
        """The config's name, `<game>_<split>_v<seed>`."""
        return f"{self.game.rom}_{self.split}_v{self.run - 1}"

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The checkpoint's number. Of several, the first that exists, or all of a whole run."""
        return SPLITS[self.split]

    @property
    def is_whole_run(self) -> bool:
        """Whether it is all checkpoints of the run, joined."""
        return self.split == "full"

    def __str__(self) -> str:
        if self.is_whole_run:
            return f"{self.game.name}, run {self.run}, all checkpoints"
        numbers = " or ".join(map(str, self.checkpoints))
        return f"{self.game.name}, run {self.run}, checkpoint {numbers}"


def all_sources() -> Iterator[Source]:
    """Yields what every config stands for: 60 games, 55 splits, 5 runs."""
    for game in GAMES.values():
        for split in SPLITS:
            for run in RUNS:
                yield Source(game, split, run)


def find_source(name: str) -> Source | None:
    """Returns what the config of this name stands for; None if there is no such config."""
    match = _pattern().fullmatch(name)
    if match is None:
        return None
    rom, split, seed = match.groups()
    return Source(find_game(rom), split, int(seed) + 1)


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
    names = [Source(game, split, run).name for game in games for split in SPLITS for run in RUNS]
    close = difflib.get_close_matches(name, names, n=3)
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    return (
        f"Unknown config {name!r} of atari_replay.{hint} Names are <game>_<split>_v<seed>: a game "
        "of tfds_atari_replay.GAMES in snake_case; mixed, medium, expert, epoch_0 to epoch_50 or "
        "full; v0 to v4."
    )
