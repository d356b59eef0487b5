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
from tfds_atari_replay.scores.facts import FACTS, Facts
from tfds_atari_replay.scores.reading import BLANK, Cell, ScoreReader, to_cells
from tfds_atari_replay.scores.rewards import true_rewards

READABLE = [game for game in GAMES if FACTS[GAMES[game].rom].ram]


def shown(*levels: int) -> np.ndarray:
    """A frame whose first pixels have these grey levels."""
    frame = np.zeros((84, 84), np.uint8)
    frame[0, : len(levels)] = levels
    return frame


def make_cell(weight: int, first_pixel: int) -> Cell:
    """A cell of two pixels, of levels 10 + d and 100 for digit d, or black for a blank."""
    symbols = {bytes([10 + digit, 100]): digit for digit in range(10)} | {bytes(2): BLANK}
    pixels = np.arange(first_pixel, first_pixel + 2)
    return Cell(weight, pixels, symbols, coverage=np.zeros((0, 2)))


@pytest.mark.parametrize(
    ("levels", "score"),
    [
        ([12, 100, 14, 100], 42),
        ([12, 100, 10, 100], 2),
        ([12, 100, 0, 0], 2),
        ([12, 100, 14, 100, 19, 100], 942),
        ([12, 100, 0, 0, 19, 100], np.nan),  # a blank between digits
        ([0, 0, 14, 100], np.nan),  # a blank in place of the ones
        ([], np.nan),
        ([12, 100, 14, 101], np.nan),  # no digit's bytes
    ],
)
def test_cells_make_a_number(levels: list[int], score: float) -> None:
    """The cell of the ones comes first."""
    cells = [make_cell(1, 0), make_cell(10, 2), make_cell(100, 4)]
    reader = ScoreReader(Facts(("00l", "00h", "01l")), cells)
    np.testing.assert_array_equal(reader.read(shown(*levels)[np.newaxis]), [score])


def test_numbers_that_are_no_multiples_of_the_divisor_are_not_scores() -> None:
    cells = [make_cell(1, 0), make_cell(10, 2)]
    reader = ScoreReader(Facts(("00l", "00h"), divisor=5), cells)
    frames = np.stack([shown(15, 100, 14, 100), shown(16, 100, 14, 100)])
    np.testing.assert_array_equal(reader.read(frames), [45, np.nan])


def test_a_negative_weight_belongs_to_a_number_that_is_subtracted() -> None:
    """Either number may have a blank above its digits, but neither may be blank."""
    cells = [make_cell(weight, 2 * index) for index, weight in enumerate((1, 10, -1, -10))]
    reader = ScoreReader(Facts(("00l", "00h", "-01l", "-01h")), cells)
    frames = np.stack(
        [
            shown(12, 100, 14, 100, 17, 100, 0, 0),
            shown(12, 100, 0, 0, 10, 100, 15, 100),
            shown(12, 100, 0, 0, 0, 0, 0, 0),
        ]
    )
    np.testing.assert_array_equal(reader.read(frames), [42 - 7, 2 - 50, np.nan])


def test_a_row_per_frame_is_cut_and_read_later() -> None:
    """Rows may be joined, and equal frames may be anywhere among them."""
    reader = ScoreReader(Facts(("00l", "00h")), [make_cell(1, 0), make_cell(10, 2)])
    one, two = shown(11, 100, 0, 0), shown(12, 100, 0, 0)
    rows = [reader.cut(np.stack(frames)) for frames in ([one, one], [two, two, one], [two])]
    assert reader.read_rows(np.concatenate(rows)).tolist() == [1, 1, 2, 2, 1, 2]
    assert reader.read_rows(rows[1]).tolist() == [2, 2, 1]


def test_arrays_are_split_into_cells() -> None:
    arrays = {
        "weights": np.array([1, -10]),
        "sizes": np.array([2, 1]),
        "pixels": np.array([5, 6, 900], np.uint16),
        "counts": np.array([2, 1]),
        "keys": np.array([1, 2, 3, 4, 9], np.uint8),
        "symbols": np.array([0, 7, BLANK], np.int8),
        "coverage": np.repeat(np.array([[0, 51, 255]], np.uint8), 10, axis=0),
    }
    ones, tens = to_cells(arrays)
    assert (ones.weight, ones.pixels.tolist()) == (1, [5, 6])
    assert ones.symbols == {b"\x01\x02": 0, b"\x03\x04": 7}
    np.testing.assert_array_equal(ones.coverage, [[0, 0.2]] * 10)
    assert (tens.weight, tens.pixels.tolist(), tens.symbols) == (-10, [900], {b"\x09": BLANK})
    np.testing.assert_array_equal(tens.coverage, [[1]] * 10)


@pytest.mark.parametrize("emulator", cases("ale_py", "atari_py"))
@pytest.mark.parametrize(
    "game",
    cases(
        *("Breakout", "Qbert", "Assault", "Boxing"),
        slow=[game for game in GAMES if game not in ("Breakout", "Qbert", "Assault", "Boxing")],
    ),
)
def test_random_play(game: str, emulator: str) -> None:
    """No reading, reward or return is wrong, and most are known."""
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
    """Noise in the digits gives NaN, or the score if enough of them is left."""
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
def test_a_screen_without_digits_is_not_zero(game: str) -> None:
    """This holds for any colour, and for slightly uneven ones."""
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
def test_bad_arguments_are_refused(
    frames: np.ndarray, game: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tfds_atari_replay.read_scores(frames, game)


QUICK = ("Breakout", "MsPacman", "Enduro", "SpaceInvaders")
SOME = cases(*QUICK, slow=[game for game in READABLE if game not in QUICK])


@pytest.mark.parametrize("game", SOME)
def test_scores_that_are_set_in_memory(game: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores far larger than play reaches are read as the screen shows them, or as NaN."""
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
def test_noise_and_damage_are_not_scores(game: str) -> None:
    """If one of 2,000 random and damaged pictures is misread, the clipped rewards exclude it."""
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


@pytest.mark.parametrize("game", cases("Asteroids", slow=["Qbert", "Seaquest", "MsPacman"]))
def test_play_that_scores(game: str) -> None:
    """Search finds rewards that random play does not; none is read wrongly."""
    counts = benchmark.count(game, play_by_search(game, 5, 300), game)
    assert counts["rewards"] > 0
    assert counts["singly"] + counts["in sums"] >= 0.9 * counts["rewards"]
    assert not counts["contradictions"]
