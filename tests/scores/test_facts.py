"""Facts of the games' scores."""

from __future__ import annotations

import pytest

from tfds_atari_replay.games import GAMES
from tfds_atari_replay.scores.facts import FACTS, Facts


def test_all_games_have_facts() -> None:
    assert sorted(FACTS) == sorted(game.rom for game in GAMES.values())


def test_each_game_is_read_or_says_why_not() -> None:
    read = {rom for rom, facts in FACTS.items() if facts.ram}
    as_logged = {rom for rom, facts in FACTS.items() if facts.clipped_is_true}
    not_read = {rom for rom, facts in FACTS.items() if facts.why_not}
    assert (len(read), len(as_logged), len(not_read)) == (50, 7, 3)
    assert read | as_logged | not_read == set(FACTS)


@pytest.mark.parametrize(
    ("rom", "facts"),
    [
        ("breakout", Facts(("CDl", "CDh", "CCl"), 1, True, 1, 40, 0, 1, 1000)),
        ("qbert", Facts(("DBl", "DBh", "DAl", "DAh", "D9l"), 1, True, 1, 2000, 0, 2, 100_000)),
        ("boxing", Facts(("92l", "92h", "-93l", "-93h"), largest=50_000)),
        ("phoenix", Facts(("C7h", "C8l", "C8h", "C9l", "C9h"), 10, False, 10, modulus=1_000_000)),
        ("pong", Facts((), clipped_is_true=True)),
        ("krull", Facts((), why_not="its number is centred, so digits move")),
    ],
)
def test_rows_of_the_table(rom: str, facts: Facts) -> None:
    """If the table does not say how large a reward may be, a twentieth of the modulus is taken."""
    assert FACTS[rom] == facts
