"""Scores read off frames are the game's, or NaN."""

from __future__ import annotations

import learn_digits
import numpy as np
import pytest
import scores as benchmark
from helpers.cases import cases
from players import play_by_search, play_randomly

import tfds_atari_replay
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.scores.facts import FACTS
from tfds_atari_replay.scores.reading import ScoreReader
from tfds_atari_replay.scores.rewards import true_rewards
from tfds_atari_replay.scores.scorer import Scorer

READABLE = [game for game in GAMES if FACTS[GAMES[game].rom].ram]


@pytest.mark.parametrize("emulator", cases("ale_py", "atari_py"))
@pytest.mark.parametrize(
    "game",
    cases(
        *("Breakout", "Qbert", "Assault", "Boxing"),
        slow=[game for game in GAMES if game not in ("Breakout", "Qbert", "Assault", "Boxing")],
    ),
)
def test_random_play(game: str, emulator: str) -> None:
    """Not one reading, reward or return is wrong; most are known."""
    facts = FACTS[GAMES[game].rom]
    if facts.why_not:
        pytest.skip(facts.why_not)
    known = total = 0
    for frames, _, rewards, _ in play_randomly(game, emulator, 77, 1000):
        readings = np.full(len(frames), np.nan)
        if facts.ram:
            readings = tfds_atari_replay.read_scores(frames, game)
            scores = facts.start + np.append(0, rewards.cumsum()[:-1])
            is_sure = ~np.isnan(readings)
            for steps in range(1, facts.lag + 1):
                is_sure[steps:] &= rewards[:-steps] == 0
            np.testing.assert_array_equal(readings[is_sure], scores[is_sure])
        clipped = np.clip(rewards, -1, 1).astype(np.float32)
        found = true_rewards(readings, clipped, facts, starts_at_reset=True)
        is_known = ~np.isnan(found.reward)
        np.testing.assert_array_equal(found.reward[is_known], rewards[is_known])
        assert np.isnan(found.total) or found.total == rewards.sum()
        assert found.num_contradictions == 0
        known += found.num_known + found.num_summed
        total += int(np.count_nonzero(rewards))
    assert known >= 0.8 * total


@pytest.mark.parametrize("game", ["Breakout", "Seaquest", "Amidar"])
def test_damaged_digits_are_not_read(game: str) -> None:
    """Noise in any pixels of the digits gives NaN, or the score if enough is left of them."""
    rng = np.random.default_rng(0)
    ((frames, *_), *_) = play_randomly(game, "ale_py", 77, 400)
    frames = frames[20:60]
    expected = tfds_atari_replay.read_scores(frames, game)
    refused = 0
    for _ in range(50):
        damaged = frames.copy()
        count = int(rng.integers(1, 200))
        rows, columns = rng.integers(84, size=count), rng.integers(84, size=count)
        damaged[:, rows, columns] = rng.integers(256, size=count)
        got = tfds_atari_replay.read_scores(damaged, game)
        is_read = ~np.isnan(got)
        np.testing.assert_array_equal(got[is_read], expected[is_read])
        refused += (~is_read).sum()
    assert refused > 100
    noise = rng.integers(256, size=(2000, 84, 84), dtype=np.uint8)
    assert np.isnan(tfds_atari_replay.read_scores(noise, game)).all()


@pytest.mark.parametrize("game", READABLE)
def test_a_screen_without_digits_is_no_zero(game: str) -> None:
    """Whatever its colour, and if it is not quite even."""
    rng = np.random.default_rng(0)
    level = rng.integers(254, size=(400, 1, 1))
    frames = (level + rng.integers(3, size=(400, 84, 84))).astype(np.uint8)
    assert np.isnan(tfds_atari_replay.read_scores(frames, game)).all()


@pytest.mark.parametrize("game", ["Amidar", "BankHeist", "Tutankham"])
def test_other_roms_give_no_scores(game: str) -> None:
    """The screens of ale-py's ROMs have their digits elsewhere."""
    for frames, *_ in play_randomly(game, "ale_py", 77, 300, roms="ale"):
        assert np.isnan(tfds_atari_replay.read_scores(frames, game)).all()


def test_no_frames() -> None:
    assert tfds_atari_replay.read_scores(np.zeros((0, 84, 84), np.uint8), "pitfall").shape == (0,)


@pytest.mark.parametrize(
    ("frames", "game", "error", "message"),
    [
        (np.zeros((1, 84, 84), np.uint8), "brekout", ValueError, "Unknown game 'brekout'"),
        (np.zeros((1, 84, 84), np.uint8), "pong", ValueError, "its true rewards are the clipped"),
        (np.zeros((1, 84, 84), np.uint8), "skiing", ValueError, "its reward is the time"),
        (np.zeros((84, 84), np.uint8), "breakout", ValueError, r"got uint8 \(84, 84\)"),
        (np.zeros((1, 4, 84, 84), np.uint8), "breakout", ValueError, "give their newest frames"),
        (np.zeros((1, 84, 84)), "breakout", ValueError, "got float64"),
        ([[0]], "breakout", TypeError, "must be a NumPy array, got list"),
        (np.zeros((1, 84, 84), np.uint8), 3, TypeError, "game must be"),
    ],
)
def test_what_cannot_be_read(
    frames: np.ndarray, game: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tfds_atari_replay.read_scores(frames, game)


def test_all_games_have_facts() -> None:
    assert sorted(FACTS) == sorted(game.rom for game in GAMES.values())
    assert len(READABLE) == 50


QUICK = ("Breakout", "MsPacman", "Enduro", "SpaceInvaders")
SOME = cases(*QUICK, slow=[game for game in READABLE if game not in QUICK])


@pytest.mark.parametrize("game", SOME)
def test_scores_that_are_set_in_memory(game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any size, much larger than play reaches: what the screen shows of them, or NaN."""
    monkeypatch.setattr(learn_digits, "STATES", 3)
    monkeypatch.setattr(learn_digits, "POKES_PER_STATE", 30)
    found, facts = GAMES[game], FACTS[GAMES[game].rom]
    weights = np.array([learn_digits._weight(facts, index) for index in range(len(facts.ram))])
    known = total = 0
    for poked in learn_digits.poke(found, 991):
        frames, digits = poked.others
        scores = tfds_atari_replay.read_scores(frames.reshape(-1, 84, 84), game)
        # In MsPacman and UpNDown the last digit is a picture of a zero.
        difference = scores - digits @ weights // facts.divisor * facts.divisor
        if facts.modulus:
            difference %= facts.modulus
        assert not difference[~np.isnan(difference)].any()
        known += int(np.count_nonzero(~np.isnan(scores)))
        total += len(scores)
    assert known >= 0.1 * total


@pytest.mark.parametrize("game", SOME)
def test_noise_and_mutations_are_no_scores(game: str) -> None:
    """Of 2,000 random and damaged pictures. If one is misread, the clipped rewards exclude it."""
    rng = np.random.default_rng(5)
    facts, reader = FACTS[GAMES[game].rom], ScoreReader.of(GAMES[game])
    noise = rng.integers(0, 256, (400, 84, 84), dtype=np.uint8)
    assert np.isnan(reader.read(noise)).all()
    shades = rng.integers(0, 256, (400, 2), dtype=np.uint8)
    two = np.take_along_axis(shades, rng.integers(0, 2, (400, 84 * 84)), axis=1)
    assert np.isnan(reader.read(two.reshape(-1, 84, 84))).all()
    frames = np.concatenate([one.frames for one in play_randomly(game, "ale_py", 55, 300)])
    scores = reader.read(frames)
    readable = np.flatnonzero(~np.isnan(scores))
    if not len(readable):
        return  # no score was shown yet
    chosen = rng.choice(readable, 400)
    for share in (0.02, 0.1, 0.3):
        rows = reader.cut(frames[chosen])
        is_hit = rng.random(rows.shape) < share
        rows[is_hit] = rng.integers(0, 256, is_hit.sum(), dtype=np.uint8)
        misread = reader.read_rows(rows)
        for right, wrong in zip(scores[chosen], misread, strict=True):
            if not np.isnan(wrong) and wrong != right:
                around = np.array([right] * 5 + [wrong] + [right] * 5)
                clipped = np.zeros(11, np.float32)
                found = true_rewards(around, clipped, facts, starts_at_reset=False)
                assert found.num_contradictions == 1
                assert not found.reward.any()


OTHER_ROMS = [game for game in READABLE if GAMES[game].legacy_md5 != GAMES[game].ale_md5]
FEW = ("Amidar", "Atlantis")


@pytest.mark.parametrize("game", cases(*FEW, slow=[g for g in OTHER_ROMS if g not in FEW]))
def test_other_roms_give_nothing_wrong(game: str) -> None:
    """The same ROM under another checksum, or one whose digits are others and not read."""
    scorer = Scorer(GAMES[game])
    for frames, _, rewards, _ in play_randomly(game, "ale_py", 66, 1000, roms="ale"):
        clipped = np.clip(rewards, -1, 1).astype(np.float32)
        scored = scorer.watch([frames], clipped, starts_at_reset=True)
        assert len(list(scored)) == 1
        found = scored.rewards
        is_known = ~np.isnan(found.reward)
        np.testing.assert_array_equal(found.reward[is_known], rewards[is_known])
        assert np.isnan(found.total) or found.total == rewards.sum()


@pytest.mark.parametrize("game", cases("Asteroids", slow=["Qbert", "Seaquest", "MsPacman"]))
def test_play_that_scores(game: str) -> None:
    """By search, which finds rewards that random play does not: none is wrong."""
    counts = benchmark.count(game, play_by_search(game, 5, 300), game)
    assert counts["rewards"] > 0
    assert counts["singly"] + counts["in sums"] >= 0.9 * counts["rewards"]
    assert not counts["contradictions"]
