"""The table of games against the emulator it describes."""

import hashlib

import ale_py
import ale_py.roms
import pytest
from helpers.datasets import ROOT

from tfds_atari_replay import GAMES, find_game
from tfds_atari_replay.games import ALL_ACTIONS, Game
from tfds_atari_replay.scores.facts import FACTS


def test_there_are_the_60_games_of_the_logs() -> None:
    """Names are sorted, unique, and 60."""
    assert len(GAMES) == 60
    assert list(GAMES) == sorted(GAMES)
    assert all(name == game.name for name, game in GAMES.items())


@pytest.mark.parametrize("game", GAMES.values(), ids=list(GAMES))
def test_rom_and_actions_are_the_emulators(game: Game) -> None:
    """ale-py has each ROM, by its md5, and the same minimal actions in the same order."""
    rom = ale_py.roms.get_rom_path(game.rom)
    assert rom is not None
    with open(rom, "rb") as file:
        assert hashlib.md5(file.read()).hexdigest() == game.ale_md5
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.loadROM(rom)
    assert tuple(action.name for action in ale.getMinimalActionSet()) == game.actions


def test_29_games_have_a_different_legacy_rom() -> None:
    """This is the count from comparing the two packages' files."""
    assert sum(game.legacy_md5 != game.ale_md5 for game in GAMES.values()) == 29


@pytest.mark.parametrize(
    "name", ["SpaceInvaders", "Space Invaders", "space-invaders", "space_invaders", "SPACEINVADERS"]
)
def test_any_spelling_finds_the_game(name: str) -> None:
    """Case, blanks, hyphens and underscores do not matter."""
    assert find_game(name) is GAMES["SpaceInvaders"]


def test_full_actions_are_indices_in_ales_order() -> None:
    assert GAMES["Breakout"].full_actions == (0, 1, 3, 4)
    assert GAMES["Freeway"].full_actions == (0, 2, 5)
    assert GAMES["Seaquest"].full_actions == tuple(range(18))


def test_with_actions_changes_the_actions_alone() -> None:
    game = GAMES["Breakout"]
    every = game.with_actions(full_action_space=True)
    assert every.actions == ALL_ACTIONS
    assert every.full_actions == tuple(range(18))
    assert (every.name, every.legacy_md5) == (game.name, game.legacy_md5)
    assert game.with_actions(full_action_space=False) is game
    assert game.actions == ("NOOP", "FIRE", "RIGHT", "LEFT")


def test_roms_are_names_in_snake_case() -> None:
    assert [GAMES[name].rom for name in ("Qbert", "MsPacman", "UpNDown")] == [
        "qbert",
        "ms_pacman",
        "up_n_down",
    ]


def test_an_unknown_game_is_refused_with_close_names() -> None:
    with pytest.raises(ValueError, match=r"Unknown game 'Breakot'\. Did you mean 'Breakout'\?"):
        find_game("Breakot")
    with pytest.raises(
        ValueError, match=r"Unknown game 'zzz'\. All names: tfds_atari_replay.GAMES"
    ):
        find_game("zzz")


def test_the_docs_list_them() -> None:
    """docs/games.md has a row for each game."""
    text = (ROOT / "docs" / "games.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ![")]
    assert rows == [documented(game) for game in GAMES.values()]


def documented(game: Game) -> str:
    """Returns a game's row in the docs."""
    if game.legacy_md5 == game.ale_md5:
        rom = "same"
    elif game.grey_difference:
        rom = f"{game.grey_difference:.2f}"
    else:
        rom = "same screens"
    scores = (
        "-" if s is None else f"{s:,.1f}"
        for s in (game.random_score, game.human_score, game.dqn_score)
    )
    is_public = "yes" if game.unplugged_shards else "no"
    facts = FACTS[game.rom]
    true = "as logged" if facts.clipped_is_true else "no" if facts.why_not else "read"
    actions = "all" if len(game.actions) == 18 else ", ".join(game.actions)
    cells = (
        f"![{game.name}](games/{game.rom}.png)",
        f"{game.name}<br>`{game.rom}`",
        f"{len(game.actions)}<br><small>{actions}</small>",
        is_public,
        rom,
        *scores,
        true,
    )
    return f"| {' | '.join(map(str, cells))} |"
