"""Every step of a log comes back once, in order, in the right episode."""

import dataclasses
import pathlib
import tempfile
from typing import Any

import numpy as np
import pytest
from helpers.datasets import DUMMY_DATA
from helpers.logs import Truth, log_folder, make_episodes, open_log, read_gz, write_gz, write_log
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay.logs.episodes import read_episodes


def read(root: pathlib.Path, number: int, frames_at_once: int = 64) -> list[Truth]:
    """Reads the episodes of a checkpoint of Breakout run 1."""
    checkpoint = open_log(root, "Breakout", 1, number)
    return [
        Truth(
            np.concatenate(list(episode.frames)),
            episode.action,
            episode.reward,
            episode.ends_in_terminal,
            episode.starts_at_reset,
        )
        for episode in read_episodes(checkpoint, frames_at_once)
    ]


def assert_same(got: list[Truth], expected: list[Truth]) -> None:
    """Compares episodes completely, frames included."""
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        for field in dataclasses.fields(Truth):
            np.testing.assert_array_equal(
                getattr(one, field.name), getattr(other, field.name), field.name
            )


@settings(max_examples=10 * settings().max_examples, deadline=None)
@given(
    capacity=st.integers(5, 40),
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=10),
    last_is_cut=st.booleans(),
    frames_at_once=st.integers(1, 70),
)
def test_every_step_of_every_checkpoint_comes_back_once(
    capacity: int, lengths: list[int], last_is_cut: bool, frames_at_once: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        truth = write_log(log_folder(root), capacity, make_episodes(lengths, None, last_is_cut))
        for number, expected in enumerate(truth):
            assert_same(read(root, number, frames_at_once), expected)


@settings(max_examples=10 * settings().max_examples, deadline=None)
@given(
    capacity=st.integers(30, 60),
    lengths=st.lists(st.integers(5, 12), min_size=8, max_size=12),
    black=st.dictionaries(st.integers(0, 11), st.integers(1, 6)),
)
def test_black_first_frames_are_data(
    capacity: int, lengths: list[int], black: dict[int, int]
) -> None:
    """After a terminal three zero rows are padding and a fourth is not, however many follow."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        truth = write_log(log_folder(root), capacity, make_episodes(lengths, black))
        for number, expected in enumerate(truth):
            if len(truth) > 1:
                # What the checkpoint begins with may be cut inside padding or black frames, and
                # these look alike; from its first terminal on nothing is ambiguous.
                assert_same(read(root, number)[1:], expected[1:])


@pytest.mark.parametrize(
    ("capacity", "head", "first_step", "is_first"),
    [
        (10, "one row of padding", 0, True),
        (9, "the first frame, its padding in the lap before", 0, False),
        (8, "the second frame", 1, False),
        (11, "two rows of padding", 0, True),
        (12, "all the padding", 0, True),
    ],
)
def test_what_a_checkpoint_may_begin_with(
    tmp_path: pathlib.Path, capacity: int, head: str, first_step: int, is_first: bool
) -> None:
    """Padding at the beginning marks the start of an episode; without it, one continues."""
    del head
    # Rows by time: 0-2 padding, 3-22 the first episode's 20, 23-25 padding, 26-34 the second's 9.
    truths = make_episodes([20, 9])
    write_log(log_folder(tmp_path), capacity, truths)
    last = max(int(path.name.split(".")[1]) for path in log_folder(tmp_path).glob("*.gz"))
    first = read(tmp_path, last)[0]
    assert first.starts_at_reset == is_first
    np.testing.assert_array_equal(first.frames, truths[1].frames[first_step:])


def test_a_skipped_lap_leaves_no_trace_but_the_count(tmp_path: pathlib.Path) -> None:
    """Capacity 10: lap 1 ends inside padding, so checkpoint 1 is of lap 2."""
    # Adds 0-2 padding, 3-15 an episode, 16-18 padding: row 18, where lap 1 would be dumped.
    truths = make_episodes([13, 14])
    truth = write_log(log_folder(tmp_path), 10, truths)
    counts = [int(read_gz(log_folder(tmp_path) / f"add_count_ckpt.{n}.gz")) for n in range(3)]
    assert counts == [9, 29, 3]  # 19 is left out; the last dump holds its cursor
    for number, expected in enumerate(truth):
        assert_same(read(tmp_path, number), expected)


def test_garbage_is_never_read(tmp_path: pathlib.Path) -> None:
    """In a run's first checkpoint the last row was never written, so its contents are garbage."""
    truth = write_log(log_folder(tmp_path), 20, make_episodes([10, 30]))
    for name, garbage in (("action", -77), ("reward", np.nan), ("terminal", 99)):
        path = log_folder(tmp_path) / f"$store$_{name}_ckpt.0.gz"
        array = read_gz(path)
        array[-1] = garbage
        write_gz(path, array)
    path = log_folder(tmp_path) / "$store$_observation_ckpt.0.gz"
    frames = read_gz(path)
    frames[-1] = 211
    write_gz(path, frames)
    assert_same(read(tmp_path, 0), truth[0])


def test_frames_that_are_not_taken_are_skipped(tmp_path: pathlib.Path) -> None:
    """A caller may ask for the next episode early."""
    truth = write_log(log_folder(tmp_path), 100, make_episodes([30, 5, 40]))[0]
    checkpoint = open_log(tmp_path, "Breakout", 1, 0)
    for index, episode in enumerate(read_episodes(checkpoint, frames_at_once=7)):
        first = next(episode.frames)
        np.testing.assert_array_equal(first, truth[index].frames[: len(first)])


def test_memory_does_not_grow_with_the_episode(tmp_path: pathlib.Path) -> None:
    """An episode of 100 MB of frames is read in pieces of a megabyte, six of them ahead."""
    import tracemalloc

    frames = np.ones((14_000, 84, 84), np.uint8)
    steps = np.zeros(len(frames))
    truth = Truth(frames, steps.astype(np.int32), steps.astype(np.float32))
    write_log(log_folder(tmp_path), 14_004, [truth])
    del frames, truth
    tracemalloc.start()
    (episode,) = read_episodes(open_log(tmp_path, "Breakout", 1, 0))
    total = 0
    tracemalloc.stop()
    tracemalloc.start()
    for episode in read_episodes(open_log(tmp_path, "Breakout", 1, 0)):
        total = sum(len(block) for block in episode.frames)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 14_000
    assert peak < 10e6


@pytest.mark.parametrize(
    ("game", "run", "number", "expected"),
    [
        # (steps, reward, starts at reset, ends in terminal); the last episode and the first.
        ("Breakout", 1, 0, [(235, 3, True, True), (204, 3, True, False)]),
        ("Breakout", 1, 50, [(690, 17, False, True), (74, 2, True, False)]),
        ("Breakout", 5, 1, [(159, 1, False, True), (19, 0, True, False)]),
        ("Asterix", 1, 2, [(372, 12, False, True), (44, 3, True, False)]),
    ],
)
def test_dummy_data_holds_what_was_played(
    game: str, run: int, number: int, expected: list[Any]
) -> None:
    """The first and the last episode of each kind of checkpoint are as they were played."""
    found = [
        (len(e.action), int(e.reward.sum()), e.starts_at_reset, e.ends_in_terminal)
        for e in read_episodes(open_log(DUMMY_DATA, game, run, number))
    ]
    assert [found[0], found[-1]] == expected
