"""Learns what digits look like in each game: makes `tfds_atari_replay/scores/digits.npz`.

    python tools/learn_digits.py [--games breakout pong ...] [--out digits.npz]

It needs ale-py and the ROMs of atari-py 0.2.5 (docs/environments.md, "ROMs"); all seeds are fixed.
In the emulator's RAM the score is set to known numbers ("pokes"), and frames are taken 3 steps
later. A pixel belongs to a digit's cell if it changes with that digit and no other. The bytes of a
cell are learnt from pokes and from random play in both emulators, whose screens differ in nine
games; shapes are learnt from pokes alone. Titles and ships that hide the score are found in a first
pass, as frames whose digits are not what they should be, and left out of the second.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import multiprocessing
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tqdm

from tfds_atari_replay.envs import roms
from tfds_atari_replay.envs.emulators import Emulator, find_emulator
from tfds_atari_replay.games import GAMES, Game
from tfds_atari_replay.scores.facts import FACTS, Facts
from tfds_atari_replay.scores.reading import BLANK, ScoreReader, to_cells
from tfds_atari_replay.scores.rewards import settled

Array = npt.NDArray[Any]

STATES = 24
POKES_PER_STATE = 36
STEPS_AFTER_POKE = 3
STEPS_OF_PLAY = 6000

# A pixel depends on a digit if it changes in this share of the states in which anything does ...
DEPENDS = 0.4
# ... and is nobody else's if it does not in this one.
INDEPENDENT = 0.12
# Of the frames with the same bytes, these shares must show the same symbol: in the first pass, in
# which hidden scores are still among them, and in the second.
AGREEMENT = (0.6, 0.985)


class Digit:
    """A digit of the score in the RAM; see `Facts.ram`."""

    def __init__(self, spec: str):
        self.sign = -1 if spec.startswith("-") else 1
        spec = spec.removeprefix("-")
        self._address, self._coding = int(spec[:2], 16) & 0x7F, spec[2:]

    def read(self, ram: Array) -> int:
        """Returns the digit; a code that shows nothing counts as 0."""
        byte = int(ram[self._address])
        digit = {"l": byte & 15, "h": byte >> 4, "x8": byte >> 3, "": byte}[self._coding]
        # Where a digit has a byte, any other code shows nothing; where it has half of one, 10 does.
        is_blank = digit > 9 if self._coding in ("x8", "") else digit == BLANK
        return 0 if is_blank else digit

    def write(self, ram: Array, digit: int) -> None:
        """Sets the digit."""
        byte = int(ram[self._address])
        ram[self._address] = {
            "l": byte & 0xF0 | digit,
            "h": byte & 15 | digit << 4,
            "x8": digit * 8,
            "": digit,
        }[self._coding]


class Shots(NamedTuple):
    """Frames with known digits, uint8 (N, 7056) and int (N, digits)."""

    frames: Array
    digits: Array


class Play(NamedTuple):
    """Random play: frames before each of N steps, the digits then, true rewards, resets."""

    shots: Shots
    reward: Array
    is_first: Array

    def settled(self, lag: int = 2) -> Shots:
        """Returns the frames with a score that have seen no reward for `lag` steps.

        While it is 0, titles may stand in its place, such as Hero's "LEVEL: 1", always the same.
        """
        is_settled = settled(self.reward, lag) | self.is_first
        is_settled &= (self.shots.digits <= 9).all(axis=1) & self.shots.digits.any(axis=1)
        return Shots(self.shots.frames[is_settled], self.shots.digits[is_settled])


def play_randomly(game: Game, seed: int, steps: int, emulator: str = "ale_py") -> Play:
    """Plays with uniformly random actions."""
    digits = [Digit(spec) for spec in FACTS[game.rom].ram]
    rng = np.random.default_rng(seed)
    played = find_emulator(emulator)(game, seed=seed, rom=roms.find_rom(game, "legacy"))
    frames = np.empty((steps, 84 * 84), np.uint8)
    shown = np.empty((steps, len(digits)), np.int64)
    reward, is_first = np.zeros(steps), np.zeros(steps, np.bool_)
    frame, is_over = played.reset(), True
    for step in range(steps):
        ram = played._ale.getRAM()
        frames[step], is_first[step] = frame.reshape(-1), is_over
        shown[step] = [digit.read(ram) for digit in digits]
        frame, reward[step], is_over = played.step(int(rng.integers(len(game.actions))))
        if is_over:
            frame = played.reset()
    return Play(Shots(frames, shown), reward, is_first)


class Poked(NamedTuple):
    """What one state of a game looks like with other scores.

    Attributes:
      base: int (D,), digits from 1 to 9.
      frames: uint8 (D, 10, 7056); frame [i, d] is for `base` but with d as digit i.
      is_valid: bool (D, 10), whether the game kept these digits.
      others: shots of numbers of random length.
    """

    base: Array
    frames: Array
    is_valid: Array
    others: Shots


class Camera:
    """Takes frames of one state of a game with other scores."""

    def __init__(self, played: Emulator):
        self._played = played
        self._digits = [Digit(spec) for spec in FACTS[played.game.rom].ram]
        self._state = played._ale.cloneState(include_rng=True)
        self._screens = played._screens.copy()

    def restore(self) -> None:
        """Goes back to the state."""
        self._played._ale.restoreState(self._state)
        self._played._screens[:] = self._screens

    def shoot(self, wanted: Array) -> tuple[Array, bool]:
        """Returns the frame with these digits, (7056,), and whether the game kept them."""
        self.restore()
        ale = self._played._ale
        before = ale.getRAM()
        after = before.copy()
        for digit, value in zip(self._digits, wanted.tolist(), strict=True):
            digit.write(after, value)
        for address in np.flatnonzero(after != before).tolist():
            ale.setRAM(address, int(after[address]))
        for _ in range(STEPS_AFTER_POKE):
            frame, _, _ = self._played.step(0)
        ram = ale.getRAM()
        return frame.reshape(-1), [digit.read(ram) for digit in self._digits] == wanted.tolist()


def poke(game: Game, seed: int) -> Iterator[Poked]:
    """Plays randomly, and stops now and then to see the same state with many scores."""
    num_digits = len(FACTS[game.rom].ram)
    rng = np.random.default_rng(seed)
    for state in range(STATES):
        if state % 4 == 0:
            rom = roms.find_rom(game, "legacy")
            played = find_emulator("ale_py")(game, seed=seed * 100 + state, rom=rom)
            played.reset()
        for _ in range(int(rng.integers(30, 150))):
            if played.step(int(rng.integers(len(game.actions))))[2]:
                played.reset()
        camera = Camera(played)
        base = rng.integers(1, 10, num_digits)
        frames = np.empty((num_digits, 10, 84 * 84), np.uint8)
        is_valid = np.zeros((num_digits, 10), np.bool_)
        for index, value in itertools.product(range(num_digits), range(10)):
            wanted = base.copy()
            wanted[index] = value
            frames[index, value], is_valid[index, value] = camera.shoot(wanted)
        others = []
        for _ in range(POKES_PER_STATE):
            # Not 0, which some games do not draw when they are at work.
            wanted = rng.integers(0, 10, num_digits)
            length = int(rng.integers(1, num_digits + 1))
            wanted[length:], wanted[length - 1] = 0, rng.integers(1, 10)
            frame, is_kept = camera.shoot(wanted)
            if is_kept:
                others.append((frame, wanted))
        yield Poked(base, frames, is_valid, _join(others, num_digits))
        camera.restore()


def _join(shots: list[tuple[Array, Array]], num_digits: int) -> Shots:
    if not shots:
        return Shots(np.zeros((0, 84 * 84), np.uint8), np.zeros((0, num_digits), np.int64))
    return Shots(*(np.stack(parts) for parts in zip(*shots, strict=True)))


def find_cells(poked: list[Poked]) -> list[Array]:
    """Returns each digit's pixels; none if the digit is not shown."""
    num_digits = len(poked[0].base)
    dependence = np.zeros((num_digits, 84 * 84))
    for index in range(num_digits):
        changes = []
        for state in poked:
            frames = state.frames[index][state.is_valid[index]]
            if len(frames) >= 8 and (changed := (frames != frames[0]).any(axis=0)).any():
                changes.append(changed)
        # If much changes, the game went a different way.
        changes = [changed for changed in changes if changed.mean() < 0.3]
        if changes:
            dependence[index] = np.mean(changes, axis=0)
    cells = []
    for index in range(num_digits):
        others = np.delete(dependence, index, axis=0).max(axis=0, initial=0)
        cell = np.flatnonzero((dependence[index] >= DEPENDS) & (others < INDEPENDENT))
        cells.append(cell if len(cell) >= 3 else cell[:0])
    return cells


def to_symbols(digits: Array, facts: Facts) -> Array:
    """Replaces leading zeros by BLANK where the game shows none, (N, digits)."""
    if facts.has_leading_zeros:
        return digits
    signs = np.array([Digit(spec).sign for spec in facts.ram])
    symbols = digits.copy()
    for sign in set(signs.tolist()):
        own = np.flatnonzero(signs == sign)
        is_above = np.cumsum((digits[:, own] > 0)[:, ::-1], axis=1)[:, ::-1] == 0
        is_above[:, 0] = False
        symbols[:, own] = np.where(is_above, BLANK, symbols[:, own])
    return symbols


def count_symbols(keys: list[bytes], symbols: Array, agreement: float) -> dict[bytes, int]:
    """Returns the symbol that each cell's bytes show, where that is certain."""
    counts: dict[bytes, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for key, symbol in zip(keys, symbols.tolist(), strict=True):
        counts[key][symbol] += 1
    found = {}
    for key, of_key in counts.items():
        symbol, count = of_key.most_common(1)[0]
        if set(of_key) == {0, BLANK}:  # this game shows leading zeros as zeros at times
            found[key] = 0
        elif count >= 2 and count >= agreement * of_key.total():
            found[key] = symbol
    return found


def learn_symbols(shots: Shots, cells: list[Array], facts: Facts) -> list[dict[bytes, int]]:
    """Returns the symbol by the bytes of each cell that is shown."""
    symbols = to_symbols(shots.digits, facts)[:, [len(cell) > 0 for cell in cells]]
    keys = [[row.tobytes() for row in shots.frames[:, cell]] for cell in cells if len(cell)]
    is_visible = np.ones(len(symbols), np.bool_)
    for agreement in AGREEMENT:
        tables = [
            count_symbols(
                [key for key, is_wanted in zip(of_cell, is_visible, strict=True) if is_wanted],
                symbols[is_visible, column],
                agreement,
            )
            for column, of_cell in enumerate(keys)
        ]
        read = np.stack(
            [[table.get(key, -1) for key in of] for table, of in zip(tables, keys, strict=True)], 1
        )
        is_digit = symbols != BLANK
        is_right = (read == symbols) & is_digit
        is_wrong = (read >= 0) & (read != symbols) & is_digit
        is_visible = (2 * is_right.sum(1) >= is_digit.sum(1)) & ~is_wrong.any(1)
    return tables


def learn_shapes(poked: list[Poked], cells: list[Array]) -> list[Array] | None:
    """Returns how far each digit covers the pixels of its cell, (10, P); None if unclear."""
    shown = [index for index, cell in enumerate(cells) if len(cell)]
    seen: dict[int, list[Array]] = {index: [] for index in shown}
    for state in poked:
        own = {
            index: state.frames[index][:, cells[index]].astype(np.float64)
            for index in shown
            if state.is_valid[index].all()
        }
        if not own:
            continue
        low, high = min(x.min() for x in own.values()), max(x.max() for x in own.values())
        for index, pixels in own.items():
            if high - low >= 8 and np.ptp(pixels, axis=0).any():
                seen[index].append((pixels - low) / (high - low))
    if any(len(of_digit) < 4 for of_digit in seen.values()):
        return None
    return [np.median([_like(shape, of[0]) for shape in of], axis=0) for of in seen.values()]


def _like(shape: Array, first: Array) -> Array:
    """Turns dark digits on a light ground around."""
    return 1 - shape if np.corrcoef(shape.ravel(), first.ravel())[0, 1] < 0 else shape


def learn(rom: str) -> dict[str, Array]:
    """Learns a game's digits; returns the arrays that `scores.reading.load_cells` reads."""
    game = next(game for game in GAMES.values() if game.rom == rom)
    facts = FACTS[rom]
    poked = list(poke(game, seed=5))
    cells = find_cells(poked)
    shots = [state.others for state in poked]
    for state in poked:
        for index, value in np.argwhere(state.is_valid).tolist():
            digits = state.base.copy()
            digits[index] = value
            shots.append(Shots(state.frames[index, value][np.newaxis], digits[np.newaxis]))
    for seed, emulator in ((11, "ale_py"), (13, "atari_py")):
        shots.append(play_randomly(game, seed, STEPS_OF_PLAY, emulator).settled())
    joined = Shots(*(np.concatenate(parts) for parts in zip(*shots, strict=True)))
    tables = learn_symbols(joined, cells, facts)
    shapes = learn_shapes(poked, cells)
    arrays = _to_arrays(facts, cells, tables, shapes)
    return _without_what_errs(game, arrays)


def _to_arrays(
    facts: Facts, cells: list[Array], tables: list[dict[bytes, int]], shapes: list[Array] | None
) -> dict[str, Array]:
    weights = [_weight(facts, index) for index in range(len(facts.ram))]
    shown = [index for index, cell in enumerate(cells) if len(cell)]
    return {
        "weights": np.array([weights[index] for index in shown], np.int64),
        "sizes": np.array([len(cells[index]) for index in shown], np.int64),
        "pixels": np.concatenate([cells[index] for index in shown]).astype(np.uint16),
        "counts": np.array([len(table) for table in tables], np.int64),
        "keys": np.frombuffer(b"".join(key for table in tables for key in sorted(table)), np.uint8),
        "symbols": np.array([table[key] for table in tables for key in sorted(table)], np.int8),
        "coverage": np.zeros((0, sum(len(cells[index]) for index in shown)), np.uint8)
        if shapes is None
        else np.rint(np.concatenate(shapes, axis=1) * 255).astype(np.uint8),
    }


def _weight(facts: Facts, index: int) -> int:
    """Returns what one counts in a digit."""
    signs = [Digit(spec).sign for spec in facts.ram]
    weight: int = signs[index] * facts.unit * 10 ** signs[:index].count(signs[index])
    return weight


def _without_what_errs(game: Game, arrays: dict[str, Array]) -> dict[str, Array]:
    """Leaves out the known bytes, or the shapes, if they alone misread a frame of other play."""
    facts = FACTS[game.rom]
    weights = arrays["weights"]
    shown = [index for index in range(len(facts.ram)) if _weight(facts, index) in weights]
    plays = [
        play_randomly(game, 17, STEPS_OF_PLAY),
        play_randomly(game, 19, STEPS_OF_PLAY, "atari_py"),
    ]
    frames, digits = (
        np.concatenate(parts) for parts in zip(*(play.settled() for play in plays), strict=True)
    )
    frames, truth = frames.reshape(-1, 84, 84), digits[:, shown] @ weights
    empty = {name: arrays[name][:0] for name in ("keys", "symbols")}
    without = {
        "bytes": {**empty, "counts": 0 * arrays["counts"]},
        "shapes": {"coverage": arrays["coverage"][:0]},
    }
    kept = dict(arrays)
    for used, left_out in (("bytes", "shapes"), ("shapes", "bytes")):
        read = ScoreReader(facts, to_cells(arrays | without[left_out])).read(frames)
        is_read = ~np.isnan(read)
        num_wrong = int((read != truth)[is_read].sum())
        tqdm.tqdm.write(
            f"{game.rom}: {used} read {is_read.mean():.2%}, {num_wrong} of them wrongly"
        )
        if num_wrong:
            kept |= without[used]
    return kept


def _learn_named(rom: str) -> tuple[str, dict[str, Array]]:
    return rom, learn(rom)


def main() -> None:
    """Learns the digits of all games, or of some, and writes them."""
    readable = [rom for rom, facts in FACTS.items() if facts.ram]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", nargs="+", choices=readable, default=readable)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arrays = dict(np.load(arguments.out)) if arguments.out.exists() else {}
    with multiprocessing.Pool() as pool:
        learnt = pool.imap_unordered(_learn_named, arguments.games)
        for rom, of_game in tqdm.tqdm(learnt, total=len(arguments.games), unit="game"):
            arrays |= {f"{rom}/{name}": array for name, array in of_game.items()}
    np.savez_compressed(arguments.out, **dict(sorted(arrays.items())))


if __name__ == "__main__":
    main()
